// `tiphys kube-scheduler`: the scheduler over HTTPS, one active copy at a time.
import { defineOptions } from "#base";
import { runScheduler } from "../control-plane.ts";
import { scheduler } from "../identities.ts";
import { Parts } from "../parts.ts";
import { leading } from "./leading.ts";
import { clientsFromKubeconfig, defineProgram } from "./program.ts";

export const schedulerProgram = defineProgram({
  name: "kube-scheduler",
  summary: "Run the scheduler in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server", placeholder: "FILE" },
    leaderElect: { kind: "boolean", default: true, help: "Work only while holding the lease kube-scheduler" },
  }),
  start: async (options, deps) => {
    const started = new Parts(deps);
    const clients = started.add("clients", await clientsFromKubeconfig(options.kubeconfig, deps, { impersonate: false }));
    const run = () => runScheduler({}, { ...deps, clientFor: clients.clientFor });
    started.add(
      "work",
      options.leaderElect ? leading("kube-scheduler", clients.clientFor(scheduler, "leader-election"), deps, run) : await run(),
    );
    return started;
  },
});
