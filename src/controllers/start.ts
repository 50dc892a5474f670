// Starts the controllers of one process over shared informers, each under its own identity.
import type { Clock, Log, Random, Running } from "#base";
import {
  type Client,
  type ControllerDeps,
  createEvents,
  createInformerFactory,
  type Events,
  type InformerFactory,
} from "#client";
import type { ControllerOptions } from "./context.ts";
import { defaultOptions } from "./options.ts";
import { assertKnown, controllers, isEnabled } from "./registry.ts";

export interface ControllersDeps {
  /** Lists and watches for all; upstream's system:kube-controller-manager. */
  readonly client: Client;
  /** A client that acts as system:serviceaccount:kube-system:<account>. Absent: all write as `client`. */
  readonly clientFor?: (account: string) => Client;
  /** Shared with other components of the process; absent: own informers, ended with the controllers. */
  readonly informers?: InformerFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: ControllerDeps["metrics"];
}

/** Resolves once every controller runs (it works as soon as its first lists are in; `ready()` tells). */
export async function startControllers(deps: ControllersDeps, options: Partial<ControllerOptions> = {}): Promise<Running> {
  const all: ControllerOptions = { ...defaultOptions, ...options };
  assertKnown(all.controllers, controllers);
  const informers = deps.informers ?? createInformerFactory(deps);
  const running: Running[] = [];
  const recorders: Events[] = [];
  for (const entry of controllers) {
    if (!isEnabled(entry, all.controllers)) continue;
    const client = deps.clientFor?.(entry.account) ?? deps.client;
    const log = deps.log.child({ component: entry.name });
    const events = createEvents({ client, clock: deps.clock, log });
    recorders.push(events);
    const { clock, random, metrics } = deps;
    const started = entry.start({
      client,
      informers,
      events: events.recorder({ component: entry.account }),
      clock,
      random,
      log,
      metrics,
      options: all,
    });
    if (started !== undefined) running.push(started);
  }
  informers.start();
  return {
    ready: () => running.map((controller) => controller.ready()).find((reason) => reason !== undefined),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(running.map((controller) => controller[Symbol.asyncDispose]()));
      await Promise.all(recorders.map((recorder) => recorder[Symbol.asyncDispose]()));
      if (deps.informers === undefined) await informers[Symbol.asyncDispose]();
    },
  };
}
