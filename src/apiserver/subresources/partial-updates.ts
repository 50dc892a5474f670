// Subresources that change one part of an object: namespaces/finalize, certificatesigningrequests/approval and /status, pods/ephemeralcontainers, pods/resize.
import {
  type ApiObject,
  deepEqual,
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  type KindRules,
  podQosClass,
  required,
  validateApproval,
  validateFinalizerName,
} from "#api";
import { rfc3339 } from "#client";
import type { SubresourceRules } from "../registry/request.ts";

type Loose = ApiObject & { readonly spec?: Record<string, unknown>; readonly status?: Record<string, unknown> };

export const finalizeRules: SubresourceRules = {
  prepare: (next, old) => ({ ...next, status: (old as Loose).status }) as ApiObject,
  validate: (next) =>
    (((next as Loose).spec?.["finalizers"] ?? []) as readonly string[]).flatMap((finalizer, index) =>
      validateFinalizerName(finalizer, `spec.finalizers[${index}]`),
    ),
};

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastUpdateTime?: string;
  readonly lastTransitionTime?: string;
}

const conditionsOf = (object: ApiObject): readonly Condition[] =>
  ((object as Loose).status?.["conditions"] ?? []) as readonly Condition[];

/** Conditions of a certificate request get the times that a client left out from the server. */
function withTimes(next: ApiObject, old: ApiObject, nowMs: number): readonly Condition[] {
  const time = rfc3339(nowMs);
  return conditionsOf(next).map((condition) => {
    const known = conditionsOf(old).find((other) => other.type === condition.type);
    const lastTransitionTime =
      condition.lastTransitionTime ??
      (known !== undefined && known.status === condition.status ? known.lastTransitionTime : time);
    return { ...condition, lastUpdateTime: condition.lastUpdateTime ?? known?.lastUpdateTime ?? time, lastTransitionTime };
  });
}

const withConditions = (status: object | undefined, conditions: readonly Condition[]): object => ({
  ...status,
  ...(conditions.length === 0 ? {} : { conditions }),
});

/** certificatesigningrequests/approval: the conditions change, and labels and annotations may with them. */
export const approvalRules = (nowMs: () => number): SubresourceRules => ({
  prepare: (next, old) => {
    const { conditions: _before, ...status } = (old as Loose).status ?? {};
    return { ...old, metadata: next.metadata, status: withConditions(status, withTimes(next, old, nowMs())) } as ApiObject;
  },
  validate: validateApproval,
});

/** certificatesigningrequests/status: what a signer writes. */
export const signingRules = (rules: KindRules, nowMs: () => number): SubresourceRules => ({
  prepare: (next, old) =>
    ({
      ...next,
      spec: (old as Loose).spec,
      status: withConditions((next as Loose).status, withTimes(next, old, nowMs())),
    }) as ApiObject,
  validate: (next, old) => rules.validateStatusUpdate?.(next, old) ?? [],
});

interface Container {
  readonly name: string;
}
const ephemeral = (object: ApiObject): readonly Container[] =>
  ((object as Loose).spec?.["ephemeralContainers"] ?? []) as readonly Container[];

export const ephemeralContainersRules: SubresourceRules = {
  prepare: (next, old) => {
    const containers = ephemeral(next);
    const { spec } = old as Loose;
    return {
      ...old,
      metadata: { ...old.metadata, managedFields: next.metadata.managedFields, resourceVersion: next.metadata.resourceVersion },
      spec: { ...spec, ...(containers.length === 0 ? {} : { ephemeralContainers: containers }) },
    } as ApiObject;
  },
  validate: (next, old) => {
    const now = ephemeral(next);
    const taken = new Set(
      ["containers", "initContainers"].flatMap((part) =>
        (((old as Loose).spec?.[part] ?? []) as readonly Container[]).map((container) => container.name),
      ),
    );
    const errors: FieldError[] = [];
    if (now.length > 0 && old.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined)
      errors.push(forbiddenField("[]", "static pods do not support ephemeral containers"));
    for (const [index, { name = "" }] of now.entries()) {
      const at = `spec.ephemeralContainers[${index}].name`;
      if (name === "") errors.push(required(at));
      else if (taken.has(name)) errors.push(duplicate(at, name));
      taken.add(name);
    }
    for (const container of ephemeral(old)) {
      const same = now.find((other) => other.name === container.name);
      if (same === undefined)
        errors.push(
          forbiddenField(
            "spec.ephemeralContainers",
            `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed\n`,
          ),
        );
      else if (!deepEqual(same, container))
        errors.push(
          forbiddenField(
            "spec.ephemeralContainers",
            `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed\n`,
          ),
        );
    }
    return errors;
  },
};

type Resources = Readonly<Record<"limits" | "requests", Readonly<Record<string, string>> | undefined>>;
const podResources = (object: ApiObject): Resources | undefined => (object as Loose).spec?.["resources"] as Resources | undefined;

/** A resize may change how much, not what kind of guarantee (KEP-1287, KEP-5419). */
function resizeErrors(next: ApiObject, old: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  const [now, before] = [podResources(next), podResources(old)];
  if (before !== undefined && now === undefined)
    return [forbiddenField("spec.resources", "pod-level resources cannot be removed")];
  for (const part of ["limits", "requests"] as const) {
    const names = new Set([...Object.keys(now?.[part] ?? {}), ...Object.keys(before?.[part] ?? {})]);
    for (const name of names) {
      if (now?.[part]?.[name] === undefined)
        return [forbiddenField(`spec.resources.${part}`, `pod-level resource ${part} cannot be removed`)];
      if (name !== "cpu" && name !== "memory" && now[part][name] !== before?.[part]?.[name])
        return [forbiddenField("spec", "only cpu and memory resources are mutable at pod-level")];
    }
  }
  const qosClass = podQosClass(old);
  if (podQosClass(next) !== qosClass)
    errors.push(invalidValue("spec", qosClass, "Pod QOS Class may not change as a result of resizing"));
  return errors;
}

/** Only resources and resize policies of containers, and resources of the pod as a whole, are taken. */
export const resizeRules = (rules: KindRules): SubresourceRules => ({
  prepare: (next, old) => {
    const wanted = (part: string): readonly Record<string, unknown>[] =>
      ((next as Loose).spec?.[part] ?? []) as readonly Record<string, unknown>[];
    const merged = (part: string): unknown =>
      (((old as Loose).spec?.[part] ?? []) as readonly Record<string, unknown>[]).map((container) => {
        const given = wanted(part).find((other) => other["name"] === container["name"]);
        return given === undefined
          ? container
          : {
              ...container,
              resources: given["resources"],
              ...(given["resizePolicy"] === undefined ? {} : { resizePolicy: given["resizePolicy"] }),
            };
      });
    const { resources: _resources, ...spec } = (old as Loose).spec ?? {};
    const resources = podResources(next);
    return {
      ...old,
      metadata: { ...old.metadata, managedFields: next.metadata.managedFields, resourceVersion: next.metadata.resourceVersion },
      spec: {
        ...spec,
        ...(resources === undefined ? {} : { resources }),
        containers: merged("containers"),
        ...(spec?.["initContainers"] === undefined ? {} : { initContainers: merged("initContainers") }),
      },
    } as ApiObject;
  },
  validate: (next, old) => {
    // debugging containers are as they were, and a new pod may have none
    const { ephemeralContainers: _, ...spec } = (next as Loose).spec ?? {};
    const errors = rules.validate?.({ ...next, spec } as ApiObject) ?? [];
    return errors.length > 0 ? errors : resizeErrors(next, old);
  },
});
