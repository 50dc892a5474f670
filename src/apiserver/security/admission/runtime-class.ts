// RuntimeClass: a pod takes overhead, node selector and tolerations from its runtime class.
import { type Pod, pods, type RuntimeClass, runtimeClasses, type Stored, semanticEqual, type Toleration } from "#api";
import type { AdmissionContext, AdmissionPlugin } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isResource, refuse } from "./support.ts";

export function runtimeClass({ reader }: AdmissionDeps): AdmissionPlugin {
  const classOf = (pod: Pod, context: AdmissionContext): Stored<RuntimeClass> | undefined => {
    const name = pod.spec?.runtimeClassName;
    if (name === undefined || name === null) return undefined;
    const found = reader.get<RuntimeClass>(runtimeClasses, { name });
    if (found === undefined) throw refuse(context, pod, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return found;
  };
  return {
    name: "RuntimeClass",
    mutate: (object, context) => {
      if (context.operation !== "CREATE" || !isResource(context, pods)) return object;
      const pod = object as Pod; // the resource's objects
      const found = classOf(pod, context);
      return found === undefined ? object : withClass(pod, found, context);
    },
    validate: (object, context) => {
      if (context.operation !== "CREATE" || !isResource(context, pods)) return;
      const pod = object as Pod; // the resource's objects
      const overhead = pod.spec?.overhead;
      const ofClass = classOf(pod, context)?.overhead?.podFixed;
      if (overhead === undefined || Object.keys(overhead).length === 0 || ofClass !== undefined) return;
      throw refuse(context, pod, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    },
  };
}

function withClass(pod: Pod, found: Stored<RuntimeClass>, context: AdmissionContext): Pod {
  let spec = pod.spec as NonNullable<Pod["spec"]>; // it names the class
  const podFixed = found.overhead?.podFixed;
  if (podFixed !== undefined) {
    const own = spec.overhead;
    if (own !== undefined && Object.keys(own).length > 0 && !semanticEqual(own, podFixed)) {
      throw refuse(context, pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    }
    spec = { ...spec, overhead: podFixed };
  }
  const scheduling = found.scheduling;
  if (scheduling === undefined) return { ...pod, spec };
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[key];
    if (own !== undefined && own !== value) {
      throw refuse(
        context,
        pod,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
      );
    }
  }
  const nodeSelector = { ...spec.nodeSelector, ...scheduling.nodeSelector };
  const tolerations = merged(spec.tolerations ?? [], scheduling.tolerations ?? []);
  return {
    ...pod,
    spec: {
      ...spec,
      ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
      ...(tolerations.length === 0 ? {} : { tolerations }),
    },
  };
}

/** Both lists without what another toleration of theirs covers; of equal ones the first stays. */
function merged(own: readonly Toleration[], more: readonly Toleration[]): readonly Toleration[] {
  const all = [...own, ...more];
  const kept: Toleration[] = [];
  for (const [index, each] of all.entries()) {
    const isCovered =
      kept.some((other) => covers(other, each)) ||
      all.slice(index + 1).some((other) => !semanticEqual(each, other) && covers(other, each));
    if (!isCovered) kept.push(each);
  }
  return kept;
}

/** Whether every taint that `less` tolerates is tolerated, at least as long, by `more`. */
function covers(more: Toleration, less: Toleration): boolean {
  if (semanticEqual(more, less)) return true;
  const operator = more.operator ?? "Equal";
  const everyKey = (more.key ?? "") === "" && operator === "Exists";
  if ((more.key ?? "") !== (less.key ?? "") && !everyKey) return false;
  if ((more.effect ?? "") !== "" && more.effect !== less.effect) return false;
  if (more.effect === "NoExecute" && typeof more.tolerationSeconds === "number") {
    if (typeof less.tolerationSeconds !== "number" || less.tolerationSeconds > more.tolerationSeconds) return false;
  }
  if (operator === "Exists") return true;
  return operator === "Equal" && (less.operator ?? "Equal") === "Equal" && (more.value ?? "") === (less.value ?? "");
}
