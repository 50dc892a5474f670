// Small things that benchmarks share: medians, a server on its own core, a generator over HTTP/2.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { parseArgs } from "node:util";

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}

/** What the environment says, for longer or larger runs. */
export const number = (name: string, fallback: number): number => Number(process.env[name] ?? fallback);

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

/** Resident memory in MB and CPU seconds so far. */
export function usage(pid: number): { residentMb: number; cpuSeconds: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return {
    residentMb: round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / 100,
  };
}

/** Moves a process to one core, so that server and generator do not share. */
export const pin = (pid: number, core: number): Promise<void> =>
  new Promise((resolve) =>
    spawn("taskset", ["-a", "-cp", String(core), String(pid)], { stdio: "ignore" })
      .on("exit", () => resolve())
      .on("error", () => resolve()),
  );

export interface Caller {
  call(method: string, path: string, body?: string): Promise<{ status: number; bytes: number }>;
  close(): void;
}

// What client-go's transport lets a server send before it must acknowledge; Node's 64 KB would measure round trips.
const goStreamWindow = 4 * 1024 * 1024;
const goConnectionWindow = 1 << 30;

/** One HTTP/2 connection with the administrator's certificate. */
export function caller(kubeconfig: string): Caller {
  const text = readFileSync(kubeconfig, "utf8");
  const field = (name: string): string =>
    Buffer.from(new RegExp(`${name}: "?([^"\\s]+)`).exec(text)?.[1] ?? "", "base64").toString();
  const server = /server: "?([^"\s]+)/.exec(text)?.[1] ?? "";
  const session: ClientHttp2Session = connect(server, {
    ca: field("certificate-authority-data"),
    cert: field("client-certificate-data"),
    key: field("client-key-data"),
    settings: { initialWindowSize: goStreamWindow, enablePush: false },
  });
  session.once("connect", () => session.setLocalWindowSize(goConnectionWindow));
  session.setMaxListeners(0);
  return {
    call: (method, path, body) =>
      new Promise((resolve, reject) => {
        const stream = session.request({
          ":method": method,
          ":path": path,
          "content-type": "application/json",
          accept: "application/json",
        });
        let status = 0;
        let bytes = 0;
        stream.on("response", (headers) => (status = Number(headers[":status"])));
        stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
        stream.on("end", () => resolve({ status, bytes }));
        stream.on("error", reject);
        stream.end(body);
      }),
    close: () => session.close(),
  };
}

/** Runs `work(i)` for i below `count`, `inFlight` at a time. */
export async function inFlight(count: number, limit: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: limit }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

export const numberFlag = (name: string, fallback: number): number => {
  const { values } = parseArgs({ options: { [name]: { type: "string" } }, strict: false, allowPositionals: true });
  return values[name] === undefined ? fallback : Number(values[name]);
};

/** Keys as long as upstream's. */
export const keyOf = (index: number): string => `/registry/pods/default/web-${String(index).padStart(8, "0")}`;
