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

const merged = (own: readonly Toleration[], more: readonly Toleration[]): readonly Toleration[] => [
  ...own,
  ...more.filter((each) => !own.some((had) => semanticEqual(had, each))),
];
