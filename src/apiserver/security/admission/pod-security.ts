// PodSecurity: namespaces' labels say which Pod Security Standard their pods must meet, and which one only warns.
import {
  type FieldError,
  invalid,
  invalidValue,
  type Namespace,
  namespaces,
  type ObjectMeta,
  type Pod,
  type PodSpec,
  pods,
  type Stored,
} from "#api";
import type { AdmissionContext, AdmissionPlugin } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { latestVersion, type Violation, violationsOf } from "./pod-security-checks.ts";
import { isResource, isSubresource, refuse } from "./support.ts";

const prefix = "pod-security.kubernetes.io/";
const levels = ["privileged", "baseline", "restricted"] as const;

interface Policy {
  readonly level: (typeof levels)[number];
  /** Minor version. */
  readonly version: number;
  /** "restricted:latest" */
  readonly text: string;
}

type Mode = "enforce" | "audit" | "warn";
type Labels = Readonly<Record<string, string>> | undefined;

function policyOf(labels: Labels, mode: Mode): Policy {
  const given = labels?.[prefix + mode];
  // A label that nobody should have been able to write is read as the strictest.
  const level =
    given === undefined
      ? "privileged"
      : (levels.find((each) => each === given) ?? (mode === "enforce" ? "restricted" : "privileged"));
  const text = labels?.[`${prefix}${mode}-version`] ?? "latest";
  const version = versionOf(text) ?? latestVersion;
  return { level, version, text: `${level}:${versionOf(text) === undefined ? "latest" : text}` };
}

/** "v1.24" as 24; undefined for "latest" and for what is no version. */
const versionOf = (text: string): number | undefined => {
  const match = /^v1\.(0|[1-9]\d*)$/.exec(text);
  return match === null ? undefined : Number(match[1]);
};

const evaluate = (spec: PodSpec, { level, version }: Policy): readonly Violation[] =>
  level === "privileged" ? [] : violationsOf(spec, level, version);
const describe = (violations: readonly Violation[]): string =>
  violations.map(({ reason, detail }) => `${reason} (${detail})`).join(", ");

export function podSecurity({ reader }: AdmissionDeps): AdmissionPlugin {
  const labelsOf = (context: AdmissionContext): Labels => {
    const labels = reader.get<Namespace>(namespaces, { name: context.namespace })?.metadata.labels;
    return labels !== undefined && Object.keys(labels).some((key) => key.startsWith(prefix)) ? labels : undefined;
  };
  const warnOf = (spec: PodSpec, labels: Labels, context: AdmissionContext): void => {
    const policy = policyOf(labels, "warn");
    const violations = evaluate(spec, policy);
    if (violations.length > 0) context.warn(`would violate PodSecurity ${JSON.stringify(policy.text)}: ${describe(violations)}`);
  };
  const checkPod = (pod: Pod, context: AdmissionContext): void => {
    const labels = labelsOf(context);
    if (labels === undefined || pod.spec === undefined) return;
    if (context.operation === "UPDATE" && !isSignificant(pod, context.old as Stored<Pod> | undefined)) return; // pods only
    const policy = policyOf(labels, "enforce");
    const violations = evaluate(pod.spec, policy);
    if (violations.length > 0)
      throw refuse(context, pod, `violates PodSecurity ${JSON.stringify(policy.text)}: ${describe(violations)}`);
    warnOf(pod.spec, labels, context);
  };
  const checkNamespace = (namespace: Namespace, context: AdmissionContext): void => {
    const errors = labelErrors(namespace.metadata.labels);
    const before = (context.old as Stored<Namespace> | undefined)?.metadata.labels; // namespaces only
    if (errors.length > 0 && labelErrors(before).length === 0)
      throw invalid({ group: "", kind: "Namespace" }, context.name, errors);
    if (context.operation !== "UPDATE" || errors.length > 0) return;
    const [now, then] = [policyOf(namespace.metadata.labels, "enforce"), policyOf(before, "enforce")];
    const isStricter =
      now.level !== "privileged" && (now.version !== then.version || levels.indexOf(now.level) > levels.indexOf(then.level));
    if (isStricter && now.text !== then.text) warnOfExisting(reader.list<Pod>(pods, context.name), now, context);
  };
  return {
    name: "PodSecurity",
    validate: (object, context) => {
      if (object === undefined || (context.operation !== "CREATE" && context.operation !== "UPDATE")) return;
      if (isResource(context, namespaces)) return checkNamespace(object as Namespace, context); // the resource's objects
      if (isResource(context, pods) || isSubresource(context, pods, "ephemeralcontainers"))
        return checkPod(object as Pod, context); // likewise
      if (context.subresource !== "") return;
      const template = templateOf(object, context);
      const labels = template === undefined ? undefined : labelsOf(context);
      if (template !== undefined && labels !== undefined) warnOf(template, labels, context);
    },
  };
}

