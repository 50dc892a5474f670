// What the command line reads of the machine and its user, and hands to what it starts.
import { homedir, hostname } from "node:os";
import { systemClock, systemFiles, systemProcesses, systemRandom } from "#base";
import type { Machine } from "#cluster";

/** Real time, chance, files and programs, as everything that is started takes them. */
export const system = { clock: systemClock, random: systemRandom, files: systemFiles, processes: systemProcesses } as const;

export const thisMachine = (): Machine => ({
  platform: process.platform,
  isRoot: process.getuid?.() === 0,
  hostname: hostname(),
  homeDirectory: homedir(),
  kubeconfig: process.env.KUBECONFIG,
});
