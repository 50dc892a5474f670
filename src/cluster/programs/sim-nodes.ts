// `tiphys sim-nodes`: simulated nodes over HTTPS, for an API server elsewhere.
import { defineOptions } from "#base";
import { runSimNodes } from "../control-plane.ts";
import { assemble } from "../parts.ts";
import { clientsFromKubeconfig, defineProgram } from "./program.ts";

export const simNodesProgram = defineProgram({
  name: "sim-nodes",
  summary: "Run simulated nodes in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server, as a user who may impersonate nodes", placeholder: "FILE" },
    count: { kind: "integer", default: 3, help: "How many nodes" },
    namePrefix: { kind: "string", default: "sim-", help: "Nodes are called PREFIX0, PREFIX1, ..." },
  }),
  start: async (options, deps) => {
    return assemble(deps, async (started) => {
      const clients = started.add("clients", await clientsFromKubeconfig(options.kubeconfig, deps, { impersonate: true }));
      started.add(
        "nodes",
        await runSimNodes({ count: options.count, namePrefix: options.namePrefix }, { ...deps, clientFor: clients.clientFor }),
      );
    });
  },
});
