// `tiphys up`: reads the flags, starts the cluster, says what it is, and stops it on a signal.
import type { Command } from "commander";
import { createLog } from "#base";
import { decideShape, type RunningUp, type Shape, type UpOptions, up, upOptions } from "#cluster";
import { addFlags, readFlags } from "./flags.ts";
import { system, thisMachine } from "./machine.ts";
import { endWith, signalled } from "./signals.ts";
import { packageVersion } from "./version.ts";

export function addUp(program: Command): void {
  const command = program.command("up").description("Run a cluster in this process until a signal stops it");
  addFlags(command, upOptions, { output: "o" }).action(() => run(readFlags(upOptions, command)));
}

async function run(options: UpOptions): Promise<void> {
  const log = createLog({ level: options.logLevel as "warn", format: options.output === "json" ? "json" : "text" });
  const shape = await decideShape(options, thisMachine(), system);
  if (options.output === "text" && shape.whySimulated !== undefined)
    console.log(`Containers will be simulated: ${shape.whySimulated}.`);
  const stop = signalled();
  const abort = new AbortController();
  void stop.then(() => abort.abort(new Error("stopped before it was ready")));
  const deps = {
    ...system,
    log,
    packageVersion: packageVersion(),
    uptimeMs: () => process.uptime() * 1000,
    signal: abort.signal,
    program: [process.execPath, ...process.execArgv, process.argv[1] as string],
  };
  try {
    const running = await up(options, shape, deps);
    console.log(options.output === "json" ? JSON.stringify(summary(running, shape)) : banner(running, shape));
    await stop;
    if (options.output === "text") console.log("stopping");
    return await endWith(running, log);
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    if (error !== abort.signal.reason) log.error("could not stop in order", { error });
    process.exit(error === abort.signal.reason ? 0 : 1);
  }
}

const summary = (running: RunningUp, shape: Shape) => ({
  server: running.url,
  kubeconfig: running.kubeconfig,
  dataDir: shape.dataDir,
  readyMs: running.readyMs,
  nodes: running.nodeNames,
});

function banner(running: RunningUp, shape: Shape): string {
  const kinds = [
    shape.realNodes > 0 ? `${shape.realNodes} real` : "",
    shape.simNodes > 0 ? `${shape.simNodes} simulated (their containers only pretend)` : "",
  ].filter((part) => part !== "");
  return `Tiphys ${packageVersion()} is ready after ${running.readyMs} ms.
  API server   ${running.url}
  nodes        ${kinds.join(", ") || "none"}
  data         ${shape.dataDir}
  kubeconfig   ${shape.userKubeconfig ?? running.kubeconfig}

  kubectl${shape.userKubeconfig === undefined ? ` --kubeconfig ${running.kubeconfig}` : ""} get nodes`;
}
