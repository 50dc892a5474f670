// Opens an upgraded HTTP/1.1 connection to the runtime's streaming server, whose URL came from CRI.
import { request } from "node:http";
import type { Duplex } from "node:stream";

export interface Upgraded {
  readonly socket: Duplex;
  /** Bytes that came together with the answer's head. */
  readonly head: Buffer;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A server that answered something else than 101. */
export class UpgradeRefused extends Error {
  readonly code: number;
  readonly body: string;
  constructor(code: number, body: string) {
    super(`the runtime's streaming server answered ${code}: ${body.slice(0, 500)}`);
    this.name = "UpgradeRefused";
    this.code = code;
    this.body = body;
  }
}

export function upgrade(
  url: string,
  headers: Readonly<Record<string, string | readonly string[]>>,
  timeoutMs = 10_000,
): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: "POST", headers: headers as Record<string, string>, timeout: timeoutMs });
    outgoing.on("upgrade", (response, socket, head) => {
      socket.setTimeout(0);
      resolve({ socket, head, headers: response.headers });
    });
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => reject(new UpgradeRefused(response.statusCode ?? 500, Buffer.concat(chunks).toString())));
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}
