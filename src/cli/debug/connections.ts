// `tiphys debug connections`: which components of the clusters on this host are connected, and whether any should not be.
import type { Command } from "commander";
import { defineOptions, systemFiles, systemProcesses } from "#base";
import { addFlags, readFlags } from "../flags.ts";
import { componentOf, type Edge, edgesOf } from "./edges.ts";
import { readSockets } from "./sockets.ts";

const options = defineOptions({
  pid: {
    kind: "list",
    default: [],
    help: "Only these processes (default: every one of Tiphys on this host)",
    placeholder: "PID",
  },
  output: { kind: "string", default: "text", choices: ["text", "json"], help: "Form of the answer" },
});

export function addDebug(program: Command): void {
  const debug = program.command("debug").description("Look into a running cluster");
  const connections = debug
    .command("connections")
    .description("Show which components are connected; ends with 1 when two are that should not be (docs/connections.md)");
  addFlags(connections, options, { output: "o" }).action(async () => {
    const { pid, output } = readFlags(options, connections);
    const edges = await look(pid.map(Number));
    console.log(output === "json" ? JSON.stringify(edges) : text(edges));
    if (edges.some(({ kind }) => kind === "extra")) process.exitCode = 1;
  });
}

async function look(pids: readonly number[]): Promise<Edge[]> {
  const [established, listening] = await Promise.all([ss("-Htnp"), ss("-Htlnp")]);
  const sockets = readSockets(established, "ESTAB");
  const listeners = readSockets(listening, "LISTEN");
  const chosen = pids.length === 0 ? new Set([...sockets, ...listeners].map(({ process }) => process)) : new Set(pids);
  const components = new Map<number, string>();
  for (const id of chosen) {
    const component = componentOf(await wordsOf(id));
    if (component !== undefined) components.set(id, component);
  }
  return edgesOf(sockets, listeners, (id) => components.get(id));
}

async function ss(flags: string): Promise<string> {
  const result = await systemProcesses.run("ss", [flags]).catch((cause: unknown) => {
    throw new Error("Cannot list the connections of this host: ss is not installed (Debian: iproute2)", { cause });
  });
  if (result.code !== 0)
    throw new Error(`Cannot list the connections of this host: ss ended with ${result.code}: ${result.stderr}`);
  return result.stdout;
}

/** The command line of a process; none when it has ended meanwhile. */
async function wordsOf(id: number): Promise<string[]> {
  try {
    return (await systemFiles.read(`/proc/${id}/cmdline`)).toString().split("\0");
  } catch {
    return [];
  }
}

function text(edges: readonly Edge[]): string {
  if (edges.length === 0) return "no connection of a component was found";
  const rows = edges.map(({ from, to, connections, kind }) => [from, to, String(connections), kind]);
  const table = [["FROM", "TO", "CONNECTIONS", "KIND"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")).join("\n");
}
