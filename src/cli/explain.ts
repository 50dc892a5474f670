// `tiphys explain schedule POD`: the scheduler's last decision on a pod, node by node.
import { request } from "node:https";
import type { Command } from "commander";
import { defineOptions, systemFiles } from "#base";
import { loadKubeconfig } from "#client";
import { type ComponentUrls, componentUrlsPath, defaultDataDir, type Explanation, type NodeExplanation } from "#cluster";
import { addFlags, readFlags } from "./flags.ts";
import { thisMachine } from "./machine.ts";

const explainOptions = defineOptions({
  dataDir: { kind: "string", help: "The cluster's data directory", placeholder: "DIR" },
  namespace: { kind: "string", default: "default", help: "Namespace of the pod", placeholder: "NAME" },
  output: { kind: "string", default: "text", choices: ["text", "json"], help: "Form of the answer" },
});

export function addExplain(program: Command): void {
  const schedule = program
    .command("explain")
    .description("Say why something is as it is")
    .command("schedule")
    .argument("<pod>", "name of the pod")
    .description("Show the scheduler's last decision on a pod: every node's verdict and scores");
  addFlags(schedule, explainOptions, { namespace: "n", output: "o" }).action(async (pod: string) => {
    const options = readFlags(explainOptions, schedule);
    const explanation = await ask(options.dataDir ?? defaultDataDir(thisMachine()), `${options.namespace}/${pod}`);
    console.log(options.output === "json" ? JSON.stringify(explanation) : text(explanation));
  });
}

const timeoutMs = 5000;

async function ask(dataDir: string, pod: string): Promise<Explanation> {
  const cannot = `Cannot explain pod "${pod}"`;
  const path = componentUrlsPath(dataDir);
  if ((await systemFiles.stat(path)) === undefined) throw new Error(`${cannot}: no cluster was ever started in "${dataDir}"`);
  const { scheduler } = JSON.parse((await systemFiles.read(path)).toString()) as ComponentUrls;
  const kubeconfig = await systemFiles.read(`${dataDir}/admin.kubeconfig`);
  const { ca, clientCertificate, clientKey } = await loadKubeconfig(kubeconfig.toString(), { files: systemFiles });
  const { code, body } = await new Promise<{ code: number; body: string }>((resolve, reject) => {
    const url = `${scheduler}/explain/${pod.split("/").map(encodeURIComponent).join("/")}`;
    const sent = request(url, { ca, cert: clientCertificate, key: clientKey, timeout: timeoutMs }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      response.on("end", () => resolve({ code: response.statusCode ?? 500, body: text }));
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    sent.on("error", (error) => reject(new Error(`${cannot}: the scheduler at ${scheduler} does not answer`, { cause: error })));
    sent.end();
  });
  if (code === 404) throw new Error(`${cannot}: the scheduler has not looked at such a pod since it was started`);
  if (code !== 200) throw new Error(`${cannot}: the scheduler answered ${code}: ${body.trim()}`);
  return JSON.parse(body) as Explanation;
}

function text(explanation: Explanation): string {
  const { pod, profile, attempts, at, node, message, nodeCount, nodes } = explanation;
  const when = `attempt ${attempts} by ${profile} at ${new Date(at).toISOString()}`;
  const width = Math.max(0, ...nodes.map((one) => one.node.length));
  return [
    `${pod}: ${node === undefined ? (message ?? "not scheduled") : `goes to ${node}`} (${when})`,
    `${nodes.length} of ${nodeCount} nodes were looked at`,
    ...nodes.map((one) => `  ${one.node.padEnd(width)}  ${one.node === node ? "* " : "  "}${verdict(one)}`),
  ].join("\n");
}

function verdict({ reasons, refusedBy, scores, total }: NodeExplanation): string {
  if (refusedBy !== undefined) return `refused by ${refusedBy}: ${reasons.join(", ")}`;
  const parts = Object.entries(scores).map(([plugin, { score, weight }]) => `${plugin} ${score} x ${weight}`);
  return parts.length === 0 ? "fits; no scores were needed" : `${total} = ${parts.join(" + ")}`;
}
