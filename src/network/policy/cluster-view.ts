// What policies make of the pods and namespaces of the cluster, for one node: which pods a change concerns, and what each of them needs.
import { type Namespace, type NetworkPolicy, namespaces, objectKey, type Pod, pods, type Stored, selectorMatches } from "#api";
import type { Contribution } from "#base";
import type { Informer, InformerFactory } from "#client";
import { type CompiledPolicy, compilePolicy } from "./compile.ts";
import { type Member, memberOf } from "./member.ts";
import { type Groups, groupsFor, planPod } from "./plan.ts";

export interface ClusterViewOptions {
  readonly nodeName: string;
  /** Of this view alone: stopped with it. */
  readonly informers: InformerFactory;
  readonly policies: Informer<NetworkPolicy>;
  /** The plan of this pod may be another. */
  onChange(pod: string): void;
}

const byNode = "policy-node";

export class ClusterView implements AsyncDisposable {
  readonly #options: ClusterViewOptions;
  readonly #pods: Informer<Pod>;
  readonly #namespaces: Informer<Namespace>;
  readonly #handlers: Disposable[] = [];
  readonly #compiled = new WeakMap<Stored<NetworkPolicy>, CompiledPolicy>();
  /** Pods of this node that have an address before the API server knows. */
  readonly #starting = new Map<string, { readonly pod: Pod; readonly address: string }>();
  #groups: Groups = new Map();
  #groupsAreOld = true;

  constructor(options: ClusterViewOptions) {
    this.#options = options;
    this.#pods = options.informers.informer(pods);
    this.#namespaces = options.informers.informer(namespaces);
    this.#pods.addIndex(byNode, ({ spec }) => [spec.nodeName ?? ""]);
    options.informers.start();
  }

  get hasSynced(): boolean {
    return this.#pods.hasSynced && this.#namespaces.hasSynced;
  }

  /** Resolves when pods and namespaces are listed; rejects, or waits for ever, when it is disposed of before. */
  get synced(): Promise<unknown> {
    return Promise.all([this.#pods.synced, this.#namespaces.synced]);
  }

  /** From now on changes are told; all pods that there are at once. */
  follow(): void {
    const isLocal = ({ spec }: Pod): boolean => spec.nodeName === this.#options.nodeName;
    const podChanged = (pod: Stored<Pod>, before = pod): void => {
      this.#forgetStarted(pod);
      if (isLocal(pod) || isLocal(before)) this.#groupsAreOld = true;
      this.#options.onChange(objectKey(pod));
    };
    const namespaceChanged = ({ metadata }: Namespace): void => {
      for (const pod of this.#pods.list(metadata.name)) this.#options.onChange(objectKey(pod));
    };
    this.#handlers.push(
      this.#pods.addHandler({
        added: (pod) => podChanged(pod),
        updated: podChanged,
        deleted: (pod) => {
          if (this.#starting.get(objectKey(pod))?.pod.metadata.uid === pod.metadata.uid) this.#starting.delete(objectKey(pod));
          podChanged(pod);
        },
      }),
      this.#namespaces.addHandler({ added: namespaceChanged, updated: namespaceChanged }),
    );
  }

  /** A policy came, changed or went. */
  policyChanged({ metadata }: NetworkPolicy): void {
    if (this.#handlers.length === 0) return; // nothing is known yet
    this.#groupsAreOld = true;
    for (const key of this.#localKeys())
      if (this.#pod(key)?.metadata.namespace === metadata.namespace) this.#options.onChange(key);
  }

  isolates({ metadata: { namespace = "", labels } }: Pod): boolean {
    return this.#policiesOf(namespace).some(({ selector }) => selectorMatches(selector, labels));
  }

  /** A pod of this node has this address, though its status does not say so yet. */
  podStarts(pod: Pod, address: string): void {
    this.#starting.set(objectKey(pod), { pod, address });
    this.#groupsAreOld = true;
    this.#options.onChange(objectKey(pod));
  }

  plan(key: string): Contribution | undefined {
    this.#refreshGroups();
    const member = this.#member(key);
    if (member === undefined) return undefined;
    const { nodeName: name } = this.#options;
    const policies = member.nodeName === name ? this.#policiesOf(member.namespace) : [];
    return planPod(key, member, { name, policies, groups: this.#groups });
  }

  /** All pods that there are, for whoever forgets them. */
  keys(): readonly string[] {
    return [...this.#pods.list().map(objectKey), ...this.#starting.keys()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const handler of this.#handlers) handler[Symbol.dispose]();
    await this.#options.informers[Symbol.asyncDispose]();
  }

  /** Sets that came into use, or went, concern every pod of the cluster: rare, as they are those of the policies, not of the pods. */
  #refreshGroups(): void {
    if (!this.#groupsAreOld) return;
    this.#groupsAreOld = false;
    const local = this.#localKeys().flatMap((key) => this.#member(key) ?? []);
    const groups = groupsFor(local, (namespace) => this.#policiesOf(namespace));
    const same = groups.size === this.#groups.size && groups.keys().every((name) => this.#groups.has(name));
    this.#groups = groups;
    if (!same) for (const key of this.keys()) this.#options.onChange(key);
  }

  #localKeys(): readonly string[] {
    return [...new Set([...this.#pods.byIndex(byNode, this.#options.nodeName).map(objectKey), ...this.#starting.keys()])];
  }

  #pod(key: string): Pod | undefined {
    const starting = this.#starting.get(key);
    const known = this.#pods.get(key);
    return starting !== undefined && starting.pod.metadata.uid !== known?.metadata.uid ? starting.pod : known;
  }

  #member(key: string): Member | undefined {
    const pod = this.#pod(key);
    return (
      pod && memberOf(pod, this.#namespaces.get(pod.metadata.namespace ?? "")?.metadata.labels, this.#starting.get(key)?.address)
    );
  }

  /** Its own status says it by now, or it was replaced by a pod of the same name. */
  #forgetStarted(pod: Stored<Pod>): void {
    const starting = this.#starting.get(objectKey(pod));
    if (starting === undefined) return;
    const { uid, creationTimestamp = "" } = starting.pod.metadata;
    const isOver =
      uid === pod.metadata.uid ? pod.status?.podIP === starting.address : creationTimestamp < pod.metadata.creationTimestamp;
    if (isOver) this.#starting.delete(objectKey(pod));
  }

  #policiesOf(namespace: string): readonly CompiledPolicy[] {
    return this.#options.policies.list(namespace).map((policy) => {
      const known = this.#compiled.get(policy) ?? compilePolicy(policy);
      this.#compiled.set(policy, known);
      return known;
    });
  }
}
