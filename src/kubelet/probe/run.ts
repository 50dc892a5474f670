// Runs one probe once.
import type { Pod, Probe } from "#api";
import type { AnyContainer } from "../pod/spec.ts";
import type { Runtime } from "../runtime.ts";
import type { NetworkProbes, ProbeOutcome } from "./check.ts";
import { portOf } from "./ports.ts";

export interface ProbeDeps {
  readonly runtime: Runtime;
  readonly probes: NetworkProbes;
}

export interface Probed {
  readonly kind: "startup" | "liveness" | "readiness";
  readonly pod: Pod;
  readonly container: AnyContainer;
  readonly containerId: string;
  readonly podIp: string;
}

/** Never throws. Output is cut as in upstream's events (10 KiB). */
export async function runProbe(
  probe: Probe,
  { kind, pod, container, containerId, podIp }: Probed,
  deps: ProbeDeps,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  const target = { kind, pod, container: container.name, containerId, timeoutMs, signal };
  try {
    if (probe.exec !== undefined) return await runCommand(probe.exec.command ?? [], containerId, timeoutMs, deps.runtime, signal);
    if (probe.httpGet !== undefined) {
      const { host, path = "/", scheme = "HTTP", httpHeaders = [], port } = probe.httpGet;
      return await deps.probes.httpGet({
        ...target,
        host: host ?? podIp,
        port: portOf(port, container),
        scheme: scheme === "HTTPS" ? "https" : "http",
        path: path.startsWith("/") ? path : `/${path}`,
        headers: httpHeaders.map(({ name, value }) => ({ name, value })),
      });
    }
    if (probe.tcpSocket !== undefined)
      return await deps.probes.tcp({
        ...target,
        host: probe.tcpSocket.host ?? podIp,
        port: portOf(probe.tcpSocket.port, container),
      });
    if (probe.grpc !== undefined)
      return await deps.probes.grpc({ ...target, host: podIp, port: probe.grpc.port, service: probe.grpc.service ?? "" });
    return { result: "unknown", output: `missing probe handler for ${pod.metadata.name}:${container.name}` };
  } catch (error) {
    return { result: "unknown", output: (error as Error).message };
  }
}

async function runCommand(
  command: readonly string[],
  containerId: string,
  timeoutMs: number,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  try {
    const { exitCode, stdout, stderr } = await runtime.execSync(containerId, command, { timeoutMs, signal });
    return {
      result: exitCode === 0 ? "success" : "failure",
      output: Buffer.concat([stdout, stderr]).subarray(0, 10_240).toString(),
    };
  } catch (error) {
    const message = (error as Error).message;
    // A command that does not end in time is a failure; a runtime that cannot be asked is not the container's fault.
    const timedOut = /timed? ?out|deadline/i.test(message);
    return {
      result: timedOut ? "failure" : "unknown",
      output: timedOut ? `command timed out: ${JSON.stringify(command.join(" "))} timed out after ${timeoutMs / 1000}s` : message,
    };
  }
}