function labelErrors(labels: Labels): readonly FieldError[] {
  return (["enforce", "audit", "warn"] as const).flatMap((mode) => {
    const [level, version] = [labels?.[prefix + mode], labels?.[`${prefix}${mode}-version`]];
    return [
      ...(level === undefined || levels.some((each) => each === level)
        ? []
        : [invalidValue(`metadata.labels[${prefix}${mode}]`, level, `must be one of ${levels.join(", ")}`)]),
      ...(version === undefined || version === "latest" || versionOf(version) !== undefined
        ? []
        : [invalidValue(`metadata.labels[${prefix}${mode}-version]`, version, 'must be "latest" or "v1.x"')]),
    ];
  });
}

/** Pods that run already stay: their owner is told, pods that break the same rules in one line. */
function warnOfExisting(existing: readonly Stored<Pod>[], policy: Policy, context: AdmissionContext): void {
  const byReasons = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const pod of existing) {
    if (pod.spec === undefined) continue;
    // Replicas of one controller say nothing new.
    const owner = (pod.metadata as ObjectMeta).ownerReferences?.find((each) => each.controller === true)?.uid;
    if (owner !== undefined && seen.has(owner)) continue;
    if (owner !== undefined) seen.add(owner);
    const reasons = evaluate(pod.spec, policy)
      .map(({ reason }) => reason)
      .join(", ");
    if (reasons !== "") byReasons.set(reasons, [...(byReasons.get(reasons) ?? []), pod.metadata.name]);
  }
  if (byReasons.size === 0) return;
  context.warn(
    `existing pods in namespace ${JSON.stringify(context.name)} violate the new PodSecurity enforce level ${JSON.stringify(policy.text)}`,
  );
  const lines = [...byReasons].map(([reasons, names]) => {
    const [first, ...others] = names.sort();
    const more = others.length === 0 ? "" : ` (and ${others.length} other ${others.length === 1 ? "pod" : "pods"})`;
    return `${first}${more}: ${reasons}`;
  });
  for (const line of lines.sort()) context.warn(line);
}

/** Updates that cannot make a pod worse are not judged: pods from before the label keep working. */
function isSignificant(pod: Pod, old: Stored<Pod> | undefined): boolean {
  const images = (spec: PodSpec | undefined): string =>
    JSON.stringify([
      (spec?.containers ?? []).map(({ image }) => image),
      (spec?.initContainers ?? []).map(({ image }) => image),
      (spec?.ephemeralContainers ?? []).map(({ name, image }) => [name, image]),
    ]);
  return images(pod.spec) !== images(old?.spec);
}

interface HasTemplate {
  readonly template?: { readonly spec?: PodSpec };
  readonly spec?: {
    readonly template?: { readonly spec?: PodSpec };
    readonly jobTemplate?: { readonly spec?: { readonly template?: { readonly spec?: PodSpec } } };
  };
}

function templateOf(object: object, { type }: AdmissionContext): PodSpec | undefined {
  const holder = object as HasTemplate; // by resource, below
  switch (`${type.group}/${type.plural}`) {
    case "/podtemplates":
      return holder.template?.spec;
    case "/replicationcontrollers":
    case "apps/replicasets":
    case "apps/deployments":
    case "apps/statefulsets":
    case "apps/daemonsets":
    case "batch/jobs":
      return holder.spec?.template?.spec;
    case "batch/cronjobs":
      return holder.spec?.jobTemplate?.spec?.template?.spec;
    default:
      return undefined;
  }
}
