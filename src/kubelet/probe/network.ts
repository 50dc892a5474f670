// The real network probes: HTTP, TCP and gRPC health checks (a border module: it opens sockets).
import { request as requestPlain } from "node:http";
import { request as requestTls } from "node:https";
import { connect } from "node:net";
import { dialErrorText } from "#base";
import type { HttpTarget, NetworkProbes, ProbeOutcome, ProbeTarget } from "./check.ts";

const maxRedirects = 10;
const maxBodyBytes = 10 * 1024;

export const systemNetworkProbes: NetworkProbes = {
  httpGet: (target) =>
    httpGet(
      target,
      `${target.scheme}://${host(target)}:${target.port}${target.path.startsWith("/") ? "" : "/"}${target.path}`,
      0,
    ),
  tcp: (target) =>
    new Promise<ProbeOutcome>((resolve) => {
      const socket = connect({ host: target.host, port: target.port, signal: target.signal });
      socket.setTimeout(target.timeoutMs, () =>
        socket.destroy(new Error(`dial tcp ${host(target)}:${target.port}: i/o timeout`)),
      );
      socket.on("connect", () => {
        socket.destroy();
        resolve({ result: "success", output: "" });
      });
      socket.on("error", (error) => resolve(failure(dialError(target, error))));
    }),
  grpc,
};

const failure = (output: string): ProbeOutcome => ({ result: "failure", output });
const host = (target: ProbeTarget): string => (target.host.includes(":") ? `[${target.host}]` : target.host);

const dialError = (target: ProbeTarget, error: Error): string => dialErrorText(error, target.host, target.port);

function httpGet(target: HttpTarget, url: string, redirects: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const headers: Record<string, string> = { "User-Agent": "kube-probe/1.36", Accept: "*/*", Connection: "close" };
    for (const { name, value } of target.headers) headers[name] = value;
    const options = { method: "GET", headers, signal: target.signal, timeout: target.timeoutMs, agent: false as const };
    const send = url.startsWith("https:")
      ? requestTls(url, { ...options, rejectUnauthorized: false })
      : requestPlain(url, options);
    send.on("response", (response) => {
      const code = response.statusCode ?? 0;
      const location = response.headers.location;
      if (code >= 300 && code < 400 && location !== undefined) {
        response.destroy();
        const next = new URL(location, url);
        if (next.hostname !== new URL(url).hostname)
          return resolve({ result: "success", output: `Probe terminated redirects, Response body: ` });
        if (redirects >= maxRedirects) return resolve(failure(`Get "${url}": stopped after ${maxRedirects} redirects`));
        return resolve(httpGet(target, next.href, redirects + 1));
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        if (size < maxBodyBytes) chunks.push(chunk);
        size += chunk.length;
        if (size >= maxBodyBytes) response.destroy();
      });
      response.on("close", () => {
        const body = Buffer.concat(chunks).subarray(0, maxBodyBytes).toString();
        resolve(
          code >= 200 && code < 400 ? { result: "success", output: body } : failure(`HTTP probe failed with statuscode: ${code}`),
        );
      });
      response.on("error", () => {});
    });
    send.on("timeout", () =>
      send.destroy(new Error("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")),
    );
    send.on("error", (error: NodeJS.ErrnoException) => resolve(failure(`Get "${url}": ${dialError(target, error)}`)));
    send.end();
  });
}

async function grpc(target: ProbeTarget & { readonly service: string }): Promise<ProbeOutcome> {
  const { Client, credentials, Metadata } = await import("@grpc/grpc-js");
  const client = new Client(`${host(target)}:${target.port}`, credentials.createInsecure());
  const name = Buffer.from(target.service);
  // HealthCheckRequest { service = 1 }, HealthCheckResponse { status = 1 }: too small for a codec
  const request = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  try {
    return await new Promise((resolve) => {
      const identity = (bytes: Buffer): Buffer => bytes;
      const deadline = target.timeoutMs + Date.now();
      const call = client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        identity,
        identity,
        request,
        new Metadata(),
        { deadline },
        (error, response) => {
          if (error !== null)
            return resolve(failure(`error: health rpc failed: rpc error: code = ${error.code} desc = ${error.details}`));
          const status = response?.[0] === 0x08 ? response[1] : 0;
          resolve(
            status === 1
              ? { result: "success", output: "service healthy" }
              : failure(`service unhealthy (responded with "${status === 2 ? "NOT_SERVING" : "UNKNOWN"}")`),
          );
        },
      );
      target.signal.addEventListener("abort", () => call.cancel(), { once: true });
    });
  } finally {
    client.close();
  }
}
