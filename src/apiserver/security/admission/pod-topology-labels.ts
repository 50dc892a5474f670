// PodTopologyLabels: a binding carries the node's zone and region to the pod (KEP-4742).
import { type ApiObject, type Binding, type Node, nodes, type Pod, pods } from "#api";
import type { AdmissionPlugin } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isResource, isSubresource } from "./support.ts";

const copied = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

export function podTopologyLabels({ reader }: AdmissionDeps): AdmissionPlugin {
  const withLabels = <T extends ApiObject>(object: T, nodeName: string): T => {
    const labels = reader.get<Node>(nodes, { name: nodeName })?.metadata.labels ?? {};
    const found = copied.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]] as const]));
    return found.length === 0
      ? object
      : { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...Object.fromEntries(found) } } };
  };
  return {
    name: "PodTopologyLabels",
    mutate: (object, context) => {
      if (context.operation !== "CREATE") return object;
      if (isSubresource(context, pods, "binding") || context.type.plural === "bindings") {
        const target = (object as Binding).target; // the subresource's objects
        return target?.kind === "Node" && (target.name ?? "") !== "" ? withLabels(object, target.name ?? "") : object;
      }
      if (!isResource(context, pods)) return object;
      const nodeName = (object as Pod).spec?.nodeName ?? ""; // the resource's objects
      return nodeName === "" ? object : withLabels(object, nodeName);
    },
  };
}
