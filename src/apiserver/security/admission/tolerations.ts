// DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or cannot be reached. TaintNodesByCondition: new nodes begin tainted.
import { derived, type Node, nodes, type Pod, type PodSpec, pods, type Toleration } from "#api";
import type { AdmissionPlugin } from "../../contract.ts";
import { isResource } from "./support.ts";

const notReady = "node.kubernetes.io/not-ready";
const unreachable = "node.kubernetes.io/unreachable";
const defaultSeconds = 300;

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  mutate: (object, context) => {
    if (!isResource(context, pods) || (context.operation !== "CREATE" && context.operation !== "UPDATE")) return object;
    const pod = object as Pod; // the resource's objects
    if (pod.spec === undefined) return object;
    const spec = derived(pod.spec, withTolerations);
    return spec === pod.spec ? object : { ...pod, spec };
  },
};

function withTolerations(spec: PodSpec): PodSpec {
  const own = spec.tolerations ?? [];
  const missing = [notReady, unreachable].filter((key) => !own.some((toleration) => tolerates(toleration, key)));
  if (missing.length === 0) return spec;
  const added = missing.map(
    (key): Toleration => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: defaultSeconds }),
  );
  return { ...spec, tolerations: [...own, ...added] };
}

const tolerates = ({ key = "", effect = "" }: Toleration, taint: string): boolean =>
  (key === "" || key === taint) && (effect === "" || effect === "NoExecute");

export const taintNodesByCondition: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  mutate: (object, context) => {
    if (context.operation !== "CREATE" || !isResource(context, nodes)) return object;
    const node = object as Node; // the resource's objects
    const taints = node.spec?.taints ?? [];
    // The node controller takes it away once the node says that it is ready: nothing lands on a node that has not said anything yet.
    if (taints.some((taint) => taint.key === notReady && taint.effect === "NoSchedule")) return object;
    return { ...node, spec: { ...node.spec, taints: [...taints, { key: notReady, effect: "NoSchedule" }] } };
  },
};
