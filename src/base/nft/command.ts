// Commands on the network: where this process is, or in a network namespace (of `ip netns`).
import type { CommandResult, Processes } from "../processes.ts";

export type Command = (command: string, args: readonly string[], options?: { input?: string }) => Promise<CommandResult>;

/** A full load of tens of thousands of services takes seconds. */
const timeoutMs = 120_000;

export const commandIn =
  (networkNamespace: string | undefined, processes: Processes): Command =>
  (command, args, options) =>
    networkNamespace === undefined
      ? processes.run(command, args, { ...options, timeoutMs })
      : processes.run("ip", ["netns", "exec", networkNamespace, command, ...args], { ...options, timeoutMs });
