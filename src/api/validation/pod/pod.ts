// Pods: preparation, create checks, warnings.
import { type FieldError, forbiddenField, invalidValue } from "../../errors.ts";
import { milliValue } from "../../quantity.ts";
import type { AnyObject } from "../../rules.ts";
import { derived, known } from "../../shared.ts";
import { mapList, withField, without } from "../helpers.ts";
import { subdomainName, validateObjectMeta } from "../meta.ts";
import { validateTolerations } from "./scheduling.ts";
import { validatePodSpec } from "./spec.ts";

const qosResources = ["cpu", "memory"];

/** "Guaranteed", "Burstable" or "BestEffort" (KEP-753 counts init containers as well; pod-level resources win, KEP-2837). */
export function podQosClass(pod: AnyObject): "Guaranteed" | "Burstable" | "BestEffort" {
  const { spec } = pod;
  const podLevel = spec.resources?.requests !== undefined || spec.resources?.limits !== undefined;
  const all: readonly AnyObject[] = podLevel ? [spec] : [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  let any = false;
  let guaranteed = true;
  const requests: Record<string, number> = {};
  const limits: Record<string, number> = {};
  for (const container of all) {
    for (const name of qosResources) {
      const request = milliValue(container.resources?.requests?.[name]);
      const limit = milliValue(container.resources?.limits?.[name]);
      if (request > 0 || limit > 0) any = true;
      requests[name] = (requests[name] ?? 0) + request;
      limits[name] = (limits[name] ?? 0) + limit;
      if (limit <= 0) guaranteed = false;
    }
  }
  if (!any) return "BestEffort";
  return guaranteed && qosResources.every((name) => requests[name] === limits[name]) ? "Guaranteed" : "Burstable";
}

const qosOfSpec = (spec: AnyObject): string => podQosClass({ spec });

export function preparePodForCreate(pod: AnyObject): AnyObject {
  let { spec } = pod;
  if (spec.terminationGracePeriodSeconds < 0) spec = withField(spec, "terminationGracePeriodSeconds", 1);
  const status: Record<string, unknown> = { phase: "Pending", qosClass: pod.status?.qosClass ?? known(spec, qosOfSpec) };
  if ((spec.schedulingGates?.length ?? 0) > 0)
    status.conditions = [
      {
        type: "PodScheduled",
        status: "False",
        lastProbeTime: null,
        lastTransitionTime: null,
        reason: "SchedulingGated",
        message: "Scheduling is blocked due to non-empty scheduling gates",
      },
    ];
  return { ...pod, spec: withAppArmorFields(derived(spec, dropGated), pod.metadata?.annotations ?? {}), status };
}

/** Fields behind gates that are off are dropped without a word (ContainerStopSignals). */
function dropGated(spec: AnyObject): AnyObject {
  const drop = (container: AnyObject): AnyObject => {
    if (container.lifecycle?.stopSignal === undefined) return container;
    const lifecycle = without(container.lifecycle, "stopSignal");
    return Object.keys(lifecycle).length === 0 ? without(container, "lifecycle") : { ...container, lifecycle };
  };
  return mapList(mapList(spec, "containers", drop), "initContainers", drop);
}

/** The annotation that named a container's AppArmor profile before 1.30 sets the field, where that is empty. */
function withAppArmorFields(spec: AnyObject, annotations: Readonly<Record<string, string>>): AnyObject {
  const fill = (container: AnyObject): AnyObject => {
    const profile = appArmorOf(annotations[`${appArmorPrefix}${container.name}`]);
    if (
      profile === undefined ||
      container.securityContext?.appArmorProfile !== undefined ||
      spec.securityContext?.appArmorProfile !== undefined
    )
      return container;
    return { ...container, securityContext: { ...container.securityContext, appArmorProfile: profile } };
  };
  return mapList(mapList(spec, "containers", fill), "initContainers", fill);
}

/** What the annotation's value is as a field; undefined for none, and for a wrong one. */
export function appArmorOf(value: string | undefined): object | undefined {
  if (value === "runtime/default") return { type: "RuntimeDefault" };
  if (value === "unconfined") return { type: "Unconfined" };
  return value?.startsWith("localhost/") === true ? { type: "Localhost", localhostProfile: value.slice(10) } : undefined;
}

export const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

const seccompPod = "seccomp.security.alpha.kubernetes.io/pod";
const seccompContainer = "container.seccomp.security.alpha.kubernetes.io/";
const isSeccompProfile = (value: string): boolean =>
  ["runtime/default", "docker/default", "unconfined"].includes(value) || /^localhost\/(?!\/)(?!.*(^|\/)\.\.(\/|$)).+/.test(value);

/** Annotations that pods give a meaning to. */
export function validatePodAnnotations(
  annotations: Readonly<Record<string, string>>,
  spec: AnyObject,
  path = "metadata.annotations",
): FieldError[] {
  const errors: FieldError[] = [];
  if ("kubernetes.io/config.mirror" in annotations && !spec.nodeName)
    errors.push(
      invalidValue(
        `${path}[kubernetes.io/config.mirror]`,
        annotations["kubernetes.io/config.mirror"],
        "must set spec.nodeName if mirror pod annotation is set",
      ),
    );
  const tolerations = annotations["scheduler.alpha.kubernetes.io/tolerations"];
  if (tolerations) {
    try {
      errors.push(
        ...validateTolerations(JSON.parse(tolerations) as AnyObject[], `${path}.scheduler.alpha.kubernetes.io/tolerations`),
      );
    } catch {
      errors.push(
        invalidValue(
          path,
          "scheduler.alpha.kubernetes.io/tolerations",
          `invalid character '${tolerations[0]}' looking for beginning of value`,
        ),
      );
    }
  }
  const names = new Set<string>(
    [...(spec.containers ?? []), ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])].map(
      (container: AnyObject) => container.name,
    ),
  );
  for (const key of Object.keys(annotations).sort())
    if ((key === seccompPod || key.startsWith(seccompContainer)) && !isSeccompProfile(annotations[key] ?? ""))
      errors.push(invalidValue(`${path}.${key}`, annotations[key], "must be a valid seccomp profile"));
  for (const key of Object.keys(annotations).sort()) {
    if (!key.startsWith(appArmorPrefix)) continue;
    const name = key.slice(appArmorPrefix.length);
    const value = annotations[key] ?? "";
    if (!names.has(name)) errors.push(invalidValue(`${path}[${key}]`, name, "container not found"));
    if (value !== "" && value !== "runtime/default" && value !== "unconfined" && !value.startsWith("localhost/"))
      errors.push(invalidValue(`${path}[${key}]`, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
  }
  const cost = annotations["controller.kubernetes.io/pod-deletion-cost"];
  if (cost !== undefined && (!/^(0|-[0-9]+|[1-9][0-9]*)$/.test(cost) || Number(cost) < -(2 ** 31) || Number(cost) >= 2 ** 31))
    errors.push(invalidValue(`${path}[controller.kubernetes.io/pod-deletion-cost]`, cost, "must be a 32bit integer"));
  return errors;
}

const errorsOfSpec = (spec: AnyObject): readonly FieldError[] => validatePodSpec(spec, "spec");

/** Metadata and spec: of new pods, and again of updated ones. */
export function validatePodObject(pod: AnyObject): FieldError[] {
  const errors = validateObjectMeta(pod.metadata, true, subdomainName);
  errors.push(...validatePodAnnotations(pod.metadata?.annotations ?? {}, pod.spec));
  errors.push(...known(pod.spec, errorsOfSpec));
  if (!pod.spec.serviceAccountName)
    for (const [v, volume] of (pod.spec.volumes ?? []).entries())
      for (const [s, source] of (volume.projected?.sources ?? []).entries())
        if (source.serviceAccountToken)
          errors.push(
            forbiddenField(
              `spec.volumes[${v}].projected.sources[${s}].serviceAccountToken`,
              "must not be specified when serviceAccountName is not set",
            ),
          );
  for (const list of ["containers", "initContainers", "ephemeralContainers"])
    for (const [i, container] of (pod.spec[list] ?? []).entries())
      if (container.image !== undefined && container.image !== container.image.trim())
        errors.push(invalidValue(`spec.${list}[${i}].image`, container.image, "must not have leading or trailing whitespace"));
  return errors;
}

export function validatePod(pod: AnyObject): FieldError[] {
  const errors = validatePodObject(pod);
  if ((pod.spec.ephemeralContainers?.length ?? 0) > 0)
    errors.push(forbiddenField("spec.ephemeralContainers", "cannot be set on create"));
  if (pod.spec.nodeName && (pod.spec.schedulingGates?.length ?? 0) > 0)
    errors.push(forbiddenField("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  return errors;
}
