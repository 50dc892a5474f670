// What an update of a pod, or of its status, may change.
import { deepEqual, semanticEqual } from "../../deep-equal.ts";
import { type FieldError, forbiddenField, invalidValue, required } from "../../errors.ts";
import { inclusiveRangeError, isDns1123Subdomain, isLabelKey } from "../../names.ts";
import type { AnyObject } from "../../rules.ts";
import { ipFamily, maxInt32, validateIP } from "../basics.ts";
import { podSpecAsGo } from "../go-shapes.ts";
import { withField, without } from "../helpers.ts";
import { immutableText, invalids, validateObjectMetaUpdate } from "../meta.ts";
import { jsonDiff } from "../spec-diff.ts";
import { validatePodObject } from "./pod.ts";
import { validateTolerations } from "./scheduling.ts";

const updatable = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

export function validatePodUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = [
    ...validateObjectMetaUpdate(next.metadata, old.metadata),
    ...validatePodObject(next),
    ...mirrorAnnotation(next, old),
  ];
  for (const list of ["containers", "initContainers"]) {
    const { errors: found, stop } = containerUpdates(next.spec[list] ?? [], old.spec[list] ?? [], `spec.${list}`);
    errors.push(...found);
    if (stop) return errors;
  }
  const deadline = next.spec.activeDeadlineSeconds;
  const before = old.spec.activeDeadlineSeconds;
  const at = "spec.activeDeadlineSeconds";
  if (deadline !== undefined) {
    if (deadline < 0 || deadline > maxInt32) return [...errors, invalidValue(at, deadline, inclusiveRangeError(0, maxInt32))];
    if (before !== undefined && before < deadline)
      return [...errors, invalidValue(at, deadline, "must be less than or equal to previous value")];
  } else if (before !== undefined) errors.push(invalidValue(at, null, "must not update from a positive integer to nil value"));
  errors.push(...onlyAddedTolerations(next.spec.tolerations ?? [], old.spec.tolerations ?? []));
  errors.push(...onlyRemovedGates(next.spec.schedulingGates ?? [], old.spec.schedulingGates ?? []));
  if (semanticEqual(next.spec, old.spec)) return errors;
  let munged = mungeSpec(next.spec, old.spec);
  if ((old.spec.schedulingGates?.length ?? 0) > 0) {
    // A gated pod's placement may still be narrowed (KEP-3838).
    errors.push(
      ...narrowedSelector(next.spec.nodeSelector ?? {}, old.spec.nodeSelector ?? {}),
      ...narrowedAffinity(next.spec.affinity?.nodeAffinity, old.spec.affinity?.nodeAffinity),
    );
    munged = withField(munged, "nodeSelector", old.spec.nodeSelector);
    const affinity = without(munged.affinity ?? {}, "nodeAffinity");
    const restored =
      old.spec.affinity?.nodeAffinity === undefined ? affinity : { ...affinity, nodeAffinity: old.spec.affinity.nodeAffinity };
    munged = withField(munged, "affinity", Object.keys(restored).length === 0 ? old.spec.affinity : restored);
  }
  if (!semanticEqual(munged, old.spec))
    errors.push(
      forbiddenField(
        "spec",
        `pod updates may not change fields other than ${updatable}\n${jsonDiff(podSpecAsGo(old.spec), podSpecAsGo(munged))}`,
      ),
    );
  return errors;
}

function mungeSpec(next: AnyObject, old: AnyObject): AnyObject {
  const images = (list: string): AnyObject =>
    next[list]?.map((container: AnyObject, i: number) => withField(container, "image", old[list]?.[i]?.image));
  let munged = {
    ...next,
    containers: images("containers"),
    initContainers: images("initContainers"),
    tolerations: old.tolerations,
    schedulingGates: old.schedulingGates,
  };
  munged = withField(munged, "activeDeadlineSeconds", old.activeDeadlineSeconds);
  if (old.terminationGracePeriodSeconds < 0 && next.terminationGracePeriodSeconds === 1)
    munged = withField(munged, "terminationGracePeriodSeconds", old.terminationGracePeriodSeconds);
  return munged;
}

const mirror = "kubernetes.io/config.mirror";
const mirrorAnnotation = (next: AnyObject, old: AnyObject): FieldError[] => {
  const after = next.metadata.annotations?.[mirror];
  return after === old.metadata.annotations?.[mirror]
    ? []
    : [forbiddenField(`metadata.annotations[${mirror}]`, "may not add, remove or change mirror pod annotation")];
};

