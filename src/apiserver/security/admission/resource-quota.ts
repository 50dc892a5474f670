// ResourceQuota: counts what is created against the namespace's quotas, and writes the new usage before the object is stored.
import {
  type Amounts,
  type ApiObject,
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  deepEqual,
  formatQuantity,
  internalError,
  isInQuotaScopes,
  type ParsedQuantity,
  parseQuantity,
  type QuotaEvaluator,
  quotaEvaluator,
  quotaUsageText,
  type ResourceQuota,
  resourceQuotas,
  type Stored,
  signOf,
  subtractQuantities,
} from "#api";
import type { AdmissionContext, AdmissionPlugin, ObjectWriter } from "../../contract.ts";
import { byNamespace } from "./by-namespace.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { refuse } from "./support.ts";

type Used = Readonly<Record<string, string | number>>;

/** One write that waits for its turn in its namespace. */
interface Waiting {
  readonly object: ApiObject;
  readonly context: AdmissionContext;
  readonly evaluator: QuotaEvaluator;
  readonly delta: Amounts;
  readonly settle: (error: unknown) => void;
}

// As upstream: after so many conflicts with other writers of the same quota the request fails.
const maxAttempts = 4;

export function resourceQuota({ reader, writer }: AdmissionDeps): AdmissionPlugin & Disposable {
  const quotas = byNamespace(reader, resourceQuotas);
  const queues = new Map<string, Waiting[]>();
  return {
    name: "ResourceQuota",
    validate: (object, context) => {
      if (object === undefined || quotas.of(context.namespace).length === 0) return;
      const evaluator = quotaEvaluator(context.type);
      if (!evaluator.handles(context.operation, context.subresource)) return;
      const delta = change(evaluator, object, context.old);
      return new Promise<void>((resolve, reject) => {
        const waiting = {
          object,
          context,
          evaluator,
          delta,
          settle: (error: unknown) => (error === undefined ? resolve() : reject(error)),
        };
        const queue = queues.get(context.namespace);
        if (queue !== undefined) {
          queue.push(waiting);
          return;
        }
        queues.set(context.namespace, [waiting]);
        void drain(context.namespace);
      });
    },
    [Symbol.dispose]: () => quotas[Symbol.dispose](),
  };

  /** One at a time in a namespace, all that wait in one write: the sum of a quota is never read by two at once. */
  async function drain(namespace: string): Promise<void> {
    for (let batch = queues.get(namespace) ?? []; batch.length > 0; batch = queues.get(namespace) ?? []) {
      queues.set(namespace, []);
      await settleBatch(batch, () => quotas.of(namespace), writer);
    }
    queues.delete(namespace);
  }
}

/** What a write asks for on top of what is counted already. What it gives back is not its to take off: the quota controller counts anew. */
function change(evaluator: QuotaEvaluator, object: ApiObject, old: ApiObject | undefined): Amounts {
  const usage = evaluator.usage(object);
  if (old === undefined) return usage;
  const before = evaluator.usage(old);
  const difference = new Map<string, ParsedQuantity>();
  for (const [name, amount] of usage) {
    const had = before.get(name);
    const more = had === undefined ? amount : subtractQuantities(amount, had);
    if (signOf(more) > 0) difference.set(name, more);
  }
  return difference;
}

async function settleBatch(
  batch: readonly Waiting[],
  current: () => readonly Stored<ResourceQuota>[],
  writer: ObjectWriter,
): Promise<void> {
  let open = batch;
  for (let attempt = 1; open.length > 0; attempt++) {
    const snapshot = current();
    const used = new Map(snapshot.map((quota) => [quota.metadata.name, (quota.status?.used ?? {}) as Used]));
    const accepted: Waiting[] = [];
    for (const waiting of open) {
      try {
        charge(waiting, snapshot, used);
        accepted.push(waiting);
      } catch (error) {
        waiting.settle(error);
      }
    }
    try {
      if (await commit(snapshot, used, writer)) {
        for (const waiting of accepted) waiting.settle(undefined);
        return;
      }
    } catch (error) {
      for (const waiting of accepted) waiting.settle(error);
      return;
    }
    if (attempt === maxAttempts) {
      for (const waiting of accepted) waiting.settle(internalError("resource quota evaluation timed out"));
      return;
    }
    open = accepted;
  }
}

