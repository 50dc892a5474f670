// The border to admission webhooks: one HTTPS POST, its answer as text. Redirects are not followed.
import type { Agent } from "node:https";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { dialErrorText } from "#base";

export interface WebhookTarget {
  /** "https://name.namespace.svc:443/path?timeout=10s": what messages name and TLS checks. */
  readonly url: string;
  /** Where to connect when the name is not to be looked up: a Service's address. */
  readonly address?: { readonly host: string; readonly port: number };
  /** PEM; absent: the system's authorities. */
  readonly ca?: string;
}

export interface WebhookDialer extends Disposable {
  /** Rejects when nobody answers, TLS fails or the signal fires. */
  post(target: WebhookTarget, body: string, signal: AbortSignal): Promise<{ readonly code: number; readonly body: string }>;
}

// What an answer may cost in memory; patches are small.
const maxAnswerBytes = 8 * 1024 * 1024;

/** Keeps connections open between calls. Loads the HTTPS client on first use. */
export function createWebhookDialer(): WebhookDialer {
  let agent: Agent | undefined;
  return {
    post: async (target, body, signal) => {
      const https = await import("node:https");
      agent ??= new https.Agent({ keepAlive: true, maxFreeSockets: 4, timeout: 60_000 });
      const url = new URL(target.url);
      const name = url.hostname.replace(/^\[|\]$/g, ""); // of an IPv6 address
      const host = target.address?.host ?? name;
      const port = target.address?.port ?? (url.port === "" ? 443 : Number(url.port));
      return new Promise((resolve, reject) => {
        const outgoing = https.request(
          {
            agent,
            method: "POST",
            host,
            port,
            path: url.pathname + url.search,
            // TLS names no addresses (RFC 6066 section 3); the certificate must have it all the same
            servername: isIP(name) === 0 ? name : "",
            checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
            ...(target.ca === undefined ? {} : { ca: target.ca }),
            headers: {
              host: url.host,
              "content-type": "application/json",
              accept: "application/json",
              "content-length": Buffer.byteLength(body),
            },
            signal,
          },
          (incoming) => {
            const chunks: Buffer[] = [];
            let size = 0;
            incoming.on("data", (chunk: Buffer) => {
              size += chunk.length;
              if (size > maxAnswerBytes) outgoing.destroy(new Error(`the answer is larger than ${maxAnswerBytes} bytes`));
              else chunks.push(chunk);
            });
            incoming.on("error", reject);
            incoming.on("end", () => resolve({ code: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }));
          },
        );
        outgoing.on("error", (error) => reject(new Error(dialErrorText(error, host, port), { cause: error })));
        outgoing.end(body);
      });
    },
    [Symbol.dispose]: () => agent?.destroy(),
  };
}
