// pods/eviction: a deletion that respects the pod's disruption budget.
import {
  type ApiObject,
  apiError,
  badRequest,
  type DeleteOptions,
  forbidden,
  isConflict,
  labelSelector,
  notFound,
  objectSchema,
  podDisruptionBudgets,
  pods,
  type Stored,
  selectorMatches,
} from "#api";
import { rfc3339 } from "#client";
import type { Answer } from "../answer.ts";
import { decodeObject, type ExpectedKind } from "../body.ts";
import type { ObjectReader, ObjectWriter } from "../contract.ts";
import { remove } from "../registry/delete.ts";
import { checkDeleteOptions, writeOptions } from "../registry/options.ts";
import type { Writes } from "../registry/request.ts";
import { deleteRequest, type VerbRequest } from "../registry/verbs.ts";

interface Eviction extends ApiObject {
  readonly deleteOptions?: DeleteOptions;
}

interface Pod extends ApiObject {
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface Budget extends ApiObject {
  readonly spec?: { readonly selector?: never; readonly unhealthyPodEvictionPolicy?: string };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly disruptionsAllowed?: number;
    readonly currentHealthy?: number;
    readonly desiredHealthy?: number;
    readonly disruptedPods?: Readonly<Record<string, string>>;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly lastTransitionTime: string }[];
  };
}

const maxDisrupted = 2_000;
const success = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
const expected = (): ExpectedKind => ({
  group: "policy",
  version: "v1",
  sameVersions: ["v1beta1"],
  kind: "Eviction",
  schema: objectSchema("io.k8s.api.policy.v1.Eviction"),
  strictKind: false,
});

interface EvictionDeps {
  readonly writes: Writes;
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
}

export async function evict(deps: EvictionDeps, request: VerbRequest): Promise<Answer> {
  const options = writeOptions("CreateOptions", request.query);
  const eviction = decodeObject(request.body, expected(), options.fieldValidation, request.warn) as Eviction;
  const { namespace, name } = request;
  if (eviction.metadata.name !== name) throw badRequest("name in URL does not match name in Eviction object");
  const deletion: DeleteOptions = eviction.deleteOptions ?? {};
  checkDeleteOptions(deletion);
  const pod = deps.writes.objects.current(request.resource, namespace, name)?.parse() as (Pod & Stored<ApiObject>) | undefined;
  if (pod === undefined) throw notFound(request.resource.type, name);
  const dryRun = options.dryRun || (deletion.dryRun ?? []).length > 0;
  if (!withoutBudget(pod)) await askBudget(deps, pod, dryRun);
  if (!dryRun) await noteDisruption(deps, pod);
  const request2 = deleteRequest(request, dryRun ? { ...deletion, dryRun: ["All"] } : deletion);
  await remove(
    deps.writes,
    { ...request2, subresource: "" },
    { ...deletion, preconditions: { uid: pod.metadata.uid, ...deletion.preconditions } },
  );
  return { kind: "object", code: 201, object: success };
}

/** The pod says why it goes (KEP-3329). */
async function noteDisruption(deps: EvictionDeps, pod: Pod & Stored<ApiObject>): Promise<void> {
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: rfc3339(deps.writes.clock.now()),
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
  };
  await deps.writer.update(pods, { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name }, (current) => {
    const others = (current.status?.conditions ?? []).filter((other) => other.type !== condition.type);
    return { ...current, status: { ...current.status, conditions: [...others, condition] } } as typeof current;
  });
}

/** Pods that run nothing, or are going anyway, cost no budget. */
function withoutBudget(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === "Succeeded" || phase === "Failed" || phase === "Pending" || pod.metadata.deletionTimestamp !== undefined;
}

async function askBudget(deps: EvictionDeps, pod: Pod & Stored<ApiObject>, dryRun: boolean): Promise<void> {
  const budgets = deps.reader
    .list(podDisruptionBudgets, pod.metadata.namespace ?? "")
    .filter((budget) => selectorMatches(labelSelector((budget as Budget).spec?.selector), pod.metadata.labels));
  if (budgets.length === 0) return;
  if (budgets.length > 1)
    throw apiError("", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
  const [budget] = budgets as unknown as (Budget & Stored<ApiObject>)[];
  if (budget === undefined) return;
  if (mayGoUnready(pod, budget)) return;
  const ref = { namespace: budget.metadata.namespace ?? "", name: budget.metadata.name };
  try {
    await deps.writer.update(podDisruptionBudgets, ref, (current) => {
      const taken = takeOne(
        current as unknown as Budget & Stored<ApiObject>,
        pod.metadata.name,
        rfc3339(deps.writes.clock.now()),
      );
      return dryRun ? undefined : (taken as never);
    });
  } catch (error) {
    if (isConflict(error)) throw tooMany("Cannot evict pod as it would violate the pod's disruption budget.", "", 0);
    throw error;
  }
}

/** A pod that is not ready may go when the budget says so, or when the application is healthy without it. */
function mayGoUnready(pod: Pod, budget: Budget): boolean {
  const ready = pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
  if (ready) return false;
  if (budget.spec?.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

const blocked = "Cannot evict pod as it would violate the pod's disruption budget.";

function takeOne(budget: Budget & Stored<ApiObject>, podName: string, time: string): Budget {
  const { name, generation = 0 } = budget.metadata;
  const {
    observedGeneration = 0,
    disruptionsAllowed = 0,
    currentHealthy = 0,
    desiredHealthy = 0,
    disruptedPods = {},
  } = budget.status ?? {};
  if (observedGeneration < generation)
    throw tooMany(blocked, `The disruption budget ${name} is still being processed by the server.`, 10);
  if (disruptionsAllowed < 0) throw forbidden(podDisruptionBudgets, name, "pdb disruptions allowed is negative");
  if (Object.keys(disruptedPods).length > maxDisrupted)
    throw forbidden(podDisruptionBudgets, name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
  if (disruptionsAllowed === 0)
    throw tooMany(
      blocked,
      `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
      0,
    );
  const left = disruptionsAllowed - 1;
  return {
    ...budget,
    status: {
      ...budget.status,
      disruptionsAllowed: left,
      disruptedPods: { ...disruptedPods, [podName]: time },
      ...(left === 0 ? { conditions: exhausted(budget.status?.conditions ?? [], observedGeneration, time) } : {}),
    },
  };
}

/** The conditions of a budget whose last disruption has just been taken; its controller says when there are some again. */
function exhausted(
  conditions: NonNullable<NonNullable<Budget["status"]>["conditions"]>,
  observedGeneration: number,
  time: string,
): typeof conditions {
  const type = "DisruptionAllowed";
  const before = conditions.find((condition) => condition.type === type);
  const lastTransitionTime = before?.status === "False" ? before.lastTransitionTime : time;
  const condition = { type, status: "False", observedGeneration, lastTransitionTime, reason: "InsufficientPods", message: "" };
  return before === undefined ? [...conditions, condition] : conditions.map((each) => (each === before ? condition : each));
}

const tooMany = (message: string, cause: string, retryAfterSeconds: number): Error =>
  apiError("TooManyRequests", message, {
    causes: [{ reason: "DisruptionBudget", message: cause }],
    ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }),
  });
