// From the text of a manifest to static pods: named, defaulted and given a uid of their content.
import { createHash } from "node:crypto";
import { type Container, decodeJsonOrYaml, type Pod } from "#api";
import { rfc3339 } from "#client";

/** Where a manifest comes from: a file's path or a URL. */
export interface Origin {
  readonly source: "file" | "http";
  readonly place: string;
  readonly nodeName: string;
  readonly now: number;
}

/** The one pod of a manifest. Throws when it is none. */
export const staticPod = (text: string, origin: Origin): Pod => podOf(decode(text), origin);

/** A manifest may also be a list of pods. Throws when it is neither. */
export function staticPods(text: string, origin: Origin): readonly Pod[] {
  const given = decode(text) as { kind?: string; items?: readonly Pod[] } | undefined;
  // the items of a PodList do not say what they are
  if (given?.kind === "PodList") return (given.items ?? []).map((item) => podOf({ ...item, kind: "Pod" }, origin));
  if (given?.kind === "List") return (given.items ?? []).map((item) => podOf(item, origin));
  return [podOf(given, origin)];
}

const decode = (text: string): unknown => decodeJsonOrYaml(Buffer.from(text)).value;

function podOf(decoded: unknown, { source, place, nodeName, now }: Origin): Pod {
  const given = decoded as Pod | undefined;
  if (given?.kind !== "Pod" || given.spec?.containers === undefined) throw new Error(`"${place}" does not hold a Pod`);
  const uid = createHash("md5").update(JSON.stringify(given)).update(nodeName).update(place).digest("hex");
  const name = given.metadata?.name;
  if (name === undefined || name === "") throw new Error(`the pod in "${place}" has no name`);
  return {
    ...given,
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...given.metadata,
      name: `${name}-${nodeName}`,
      namespace: given.metadata.namespace ?? "default",
      uid,
      annotations: {
        ...given.metadata.annotations,
        "kubernetes.io/config.hash": uid,
        "kubernetes.io/config.seen": rfc3339(now),
        "kubernetes.io/config.source": source,
      },
    },
    spec: {
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      dnsPolicy: "ClusterFirst",
      enableServiceLinks: true,
      securityContext: {},
      schedulerName: "default-scheduler",
      ...given.spec,
      containers: given.spec.containers.map(withDefaults),
      ...(given.spec.initContainers === undefined ? {} : { initContainers: given.spec.initContainers.map(withDefaults) }),
      nodeName,
      tolerations: [...(given.spec.tolerations ?? []), { effect: "NoExecute", operator: "Exists" }],
    },
    status: {},
  };
}

const withDefaults = (container: Container): Container => ({
  imagePullPolicy: /:latest$|^[^:]*$/.test(container.image?.slice(container.image.lastIndexOf("/") + 1) ?? "")
    ? "Always"
    : "IfNotPresent",
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
  ...container,
});
