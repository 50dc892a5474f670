// Holds the pods of a node to the network policies of the cluster. While there is no policy it follows nothing else, and the kernel has no rule.
import { type NetworkPolicy, networkPolicies, objectKey, type Pod } from "#api";
import { type Clock, type Contribution, commandIn, type Log, type Processes, type Running, TableSynchronizer } from "#base";
import type { InformerFactory } from "#client";
import { ClusterView } from "./cluster-view.ts";
import { policyTable } from "./frame.ts";

export interface NetworkPolicyOptions {
  readonly nodeName: string;
  /** Rules go to this network namespace (of `ip netns`). */
  readonly networkNamespace?: string;
  /** Leave the table when disposed: pods that go on running are held as last known. Otherwise nothing of ours stays. */
  readonly keepRules?: boolean;
  /** How often to see that nobody has removed the table: 30 s unless told. */
  readonly checkPeriodMs?: number;
}

export interface NetworkPolicyDeps {
  /** Makes informers, which end with the agent. The user must be allowed to list and watch policies, pods and namespaces. */
  informers(): InformerFactory;
  readonly clock: Clock;
  readonly processes: Processes;
  readonly log: Log;
}

export interface RunningNetworkPolicy extends Running {
  /** Resolves when everything that is known of the cluster is in the kernel. */
  synced(): Promise<void>;
  /** A policy that is known selects this pod: it is to be isolated before its containers start. */
  isolates(pod: Pod): boolean;
  /**
   * A pod of this node has this address, which its status does not say yet: resolves when it is isolated.
   * Throws when the kernel does not take the rules in time: the pod had better not start.
   */
  podStarts(pod: Pod, address: string): Promise<void>;
}

const isolationTimeoutMs = 10_000;

/** The rules follow once the cluster's objects have been listed: see `ready()`. */
export function startNetworkPolicy(options: NetworkPolicyOptions, deps: NetworkPolicyDeps): RunningNetworkPolicy {
  const informers = deps.informers();
  const policies = informers.informer(networkPolicies);
  let view: ClusterView | undefined;
  const ended: Promise<void>[] = [];
  const synchronizer = new TableSynchronizer<Contribution>(
    {
      table: policyTable,
      networkNamespace: options.networkNamespace,
      minSyncPeriodMs: 0,
      checkPeriodMs: options.checkPeriodMs ?? 30_000,
      absentWhenEmpty: true,
      plan: (pod) => view?.plan(pod),
    },
    deps,
  );
  const begin = (): void => {
    void warnOfBridge(options, deps);
    const begun = new ClusterView({
      nodeName: options.nodeName,
      informers: deps.informers(),
      policies,
      onChange: (pod) => synchronizer.markDirty(pod),
    });
    view = begun;
    begun.synced.then(
      () => {
        if (view !== begun) return;
        begun.follow();
        synchronizer.open();
      },
      () => {}, // stopped before
    );
  };
  const end = (last: ClusterView): void => {
    view = undefined;
    for (const pod of last.keys()) synchronizer.markDirty(pod);
    ended.push(last[Symbol.asyncDispose]());
    synchronizer.open();
  };
  const changed = (policy: NetworkPolicy): void => {
    const wanted = policies.list().length > 0;
    if (wanted && view === undefined) begin();
    else if (!wanted && view !== undefined) end(view);
    else view?.policyChanged(policy);
  };
  const handlers: Disposable[] = [];
  const listed = policies.synced.then(() => {
    handlers.push(policies.addHandler({ added: changed, updated: changed, deleted: changed }));
    if (view === undefined) synchronizer.open();
  });
  listed.catch(() => {}); // informers that are stopped before they have listed
  informers.start();
  return {
    ready: () => {
      if (!policies.hasSynced) return "network policies are not listed yet";
      if (view?.hasSynced === false) return "pods and namespaces are not listed yet";
      return synchronizer.trouble;
    },
    synced: async () => {
      await listed;
      await view?.synced;
      await synchronizer.settled();
    },
    isolates: (pod) => view?.hasSynced === true && view.isolates(pod),
    podStarts: async (pod, address) => {
      if (view?.hasSynced !== true) return;
      view.podStarts(pod, address);
      const late = Promise.withResolvers<never>();
      const timer = deps.clock.after(isolationTimeoutMs, () =>
        late.reject(new Error(`Cannot isolate pod "${objectKey(pod)}": ${synchronizer.trouble ?? "the kernel is slow"}`)),
      );
      await Promise.race([synchronizer.settled(), late.promise]).finally(() => timer.cancel());
    },
    [Symbol.asyncDispose]: async () => {
      for (const handler of handlers) handler[Symbol.dispose]();
      await synchronizer.stop(options.keepRules !== true);
      await Promise.all([informers[Symbol.asyncDispose](), view?.[Symbol.asyncDispose](), ...ended]);
    },
  };
}

/** What a bridge carries from one of its pods to another meets our rules only if the kernel is told so (as Kubernetes asks of every node). */
async function warnOfBridge({ networkNamespace }: NetworkPolicyOptions, { processes, log }: NetworkPolicyDeps): Promise<void> {
  const setting = "net.bridge.bridge-nf-call-iptables";
  const asking = commandIn(networkNamespace, processes)("sysctl", ["-n", setting]);
  const { stdout } = await asking.catch(() => ({ stdout: "" }));
  if (stdout.trim() !== "1") log.warn("network policies do not hold between pods of one bridge", { [setting]: stdout.trim() });
}
