// Controllers and scheduler over any kind of client: the same for a library cluster, `tiphys up` and separate processes.
import type { Registry } from "prom-client";
import type { Clock, Log, Random, Running } from "#base";
import { type Client, createEvents, createInformerFactory, type UserInfo } from "#client";
import { type ControllerOptions, controllerMetrics, startControllers } from "#controllers";
import { type RunningScheduler, type SchedulerOptions, startScheduler } from "#scheduler";
import { type RunningSimNodes, type SimNodesOptions, startSimNodes } from "#sim";
import { administrator, controllerManager, node, scheduler, systemAccount } from "./identities.ts";

/** Gives a client that speaks as this user; `userAgent` is what audit logs and fault rules see. */
export type ClientFor = (user: UserInfo, userAgent: string) => Client;

export interface ComponentDeps {
  readonly clientFor: ClientFor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where the controllers count their work; absent: nowhere. */
  readonly registry?: Registry;
}

export function runControllers(options: Partial<ControllerOptions>, deps: ComponentDeps): Promise<Running> {
  const { clock, random, registry } = deps;
  const log = deps.log.child({ component: "controllers" });
  const client = deps.clientFor(controllerManager, "kube-controller-manager");
  const metrics = registry === undefined ? undefined : controllerMetrics(registry);
  return startControllers(
    { client, clientFor: (account) => deps.clientFor(systemAccount(account), account), clock, random, log, metrics },
    options,
  );
}

export async function runScheduler(options: SchedulerOptions, deps: ComponentDeps): Promise<RunningScheduler> {
  const { clock, random } = deps;
  const log = deps.log.child({ component: "scheduler" });
  const client = deps.clientFor(scheduler, "kube-scheduler");
  const informers = createInformerFactory({ client, clock, random, log });
  const events = createEvents({ client, clock, log });
  const running = await startScheduler(options, { client, informers, events, clock, random, log });
  informers.start();
  return {
    ready: () => running.ready(),
    explain: (podKey) => running.explain(podKey),
    pending: () => running.pending(),
    get attempts() {
      return running.attempts;
    },
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]();
      await events[Symbol.asyncDispose]();
      await informers[Symbol.asyncDispose]();
    },
  };
}

/** One watch of all pods serves every simulated node; each writes as itself. */
export function runSimNodes(options: SimNodesOptions, deps: ComponentDeps): Promise<RunningSimNodes> {
  const { clock, random } = deps;
  const log = deps.log.child({ component: "sim-nodes" });
  const client = deps.clientFor(administrator, "sim-nodes");
  return startSimNodes(options, { client, clientFor: (name) => deps.clientFor(node(name), "kubelet"), clock, random, log });
}
