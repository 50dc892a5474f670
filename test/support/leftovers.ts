// What a run of ours could leave on a machine: containers, network namespaces, nft tables, mounts, control groups, links, processes.
import { globSync, readdirSync, readFileSync } from "node:fs";
import { run } from "./tiphys.ts";

/** One line each, sorted; compare before and after. */
export async function leftovers(): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const line of (await run("nft", ["list", "tables"])).stdout.split("\n")) if (line !== "") lines.push(`nft ${line}`);
  for (const line of (await run("ip", ["netns", "list"])).stdout.split("\n"))
    if (line !== "") lines.push(`netns ${line.split(" ")[0]}`);
  for (const line of (await run("ip", ["-br", "link"])).stdout.split("\n"))
    if (line !== "") lines.push(`link ${line.split(/[ @]/)[0]}`);
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const mount = line.split(" ")[1] ?? "";
    if (/tiphys|kubelet|containerd|\/run\/netns/.test(mount)) lines.push(`mount ${mount}`);
  }
  for (const path of globSync("/sys/fs/cgroup/{,*/}tiphys-*")) lines.push(`control group ${path}`);
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const command = readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    if (/^(\S*\/)?(containerd|containerd-shim\S*|runc|\/pause|httpd)\b/.test(command)) lines.push(`process ${command}`);
  }
  return lines.filter((line) => line !== "mount /run/netns").sort();
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process has ended meanwhile
  }
}
