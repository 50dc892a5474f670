// A pod as the scheduler sees it: parsed once, then only read.
import {
  type LabelSelector,
  labelSelector,
  objectKey,
  type Pod,
  type PodAffinityTerm,
  type Selector,
  type Stored,
  selectorMatches,
} from "#api";
import { type PodResources, podResources } from "./resources.ts";

export interface HostPort {
  readonly protocol: string;
  readonly port: number;
  readonly hostIP: string;
}

/** A term of inter-pod affinity with its selectors parsed. */
export interface AffinityTerm {
  readonly selector: Selector;
  readonly topologyKey: string;
  readonly namespaces: ReadonlySet<string>;
  /** "nothing" when the term has no namespaceSelector. */
  readonly namespaceSelector: Selector;
  readonly weight: number;
}

export interface PodInfo extends PodResources {
  readonly pod: Stored<Pod>;
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly hostPorts: readonly HostPort[];
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
}

const noTerms: readonly AffinityTerm[] = [];
const noLabels: Readonly<Record<string, string>> = {};
const noPorts: readonly HostPort[] = [];

export function parsePod(pod: Stored<Pod>): PodInfo {
  const affinity = pod.spec?.affinity;
  const terms = (list: readonly PodAffinityTerm[] | undefined): readonly AffinityTerm[] =>
    list === undefined || list.length === 0 ? noTerms : list.map((term) => parseTerm(pod, term, 0));
  const weighted = (
    list: readonly { readonly weight: number; readonly podAffinityTerm: PodAffinityTerm }[] | undefined,
  ): readonly AffinityTerm[] =>
    list === undefined || list.length === 0 ? noTerms : list.map((entry) => parseTerm(pod, entry.podAffinityTerm, entry.weight));
  return {
    pod,
    key: objectKey(pod),
    uid: pod.metadata.uid,
    namespace: pod.metadata.namespace ?? "",
    labels: pod.metadata.labels ?? noLabels,
    priority: pod.spec?.priority ?? 0,
    ...podResources(pod),
    hostPorts: hostPortsOf(pod),
    requiredAffinity: terms(affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAntiAffinity: terms(affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: weighted(affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: weighted(affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

export const hasAffinity = (pod: PodInfo): boolean =>
  pod.requiredAffinity.length +
    pod.requiredAntiAffinity.length +
    pod.preferredAffinity.length +
    pod.preferredAntiAffinity.length >
  0;

/** Succeeded and Failed pods use nothing any more. */
export const isFinished = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

function hostPortsOf(pod: Pod): readonly HostPort[] {
  let found: HostPort[] | undefined;
  const sidecars = pod.spec?.initContainers?.filter((container) => container.restartPolicy === "Always") ?? [];
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const port of container.ports ?? []) {
      if (port.hostPort === undefined || port.hostPort <= 0) continue;
      found ??= [];
      found.push({
        protocol: port.protocol ?? "TCP",
        port: port.hostPort,
        hostIP: port.hostIP === undefined || port.hostIP === "" ? "0.0.0.0" : port.hostIP,
      });
    }
  }
  return found ?? noPorts;
}

function parseTerm(pod: Pod, term: PodAffinityTerm, weight: number): AffinityTerm {
  const named = term.namespaces ?? [];
  const own = named.length === 0 && term.namespaceSelector === undefined;
  return {
    selector: labelSelector(withLabelKeys(pod, term.labelSelector, term.matchLabelKeys, term.mismatchLabelKeys)),
    topologyKey: term.topologyKey,
    namespaces: new Set(own ? [pod.metadata.namespace ?? ""] : named),
    namespaceSelector: term.namespaceSelector === undefined ? "nothing" : labelSelector(term.namespaceSelector),
    weight,
  };
}

/** `matchLabelKeys` and `mismatchLabelKeys` are requirements on the values that this pod has (KEP-3633, KEP-3243). */
export function withLabelKeys(
  pod: Pod,
  selector: LabelSelector | undefined,
  match: readonly string[] | undefined,
  mismatch: readonly string[] | undefined = undefined,
): LabelSelector | undefined {
  if (selector === undefined || ((match?.length ?? 0) === 0 && (mismatch?.length ?? 0) === 0)) return selector;
  const expressions = [...(selector.matchExpressions ?? [])];
  for (const [keys, operator] of [
    [match, "In"],
    [mismatch, "NotIn"],
  ] as const) {
    for (const key of keys ?? []) {
      const value = pod.metadata.labels?.[key];
      if (value !== undefined) expressions.push({ key, operator, values: [value] });
    }
  }
  return { ...selector, matchExpressions: expressions };
}

/** Whether `pod` is one that the term speaks of. `namespaceLabels` answers for terms that select namespaces by label. */
export function termMatches(
  term: AffinityTerm,
  pod: PodInfo,
  namespaceLabels: (namespace: string) => Readonly<Record<string, string>> | undefined,
): boolean {
  if (!term.namespaces.has(pod.namespace)) {
    if (term.namespaceSelector === "nothing") return false;
    const labels = term.namespaceSelector.length === 0 ? {} : namespaceLabels(pod.namespace);
    if (labels === undefined || !selectorMatches(term.namespaceSelector, labels)) return false;
  }
  return selectorMatches(term.selector, pod.labels);
}
