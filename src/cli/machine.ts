// What the command line reads of the machine and its user.
import { homedir, hostname } from "node:os";
import type { Machine } from "#cluster";

export const thisMachine = (): Machine => ({
  platform: process.platform,
  isRoot: process.getuid?.() === 0,
  hostname: hostname(),
  homeDirectory: homedir(),
  kubeconfig: process.env.KUBECONFIG,
});
