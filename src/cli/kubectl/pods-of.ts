// The pod that "POD", "TYPE/NAME" means to `logs` and `exec`, and which of its containers.
import { labelSelector, type Pod, type ResourceType, selectorText } from "#api";
import { resourceNamed } from "./discovery.ts";
import { Failure } from "./failure.ts";
import { listObjects } from "./requests.ts";
import type { AnyObject, Session } from "./session.ts";

export const podsType = async (session: Session): Promise<ResourceType> => resourceNamed(await session.resources(), "pods");

/** A pod by name, or one of the pods of a workload; `says` on stderr which, when there are several. */
export async function podOf(session: Session, word: string, says: boolean): Promise<Pod> {
  const resources = await session.resources();
  const namespace = await session.namespace();
  const [kind = "", name = ""] = word.includes("/") ? word.split("/") : ["pods", word];
  const type = resourceNamed(resources, kind);
  const client = await session.client();
  const object = (await client.get(type, { namespace, name })) as AnyObject;
  if (type.group === "" && type.plural === "pods") return object as unknown as Pod;
  const selector = selectorOf(object);
  if (selector === undefined) throw new Failure(`error: cannot find the pods of ${type.plural}/${name}: it selects none`);
  const found = (await Array.fromAsync(
    listObjects(client, await podsType(session), { namespace, labelSelector: selector }),
  )) as unknown as Pod[];
  const [first] = [...found].sort(bestFirst);
  if (first === undefined) throw new Failure(`error: no pods found for ${type.plural}/${name}`);
  if (says && found.length > 1) session.terminal.error(`Found ${found.length} pods, using pod/${first.metadata.name}\n`);
  return first;
}

const phases = ["Running", "Unknown", "Pending"];

/** kubectl's choice among the pods of a workload: on a node, running, Ready for longest, restarted most often, oldest. */
export function bestFirst(a: Pod, b: Pod): number {
  const [one, other] = [standing(a), standing(b)];
  for (const [index, value] of one.entries()) {
    const difference = value - (other[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function standing({ metadata, spec, status }: Pod): readonly number[] {
  const ready = status?.conditions?.find(({ type, status: value }) => type === "Ready" && value === "True");
  const phase = phases.indexOf(status?.phase ?? "");
  return [
    (spec.nodeName ?? "") === "" ? 1 : 0,
    phase < 0 ? phases.length : phase,
    ready === undefined ? 1 : 0,
    timeOf(ready?.lastTransitionTime),
    -Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount)),
    timeOf(metadata.creationTimestamp),
  ];
}

/** What has no time comes last. */
const timeOf = (text: string | null | undefined): number =>
  text === undefined || text === null ? Number.MAX_SAFE_INTEGER : Date.parse(text);

function selectorOf(object: AnyObject): string | undefined {
  const { selector } = (object["spec"] ?? {}) as { selector?: Readonly<Record<string, unknown>> };
  if (selector === undefined) return undefined;
  if ("matchLabels" in selector || "matchExpressions" in selector) return selectorText(labelSelector(selector as never));
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(",");
}

export const containerNames = (pod: Pod): string[] =>
  [...pod.spec.containers, ...(pod.spec.initContainers ?? []), ...(pod.spec.ephemeralContainers ?? [])].map(({ name }) => name);

/** The one that was asked for, the pod's default, or the first; says on stderr which, when there was a choice. */
export function containerOf(session: Session, pod: Pod, asked: string | undefined): string {
  const names = containerNames(pod);
  if (asked !== undefined && !names.includes(asked))
    throw new Failure(`error: container ${asked} is not valid for pod ${pod.metadata.name}`);
  if (asked !== undefined) return asked;
  const preferred = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  if (preferred !== undefined && names.includes(preferred)) return preferred;
  const [first = ""] = names;
  const shown = [
    ...pod.spec.containers.map(({ name }) => name),
    ...(pod.spec.initContainers ?? []).map(({ name }) => `${name} (init)`),
    ...(pod.spec.ephemeralContainers ?? []).map(({ name }) => `${name} (ephem)`),
  ];
  if (names.length > 1) session.terminal.error(`Defaulted container "${first}" out of: ${shown.join(", ")}\n`);
  return first;
}
