// `tiphys status`: whether a cluster runs on this data directory, and how it is.
import type { Command } from "commander";
import { nodes, pods } from "#api";
import { defineOptions, systemFiles } from "#base";
import type { Client } from "#client";
import { defaultDataDir, isReady } from "#cluster";
import { connect } from "./connect.ts";
import { addFlags, readFlags } from "./flags.ts";
import { thisMachine } from "./machine.ts";

const statusOptions = defineOptions({
  dataDir: { kind: "string", help: "The cluster's data directory", placeholder: "DIR" },
  output: { kind: "string", default: "text", choices: ["text", "json"], help: "Form of the answer" },
});

export function addStatus(program: Command): void {
  const command = program.command("status").description("Say whether the cluster runs and how it is");
  addFlags(command, statusOptions, { output: "o" }).action(async () => {
    const options = readFlags(statusOptions, command);
    const report = await inspect(options.dataDir ?? defaultDataDir(thisMachine()));
    console.log(options.output === "json" ? JSON.stringify(report) : text(report));
    if (!report.running) process.exitCode = 1;
  });
}

interface Report {
  readonly running: boolean;
  readonly why?: string;
  readonly server?: string;
  readonly version?: string;
  readonly nodes?: readonly { readonly name: string; readonly ready: boolean }[];
  readonly pods?: number;
}

async function inspect(dataDir: string): Promise<Report> {
  const path = `${dataDir}/admin.kubeconfig`;
  if ((await systemFiles.stat(path)) === undefined) return { running: false, why: `no cluster was ever started in "${dataDir}"` };
  await using connection = await connect(dataDir, 3000);
  const { client, config } = connection;
  try {
    return { running: true, server: config.server, ...(await survey(client)) };
  } catch (error) {
    return { running: false, server: config.server, why: error instanceof Error ? error.message : String(error) };
  }
}

async function survey(client: Client): Promise<Pick<Report, "version" | "nodes" | "pods">> {
  const version = await client.send({ method: "GET", path: "/version", query: {} });
  const [nodeList, podList] = await Promise.all([client.list(nodes), client.list(pods)]);
  return {
    version: "object" in version ? (version.object as { gitVersion: string }).gitVersion : "",
    nodes: nodeList.items.map((node) => ({ name: node.metadata.name, ready: isReady(node) })),
    pods: podList.items.length,
  };
}

function text(report: Report): string {
  if (!report.running) return `not running: ${report.why ?? "unknown"}`;
  const nodeLines = (report.nodes ?? []).map((node) => `  ${node.name}  ${node.ready ? "Ready" : "NotReady"}`);
  return [
    `running at ${report.server} (${report.version})`,
    `nodes: ${report.nodes?.length ?? 0}`,
    ...nodeLines,
    `pods: ${report.pods ?? 0}`,
  ].join("\n");
}