/** Adds the request to `used` of each quota that looks at it; throws Forbidden when one of them has no room. */
function charge(
  { object, context, evaluator, delta }: Waiting,
  quotas: readonly Stored<ResourceQuota>[],
  used: Map<string, Used>,
): void {
  const next = new Map<string, Used>();
  for (const quota of quotas) {
    const hard = (quota.status?.hard ?? {}) as Used;
    const restricted = Object.keys(hard).filter((name) => evaluator.counts(name));
    if (restricted.length === 0 || !isInQuotaScopes(quota, evaluator, object)) continue;
    const { name } = quota.metadata;
    const lacking = context.operation === "CREATE" ? evaluator.lacks?.(restricted, object) : undefined;
    if (lacking !== undefined) throw refuse(context, object, `failed quota: ${name}: ${lacking}`);
    const had = used.get(name) ?? {};
    const unknown = restricted.filter((each) => had[each] === undefined).sort();
    if (unknown.length > 0) throw refuse(context, object, `status unknown for quota: ${name}, resources: ${unknown.join(",")}`);
    const requested = restricted.filter((each) => delta.has(each) && signOf(delta.get(each) as ParsedQuantity) !== 0); // has just said that it is there
    if (requested.length === 0) continue;
    const sums: Record<string, string> = {};
    const exceeded: string[] = [];
    for (const each of requested) {
      const amount = delta.get(each) as ParsedQuantity; // one of its keys
      const total = addQuantities(parseQuantity(had[each] as string), amount); // not among the unknown
      sums[each] = formatQuantity(total);
      if (signOf(amount) > 0 && compareQuantities(total, parseQuantity(hard[each] as string)) > 0) exceeded.push(each); // one of its keys
    }
    if (exceeded.length > 0) {
      const only = (list: Used): Used => Object.fromEntries(exceeded.map((each) => [each, list[each] as string])); // hard and used have them
      const asked = Object.fromEntries(exceeded.map((each) => [each, formatQuantity(delta.get(each) as ParsedQuantity)])); // one of its keys
      throw refuse(
        context,
        object,
        `exceeded quota: ${name}, requested: ${quotaUsageText(asked)}, used: ${quotaUsageText(only(had))}, limited: ${quotaUsageText(only(hard))}`,
      );
    }
    if (!context.dryRun) next.set(name, { ...had, ...sums });
  }
  // Only now: a request that one quota refuses must not count in another.
  for (const [name, sums] of next) used.set(name, sums);
}

/** False: somebody else has changed a quota since the snapshot. */
async function commit(
  quotas: readonly Stored<ResourceQuota>[],
  used: ReadonlyMap<string, Used>,
  writer: ObjectWriter,
): Promise<boolean> {
  for (const quota of quotas) {
    const sums = used.get(quota.metadata.name);
    if (sums === undefined || sums === quota.status?.used || deepEqual(sums, quota.status?.used ?? {})) continue;
    let isStale = false;
    const { namespace = "", name } = quota.metadata;
    await writer.update<ResourceQuota>(resourceQuotas, { namespace, name }, (current) => {
      isStale = !deepEqual(canonicalUsed(current), canonicalUsed(quota)) || !deepEqual(current.status?.hard, quota.status?.hard);
      return isStale ? undefined : { ...current, status: { ...current.status, used: sums } };
    });
    if (isStale) return false;
  }
  return true;
}

const canonicalUsed = (quota: ResourceQuota): Used =>
  Object.fromEntries(Object.entries(quota.status?.used ?? {}).map(([name, quantity]) => [name, canonicalQuantity(quantity)]));
