// A scheduler on a fake API with a virtual clock: what the room's tests run against.
import { type Node, nodes, type Pod, pods, type Stored } from "#api";
import { seededRandom, silentLog, VirtualClock } from "#base";
import {
  type ApiReply,
  type ApiRequest,
  createClient,
  createEvents,
  createFakeApi,
  createInformerFactory,
  type FakeApi,
} from "#client";
import { type RunningScheduler, type SchedulerOptions, startScheduler } from "../scheduler.ts";
import { aNode, aPod, type NodeOptions, type PodOptions } from "./objects.ts";

export interface Harness extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly api: FakeApi;
  readonly scheduler: RunningScheduler;
  /** Bindings in order: "default/p -> n1". */
  readonly bound: string[];
  /** Events in order: "Warning FailedScheduling 0/1 nodes ...". */
  readonly events: string[];
  /** Called before a binding: throw to refuse it. */
  beforeBinding: (request: ApiRequest) => void;
  node(name: string, options?: NodeOptions): Stored<Node>;
  pod(options?: PodOptions): Stored<Pod>;
  /** The pod as the API has it. */
  get(name: string): Stored<Pod> | undefined;
  /** Lets everything that needs no time happen. */
  settle(): Promise<void>;
}

export async function startHarness(
  options: SchedulerOptions & { readonly seed?: number; readonly gracefulPods?: boolean } = {},
): Promise<Harness> {
  const clock = new VirtualClock();
  const random = seededRandom(options.seed ?? 1);
  const api = createFakeApi({ clock, gracefulPods: options.gracefulPods });
  const bound: string[] = [];
  const seen: string[] = [];
  const transport = {
    ...api,
    send: async (request: ApiRequest): Promise<ApiReply> => {
      if (!request.path.endsWith("/binding")) return api.send(request);
      harness.beforeBinding(request);
      const { metadata, target } = request.body as { metadata: { namespace: string; name: string }; target: { name: string } };
      const pod = api.peek(pods, metadata);
      if (pod !== undefined) {
        const conditions = [
          ...(pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled"),
          { type: "PodScheduled", status: "True" },
        ];
        api.put(pods, {
          ...pod,
          spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: target.name },
          status: { ...pod.status, conditions },
        });
      }
      bound.push(`${metadata.namespace}/${metadata.name} -> ${target.name}`);
      return { code: 201, object: { kind: "Status", status: "Success" } };
    },
  };
  const client = createClient(transport);
  const informers = createInformerFactory({ client, clock, random, log: silentLog });
  const events = createEvents({ client, clock, log: silentLog });
  const recording = {
    recorder: (source: { readonly component: string }) => {
      const recorder = events.recorder(source);
      return {
        event: (...args: Parameters<typeof recorder.event>) => {
          seen.push(`${args[1].type} ${args[1].reason} ${args[1].message}`);
          recorder.event(...args);
        },
      };
    },
  };
  const scheduler = await startScheduler(options, { client, informers, events: recording, clock, random, log: silentLog });
  informers.start();
  const harness: Harness = {
    clock,
    api,
    scheduler,
    bound,
    events: seen,
    beforeBinding: () => {},
    node: (name, nodeOptions) => api.put(nodes, aNode(name, nodeOptions)),
    pod: (podOptions) => api.put(pods, aPod(podOptions)),
    get: (name) => api.peek(pods, { namespace: "default", name }),
    settle: async () => {
      for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    [Symbol.asyncDispose]: async () => {
      await scheduler[Symbol.asyncDispose]();
      await events[Symbol.asyncDispose]();
      await informers[Symbol.asyncDispose]();
    },
  };
  await harness.settle();
  return harness;
}
