// Starts `tiphys kube-apiserver` in a process of its own, as an administrator's script would, and gives clients of it.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import type { Pki } from "#apiserver";
import { silentLog, systemClock } from "#base";
import { type Client, createClient, httpsTransport } from "#client";

const main = join(import.meta.dirname, "../../src/cli/main.ts");

export interface ApiServerProcess extends AsyncDisposable {
  readonly url: string;
  /** As the administrator. */
  readonly client: Client;
  /** A request as text: health, metrics. */
  text(path: string): Promise<{ readonly code: number; readonly body: string }>;
  output(): string;
}

/** `directory` holds `pki/` (by `ensurePki`) and takes the port file. Rejects with the process's words when it ends at once. */
export async function startApiServerProcess(
  directory: string,
  name: string,
  pki: Pki,
  flags: readonly string[],
): Promise<ApiServerProcess> {
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      main,
      "kube-apiserver",
      "--bind-address=127.0.0.1",
      "--secure-port=0",
      `--port-file=${directory}/${name}.port`,
      `--tls-cert-file=${directory}/pki/apiserver.crt`,
      `--tls-private-key-file=${directory}/pki/apiserver.key`,
      `--client-ca-file=${directory}/pki/ca.crt`,
      `--service-account-key-file=${directory}/pki/sa.pub`,
      `--service-account-signing-key-file=${directory}/pki/sa.key`,
      ...flags,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (/ started$/m.test(output)) resolve();
      });
    }
    void exited.then(() => reject(new Error(output)));
  });
  const url = `https://127.0.0.1:${readFileSync(`${directory}/${name}.port`, "utf8").trim()}`;
  const { certificate, key } = pki.admin;
  const transport = httpsTransport({
    server: url,
    ca: pki.ca.certificate,
    clientCertificate: certificate,
    clientKey: key,
    userAgent: "test",
    clock: systemClock,
    log: silentLog,
  });
  return {
    url,
    client: createClient(transport),
    output: () => output,
    text: (path) =>
      new Promise((resolve, reject) => {
        request(`${url}${path}`, { ca: pki.ca.certificate, cert: certificate, key, agent: false }, (answer) => {
          let body = "";
          answer.setEncoding("utf8").on("data", (text: string) => (body += text));
          answer.on("end", () => resolve({ code: answer.statusCode ?? 0, body }));
        })
          .on("error", reject)
          .end();
      }),
    [Symbol.asyncDispose]: async () => {
      await transport[Symbol.asyncDispose]();
      child.kill("SIGTERM");
      await exited;
    },
  };
}
