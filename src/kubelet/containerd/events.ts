// Container events of containerd 1.6, which has no CRI event stream: its own event service, on the same socket.
import { type Clock, defineMessages, openGrpcChannel, parseFieldTable, sleep } from "#base";
import { containerdEventsTable } from "../cri/gen/messages.ts";
import { runtimeLabels } from "../pod/names.ts";
import type { Runtime, RuntimeEvent } from "../runtime.ts";

const topics: Readonly<Record<string, { message: string; kind: RuntimeEvent["kind"] }>> = {
  "/tasks/start": { message: "containerd.events.TaskStart", kind: "started" },
  "/tasks/exit": { message: "containerd.events.TaskExit", kind: "stopped" },
};

export interface ContainerdEventsOptions {
  readonly address: string;
  readonly clock: Clock;
}

/** For `openCriRuntime({ events })`. Ends when the connection is lost: the kubelet lists again and asks anew. */
export const containerdEvents = (options: ContainerdEventsOptions) =>
  async function* (runtime: Runtime, signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const messages = defineMessages(parseFieldTable(containerdEventsTable), { camelCase: true });
    const channel = await openGrpcChannel({ address: options.address, messages });
    const podUids = new Map<string, string>();
    try {
      const method = {
        path: "/containerd.services.events.v1.Events/Subscribe",
        request: "containerd.services.events.v1.SubscribeRequest",
        response: "containerd.types.Envelope",
      };
      const stream = channel.serverStream(
        method,
        { filters: ['namespace==k8s.io,topic~="^/tasks/(start|exit)$"'] },
        { signal, metadata: { "containerd-namespace": "k8s.io" } },
      );
      for await (const envelope of stream) {
        const topic = topics[String(envelope.topic)];
        const value = (envelope.event as { value?: Uint8Array } | undefined)?.value;
        if (topic === undefined || value === undefined) continue;
        const event = messages.decode(topic.message, value);
        const containerId = String(event.containerId);
        // the exit of a command that exec started carries the container's id too, but another id of its own
        if (topic.kind === "stopped" && event.id !== containerId) continue;
        if (topic.kind === "stopped") await settled(runtime, containerId, options.clock, signal);
        const podUid = podUids.get(containerId) ?? (await podUidOf(runtime, containerId));
        if (podUid === undefined) continue;
        podUids.set(containerId, podUid);
        if (topic.kind === "stopped") podUids.delete(containerId);
        yield { podUid, containerId, kind: topic.kind };
      }
    } finally {
      channel.close();
    }
  };

/**
 * containerd publishes the exit before its CRI plugin has noted it: whoever asked at once would still see the container running. Waits, for two
 * seconds at most, until the plugin says so.
 */
async function settled(runtime: Runtime, containerId: string, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let waitMs = 1; waitMs < 1000 && !signal.aborted; waitMs *= 2) {
    const container = await runtime.containerStatus(containerId, { signal });
    if (container !== undefined) {
      if (container.state !== "running") return;
    } else {
      const sandbox = await runtime.sandboxStatus(containerId, { signal });
      if (sandbox === undefined || !sandbox.ready) return;
    }
    await sleep(clock, waitMs, signal);
  }
}

async function podUidOf(runtime: Runtime, id: string): Promise<string | undefined> {
  const container = await runtime.containerStatus(id);
  if (container !== undefined) return container.labels[runtimeLabels.podUid];
  return (await runtime.sandboxStatus(id))?.podUid;
}
