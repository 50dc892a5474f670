// Lifecycle hooks: a command, an HTTP request or a pause.
import type { LifecycleHandler, Pod } from "#api";
import { type Clock, sleep } from "#base";
import type { NetworkProbes } from "../probe/check.ts";
import { portOf } from "../probe/ports.ts";
import type { Runtime } from "../runtime.ts";
import type { AnyContainer } from "./spec.ts";

export interface HookDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly probes: NetworkProbes;
}

export interface HookTarget {
  readonly pod: Pod;
  readonly container: AnyContainer;
  readonly containerId: string;
  readonly podIp: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Resolves with undefined, or with what went wrong (upstream's text). */
export async function runHook(handler: LifecycleHandler, target: HookTarget, deps: HookDeps): Promise<string | undefined> {
  const { containerId, timeoutMs, signal } = target;
  try {
    if (handler.exec !== undefined) {
      const command = handler.exec.command ?? [];
      const result = await deps.runtime.execSync(containerId, command, { timeoutMs, signal });
      if (result.exitCode === 0) return undefined;
      const output = `${result.stdout}${result.stderr}`;
      return `Exec lifecycle hook (${goStrings(command)}) for Container "${target.container.name}" in Pod "${target.pod.metadata.name}_${target.pod.metadata.namespace}(${target.pod.metadata.uid})" failed - error: command '${command.join(" ")}' exited with ${result.exitCode}: ${output}, message: ${JSON.stringify(output)}`;
    }
    if (handler.sleep !== undefined) {
      await sleep(deps.clock, Math.min((handler.sleep.seconds ?? 0) * 1000, timeoutMs), signal);
      return undefined;
    }
    if (handler.httpGet !== undefined) {
      const { host, path = "/", scheme = "HTTP", httpHeaders = [], port } = handler.httpGet;
      const outcome = await deps.probes.httpGet({
        pod: target.pod,
        container: target.container.name,
        containerId,
        host: host ?? target.podIp,
        port: portOf(port, target.container),
        timeoutMs,
        signal,
        scheme: scheme.toLowerCase() === "https" ? "https" : "http",
        path: path.startsWith("/") ? path : `/${path}`,
        headers: httpHeaders.map(({ name, value }) => ({ name, value })),
      });
      // Only a request that cannot be made is a failure; what it answers does not matter, as upstream.
      return outcome.result === "success" || /statuscode/.test(outcome.output) ? undefined : outcome.output;
    }
    return `Invalid handler: ${JSON.stringify(handler)}`;
  } catch (error) {
    return (error as Error).message;
  }
}

const goStrings = (items: readonly string[]): string => `[${items.join(" ")}]`;