function containerUpdates(
  next: readonly AnyObject[],
  old: readonly AnyObject[],
  path: string,
): { errors: FieldError[]; stop: boolean } {
  if (next.length !== old.length)
    return { errors: [forbiddenField(path, "pod updates may not add or remove containers")], stop: true };
  const errors: FieldError[] = [];
  for (const [i, container] of next.entries()) {
    const image: string = container.image ?? "";
    if (image === "") errors.push(required(`${path}[${i}].image`));
    if (image !== image.trim())
      errors.push(invalidValue(`${path}[${i}].image`, image, "must not have leading or trailing whitespace"));
  }
  return { errors, stop: false };
}

function onlyAddedTolerations(next: readonly AnyObject[], old: readonly AnyObject[]): FieldError[] {
  const path = "spec.tolerations";
  const bare = (toleration: AnyObject): AnyObject => without(toleration, "tolerationSeconds");
  for (const toleration of old)
    if (!next.some((candidate) => deepEqual(bare(candidate), bare(toleration))))
      return [forbiddenField(path, "existing toleration can not be modified except its tolerationSeconds")];
  return validateTolerations(next, path);
}

function onlyRemovedGates(next: readonly AnyObject[], old: readonly AnyObject[]): FieldError[] {
  const known = new Set(old.map((gate) => gate.name));
  return next
    .filter((gate) => !known.has(gate.name))
    .map((gate) =>
      forbiddenField("spec.schedulingGates", `only deletion is allowed, but found new scheduling gate '${gate.name}'`),
    );
}

function narrowedSelector(next: Readonly<Record<string, string>>, old: Readonly<Record<string, string>>): FieldError[] {
  return Object.keys(old)
    .filter((key) => next[key] !== old[key])
    .map((key) =>
      invalidValue(
        "spec.nodeSelector",
        next[key] ?? "",
        "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
      ),
    );
}

function narrowedAffinity(next: AnyObject, old: AnyObject): FieldError[] {
  const path = "spec.affinity.nodeAffinity";
  const requiredField = "requiredDuringSchedulingIgnoredDuringExecution";
  if (old === undefined || old[requiredField] === undefined) return [];
  const at = `${path}.${requiredField}`;
  if (next?.[requiredField] === undefined) return [invalidValue(at, next?.[requiredField] ?? null, "cannot be cleared once set")];
  const before = old[requiredField].nodeSelectorTerms ?? [];
  const after = next[requiredField].nodeSelectorTerms ?? [];
  if (before.length > 0 && after.length !== before.length)
    return [
      invalidValue(`${at}.nodeSelectorTerms`, after, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"),
    ];
  const errors: FieldError[] = [];
  for (const [i, term] of before.entries())
    for (const list of ["matchExpressions", "matchFields"])
      if ((term[list] ?? []).some((requirement: AnyObject, r: number) => !deepEqual(requirement, after[i]?.[list]?.[r])))
        errors.push(
          invalidValue(`${at}.nodeSelectorTerms[${i}]`, after[i], "only additions are allowed (no mutations or deletions)"),
        );
  return errors;
}

// /status

/** The spec, owners and deletion stay as stored; a QoS class that is left out stays too. */
export function preparePodStatusUpdate(next: AnyObject, old: AnyObject): AnyObject {
  let status = next.status;
  // What a status once said of these it says for good.
  for (const field of ["qosClass", "observedGeneration"])
    if (status?.[field] === undefined && old.status?.[field] !== undefined) status = { ...status, [field]: old.status[field] };
  return { ...next, spec: old.spec, metadata: withField(next.metadata, "ownerReferences", old.metadata.ownerReferences), status };
}

export function validatePodStatusUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const { status = {}, spec } = next;
  const before = old.status ?? {};
  const errors = [...validateObjectMetaUpdate(next.metadata, old.metadata), ...mirrorAnnotation(next, old)];
  for (const [i, condition] of (status.conditions ?? []).entries())
    if (!systemConditions.has(condition.type))
      errors.push(...invalids(`status.conditions[${i}].Type`, condition.type ?? "", isLabelKey(condition.type ?? "")));
  if (status.nominatedNodeName)
    errors.push(...invalids("status.nominatedNodeName", status.nominatedNodeName, isDns1123Subdomain(status.nominatedNodeName)));
  if (status.observedGeneration < 0)
    errors.push(invalidValue("status.observedGeneration", status.observedGeneration, "must be a non-negative integer"));
  if ((status.qosClass ?? "") !== (before.qosClass ?? ""))
    errors.push(invalidValue("status.qosClass", status.qosClass ?? "", immutableText));
  errors.push(
    ...stateTransitions(
      status.containerStatuses ?? [],
      before.containerStatuses ?? [],
      "status.containerStatuses",
      spec.containers ?? [],
      spec.restartPolicy,
    ),
  );
  errors.push(
    ...stateTransitions(
      status.initContainerStatuses ?? [],
      before.initContainerStatuses ?? [],
      "status.initContainerStatuses",
      spec.initContainers ?? [],
      spec.restartPolicy === "Never" ? "Never" : "OnFailure",
    ),
  );
  errors.push(
    ...stateTransitions(
      status.ephemeralContainerStatuses ?? [],
      before.ephemeralContainerStatuses ?? [],
      "status.ephemeralContainerStatuses",
      [],
      "Never",
    ),
  );
  errors.push(...claimStatuses(status, spec));
  errors.push(...addresses(status.podIPs ?? [], "status.podIPs"), ...addresses(status.hostIPs ?? [], "status.hostIPs"));
  return [...errors, ...resourceStatuses(status, spec)];
}

