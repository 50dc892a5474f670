// `tiphys sim-nodes`: simulated nodes over HTTPS, for an API server elsewhere.
import { defineOptions } from "#base";
import { type ClientFor, runSimNodes } from "../control-plane.ts";
import { assemble, type Parts } from "../parts.ts";

import { nodeClients } from "./node-clients.ts";
import { clientsFromKubeconfig, defineProgram, type ProgramDeps } from "./program.ts";

export const simNodesProgram = defineProgram({
  name: "sim-nodes",
  summary: "Run simulated nodes in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server, as a user who may impersonate nodes", placeholder: "FILE" },
    count: { kind: "integer", default: 3, help: "How many nodes" },
    bootstrapKubeconfig: {
      kind: "string",
      help: "Let every node join with this bootstrap token, and be itself from then on, instead of impersonating nodes",
      placeholder: "FILE",
    },
    certDir: {
      kind: "string",
      default: "/var/lib/tiphys/sim-nodes",
      help: "Directory of joined nodes' credentials",
      placeholder: "DIR",
    },
    namePrefix: { kind: "string", default: "sim-", help: "Nodes are called PREFIX0, PREFIX1, ..." },
  }),
  start: async (options, deps) => {
    return assemble(deps, async (started) => {
      if (options.bootstrapKubeconfig !== undefined) return joinAll(options, deps, started);
      const clients = started.add("clients", await clientsFromKubeconfig(options.kubeconfig, deps, { impersonate: true }));
      started.add(
        "nodes",
        await runSimNodes({ count: options.count, namePrefix: options.namePrefix }, { ...deps, clientFor: clients.clientFor }),
      );
    });
  },
});

interface JoinOptions {
  readonly count: number;
  readonly namePrefix: string;
  readonly bootstrapKubeconfig: string | undefined;
  readonly certDir: string;
}

/** Each has its own certificate, connections and watches, as real nodes have. */
async function joinAll(options: JoinOptions, deps: ProgramDeps, started: Parts): Promise<void> {
  const { namePrefix, bootstrapKubeconfig, certDir } = options;
  const join = async (first: number): Promise<void> => {
    const nodeName = `${namePrefix}${first}`;
    const clients = await nodeClients(
      {
        nodeName,
        bootstrapKubeconfig,
        kubeconfig: `${certDir}/${nodeName}/kubelet.kubeconfig`,
        certificateDirectory: `${certDir}/${nodeName}/pki`,
        rotate: true,
      },
      deps,
    );
    started.add(`credentials of ${nodeName}`, clients);
    const clientFor: ClientFor = (_user, userAgent) => clients.clientFor(userAgent);
    started.add(nodeName, await runSimNodes({ count: 1, first, namePrefix, alone: true }, { ...deps, clientFor }));
  };
  // all of them, also when one fails: what is started is stopped in the end
  const joined = await Promise.allSettled(Array.from({ length: options.count }, (_, index) => join(index)));
  for (const result of joined) if (result.status === "rejected") throw result.reason;
}
