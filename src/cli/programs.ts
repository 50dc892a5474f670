// `tiphys kube-apiserver`, `tiphys kube-scheduler`, ...: one component a process.
import { hostname } from "node:os";
import type { Command } from "commander";
import { createLog, defineOptions } from "#base";
import { type Program, programs } from "#cluster";
import { addFlags, readFlags } from "./flags.ts";
import { system } from "./machine.ts";
import { endWith, signalled } from "./signals.ts";
import { packageVersion } from "./version.ts";

const common = defineOptions({
  logLevel: {
    kind: "string",
    default: "info",
    choices: ["debug", "info", "warn", "error"],
    help: "Least severe log lines to show",
  },
  logFormat: { kind: "string", default: "text", choices: ["text", "json"], help: "Form of the logs" },
});

export function addPrograms(root: Command): void {
  for (const program of programs) {
    const command = root.command(program.name).description(program.summary);
    addFlags(command, { ...program.options, ...common }).action(() => run(program, command));
  }
}

async function run(program: Program, command: Command): Promise<void> {
  const { logLevel, logFormat } = readFlags(common, command);
  const log = createLog({ level: logLevel as "info", format: logFormat as "text" }).child({ component: program.name });
  const stop = signalled();
  const stopping = new AbortController();
  void stop.then(() => stopping.abort(new Error("asked to stop")));
  const { signal } = stopping;
  const deps = { ...system, log, packageVersion: packageVersion(), hostname: hostname(), signal };
  const running = await program.start(readFlags(program.options, command), deps).catch((error: unknown) => {
    if (error !== signal.reason) throw error;
    return undefined;
  });
  if (running === undefined) process.exit(0);
  log.info("started");
  await stop;
  await endWith(running, log);
}
