// Priority: turns a pod's priority class into its number and preemption policy; at most one class is the default.
import { derived, type Pod, type PodSpec, type PriorityClass, pods, priorityClasses, type Stored } from "#api";
import type { AdmissionContext, AdmissionPlugin } from "../../contract.ts";
import { systemPriorityClasses } from "../bootstrap/bootstrap.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isResource, refuse } from "./support.ts";

export function priority({ reader }: AdmissionDeps): AdmissionPlugin & Disposable {
  // Found again when a class changes: listing them for every pod would cost more than all the rest.
  let defaultClass: { readonly found: Stored<PriorityClass> | undefined } | undefined;
  const subscription = reader.onChange(priorityClasses, () => {
    defaultClass = undefined;
  });
  const findDefault = (): Stored<PriorityClass> | undefined => {
    defaultClass ??= { found: lowest(reader.list<PriorityClass>(priorityClasses).filter((each) => each.globalDefault === true)) };
    return defaultClass.found;
  };
  const forNewPod = (pod: Pod, context: AdmissionContext): Pod => {
    if (pod.spec === undefined) return pod;
    const given = pod.spec.priorityClassName ?? "";
    const found = given === "" ? findDefault() : reader.get<PriorityClass>(priorityClasses, { name: given });
    if (given !== "" && found === undefined) throw refuse(context, pod, `no PriorityClass with name ${given} was found`);
    const value = found?.value ?? 0;
    const policy = found?.preemptionPolicy ?? defaultPolicy;
    const { priority: ownValue, preemptionPolicy: ownPolicy } = pod.spec;
    if (ownValue !== undefined && ownValue !== null && ownValue !== value) {
      const why = `the integer value of priority (${ownValue}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
      throw refuse(context, pod, why);
    }
    if (ownPolicy !== undefined && ownPolicy !== null && ownPolicy !== policy) {
      const why = `the string value of PreemptionPolicy (${ownPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`;
      throw refuse(context, pod, why);
    }
    return { ...pod, spec: derived(pod.spec, inClass(found)) };
  };
  return {
    name: "Priority",
    mutate: (object, context) => {
      if (!isResource(context, pods)) return object;
      if (context.operation === "CREATE") return forNewPod(object as Pod, context); // the resource's objects
      return context.operation === "UPDATE" ? withOldPriority(object as Pod, context.old as Stored<Pod>) : object; // likewise
    },
    validate: (object, context) => {
      if (!isResource(context, priorityClasses)) return;
      if (context.operation === "DELETE") {
        if (systemPriorityClasses.some(([name]) => name === context.name)) {
          throw refuse(context, object, "this is a system priority class and cannot be deleted");
        }
        return;
      }
      const other = findDefault();
      const claims = (object as PriorityClass | undefined)?.globalDefault === true; // the resource's objects
      if (claims && other !== undefined && other.metadata.name !== object?.metadata.name) {
        throw refuse(
          context,
          object,
          `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
        );
      }
    },
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  };
}

/** Gives a spec what its class says. The same function for the same class, so that equal specs stay shared. */
function inClass(found: Stored<PriorityClass> | undefined): (spec: PodSpec) => PodSpec {
  if (found === undefined) return inNoClass;
  let give = givers.get(found);
  if (give === undefined) {
    const { value, preemptionPolicy, metadata } = found;
    give = (spec) => ({
      ...spec,
      priority: value ?? 0,
      preemptionPolicy: preemptionPolicy ?? defaultPolicy,
      priorityClassName: metadata.name,
    });
    givers.set(found, give);
  }
  return give;
}

const defaultPolicy = "PreemptLowerPriority";
const inNoClass = (spec: PodSpec): PodSpec => ({ ...spec, priority: 0, preemptionPolicy: defaultPolicy });
// a cache of what follows from immutable objects
const givers = new WeakMap<PriorityClass, (spec: PodSpec) => PodSpec>();

/** Several defaults can only come from races: the lowest value is the safest. */
const lowest = (classes: readonly Stored<PriorityClass>[]): Stored<PriorityClass> | undefined =>
  classes.reduce<Stored<PriorityClass> | undefined>(
    (best, each) => (best === undefined || (each.value ?? 0) < (best.value ?? 0) ? each : best),
    undefined,
  );

/** Clients that know nothing of these fields must not clear them. */
function withOldPriority(pod: Pod, old: Stored<Pod> | undefined): Pod {
  if (pod.spec === undefined || old?.spec === undefined) return pod;
  const missing = {
    ...(pod.spec.priority === undefined && old.spec.priority !== undefined ? { priority: old.spec.priority } : {}),
    ...(pod.spec.preemptionPolicy === undefined && old.spec.preemptionPolicy !== undefined
      ? { preemptionPolicy: old.spec.preemptionPolicy }
      : {}),
  };
  return Object.keys(missing).length === 0 ? pod : { ...pod, spec: { ...pod.spec, ...missing } };
}
