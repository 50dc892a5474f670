// `tiphys kube-scheduler`: the scheduler over HTTPS, one active copy at a time.
import { load } from "js-yaml";
import { Registry } from "prom-client";
import { defineOptions } from "#base";
import { parseConfiguration } from "#scheduler";
import { serveScheduler } from "../component-ports.ts";
import { runScheduler } from "../control-plane.ts";
import { scheduler } from "../identities.ts";
import { assemble } from "../parts.ts";
import { leading } from "./leading.ts";
import { clientsFromKubeconfig, defineProgram, type ProgramDeps } from "./program.ts";
import { securePort, securePortOptions } from "./secure-port.ts";
import { workOf } from "./work.ts";

export const schedulerProgram = defineProgram({
  name: "kube-scheduler",
  summary: "Run the scheduler in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server", placeholder: "FILE" },
    config: { kind: "string", help: "A KubeSchedulerConfiguration: profiles, plugins and their arguments", placeholder: "FILE" },
    leaderElect: { kind: "boolean", default: true, help: "Work only while holding the lease kube-scheduler" },
    ...securePortOptions(10259),
  }),
  start: async (options, deps) => {
    const configuration = options.config === undefined ? undefined : await readConfiguration(options.config, deps);
    return assemble(deps, async (started) => {
      const clients = started.add("clients", await clientsFromKubeconfig(options.kubeconfig, deps, { impersonate: false }));
      const client = clients.clientFor(scheduler, "kube-scheduler");
      const work = workOf(() => runScheduler({ configuration }, { ...deps, clientFor: clients.clientFor }));
      const port = await securePort(options, deps);
      if (port !== undefined) {
        const components = { running: work.running, registry: new Registry() };
        started.add("secure port", await serveScheduler(port, components, { client, log: deps.log }));
      }
      started.add(
        "work",
        options.leaderElect
          ? leading("kube-scheduler", clients.clientFor(scheduler, "leader-election"), deps, work.start)
          : await work.start(),
      );
    });
  },
});

async function readConfiguration(path: string, { files }: ProgramDeps): Promise<ReturnType<typeof parseConfiguration>> {
  try {
    return parseConfiguration(load((await files.read(path)).toString()));
  } catch (cause) {
    throw new Error(`Cannot read the scheduler's configuration "${path}": ${(cause as Error).message}`, { cause });
  }
}