const systemConditions = new Set([
  "PodScheduled",
  "Ready",
  "Initialized",
  "ContainersReady",
  "DisruptionTarget",
  "PodReadyToStartContainers",
]);

/** A container that will not be restarted stays terminated. */
function stateTransitions(
  next: readonly AnyObject[],
  old: readonly AnyObject[],
  path: string,
  containers: readonly AnyObject[],
  podPolicy: string,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, before] of old.entries()) {
    const terminated = before.state?.terminated;
    if (!terminated) continue;
    const container = containers.find((candidate) => candidate.name === before.name);
    const policy = container?.restartPolicy ?? podPolicy;
    if (policy === "Always" || (policy === "OnFailure" && terminated.exitCode !== 0)) continue;
    if (restartRule(container, terminated.exitCode)) continue;
    const after = next.find((candidate) => candidate.name === before.name);
    if (after !== undefined && !after.state?.terminated)
      errors.push(forbiddenField(`${path}[${i}].state`, "may not be transitioned to non-terminated state"));
  }
  return errors;
}

const restartRule = (container: AnyObject, exitCode: number): boolean =>
  (container?.restartPolicyRules ?? []).some(
    (rule: AnyObject) =>
      rule.exitCodes !== undefined && (rule.exitCodes.values ?? []).includes(exitCode) === (rule.exitCodes.operator === "In"),
  );

function claimStatuses(status: AnyObject, spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const known = new Set((spec.resourceClaims ?? []).map((claim: AnyObject) => claim.name));
  for (const [i, claim] of (status.resourceClaimStatuses ?? []).entries()) {
    const at = `status.resourceClaimStatuses[${i}]`;
    if (!known.has(claim.name))
      errors.push(invalidValue(`${at}.name`, claim.name ?? "", "must match the name of an entry in `spec.resourceClaims`"));
    if (claim.resourceClaimName !== undefined)
      errors.push(...invalids(`${at}.resourceClaimName`, claim.resourceClaimName, isDns1123Subdomain(claim.resourceClaimName)));
  }
  const extended = status.extendedResourceClaimStatus;
  if (extended !== undefined && extended !== null && (extended.requestMappings?.length ?? 0) === 0)
    errors.push(required("status.extendedResourceClaimStatus.requestMappings", "at least one request mapping is required"));
  return errors;
}

function addresses(list: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = list.flatMap((entry, i) => validateIP(entry.ip ?? "", `${path}[${i}]`));
  if (list.length <= 1 || errors.length > 0) return errors;
  const shown = list.map((entry) => ({ IP: entry.ip }));
  const families = new Set(list.map((entry) => ipFamily(entry.ip)));
  if (list.length > 2) errors.push(invalidValue(path, shown, "may specify no more than one IP for each IP family"));
  else if (families.size !== list.length)
    errors.push(invalidValue(path, shown, "may specify no more than one IP for each IP family"));
  return errors;
}

function resourceStatuses(status: AnyObject, spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const [list, containers] of [
    ["containerStatuses", "containers"],
    ["initContainerStatuses", "initContainers"],
  ] as const)
    for (const [i, entry] of (status[list] ?? []).entries())
      for (const [r, resource] of (entry.allocatedResourcesStatus ?? []).entries()) {
        const at = `status.${list}[${i}].allocatedResourcesStatus[${r}].name`;
        const container = (spec[containers] ?? []).find((candidate: AnyObject) => candidate.name === entry.name);
        const name: string = resource.name ?? "";
        const claim =
          name.startsWith("claim:") &&
          (container?.resources?.claims ?? []).some(
            (candidate: AnyObject) =>
              name === `claim:${candidate.name}` || name === `claim:${candidate.name}/${candidate.request}`,
          );
        if (!claim && container?.resources?.requests?.[name] === undefined)
          errors.push(invalidValue(at, name, "must match one of the container's resource requests"));
      }
  return errors;
}
