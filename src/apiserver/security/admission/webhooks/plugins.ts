// MutatingAdmissionWebhook and ValidatingAdmissionWebhook: programs elsewhere that change or refuse what is written.
import {
  ApiError,
  type ApiObject,
  applyJsonPatch,
  deepEqual,
  internalError,
  kindRules,
  type MutatingWebhook,
  mutatingWebhookConfigurations,
  type ResourceType,
  readJsonPatch,
  type Service,
  type Stored,
  services,
  type ValidatingWebhook,
  validatingWebhookConfigurations,
  type WebhookClientConfig,
} from "#api";
import { uuid } from "#base";
import type { AdmissionContext, AdmissionPlugin, ObjectReader } from "../../../contract.ts";
import type { AdmissionDeps } from "../plugins.ts";
import type { WebhookTarget } from "./dialer.ts";
import { concerns } from "./match.ts";
import { denial, noDryRun, reviewFor, type Verdict, verdictOf } from "./review.ts";

type Hook = MutatingWebhook | ValidatingWebhook;
type Configuration<H extends Hook> = ApiObject & { readonly webhooks?: readonly H[] };

export function mutatingWebhooks(deps: AdmissionDeps): AdmissionPlugin & Disposable {
  const hooks = hooksOf<MutatingWebhook>(deps.reader, mutatingWebhookConfigurations);
  return {
    name: "MutatingAdmissionWebhook",
    mutate: (object, context) => {
      const all = hooks.all();
      return all.length === 0 ? object : mutate(all, object, context, deps);
    },
    [Symbol.dispose]: () => hooks[Symbol.dispose](),
  };
}

export function validatingWebhooks(deps: AdmissionDeps): AdmissionPlugin & Disposable {
  const hooks = hooksOf<ValidatingWebhook>(deps.reader, validatingWebhookConfigurations);
  return {
    name: "ValidatingAdmissionWebhook",
    validate: (object, context) => {
      const asked = hooks.all().filter((hook) => concerns(hook, object, context, deps.reader));
      return asked.length === 0 ? undefined : validate(asked, object, context, deps);
    },
    [Symbol.dispose]: () => hooks[Symbol.dispose](),
  };
}

/** The webhooks of all configurations, by configuration's name; put together again only when one changes. */
function hooksOf<H extends Hook>(
  reader: ObjectReader,
  type: ResourceType<Configuration<H>>,
): { all(): readonly H[] } & Disposable {
  let known: readonly H[] | undefined;
  const subscription = reader.onChange(type, () => {
    known = undefined;
  });
  return {
    all: () => {
      known ??= [...reader.list<Configuration<H>>(type)]
        .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
        .flatMap((configuration: Stored<Configuration<H>>) => configuration.webhooks ?? []);
      return known;
    },
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  };
}

async function mutate(
  hooks: readonly MutatingWebhook[],
  object: ApiObject,
  context: AdmissionContext,
  deps: AdmissionDeps,
): Promise<ApiObject> {
  let now = object;
  const after = new Map<MutatingWebhook, ApiObject>();
  const ask = async (hook: MutatingWebhook): Promise<void> => {
    const verdict = await call(hook, now, context, deps);
    if (verdict !== undefined) now = judged(hook, verdict, now, context);
    after.set(hook, now);
  };
  for (const hook of hooks) if (concerns(hook, now, context, deps.reader)) await ask(hook);
  // Once more for those that want to see what others changed after them; not a third time.
  for (const hook of hooks) {
    const seen = after.get(hook);
    const again = hook.reinvocationPolicy === "IfNeeded" && seen !== undefined && !deepEqual(seen, now);
    if (again && concerns(hook, now, context, deps.reader)) await ask(hook);
  }
  return now;
}

async function validate(
  hooks: readonly ValidatingWebhook[],
  object: ApiObject | undefined,
  context: AdmissionContext,
  deps: AdmissionDeps,
): Promise<void> {
  const results = await Promise.allSettled(
    hooks.map(async (hook) => {
      const verdict = await call(hook, object, context, deps);
      if (verdict !== undefined) judged(hook, verdict, object ?? { metadata: {} }, context);
    }),
  );
  // All are asked at once; the first in order is the one told.
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** The object with the webhook's patch and the kind's defaults; throws its refusal. */
function judged(hook: Hook, verdict: Verdict, object: ApiObject, context: AdmissionContext): ApiObject {
  for (const warning of verdict.warnings) context.warn(warning);
  if (!verdict.allowed) throw denial(hook.name, verdict.status);
  if (verdict.patch === undefined) return object;
  const patched = applyJsonPatch(object as never, readJsonPatch(verdict.patch).operations) as unknown as ApiObject; // an object in, an object out
  const isMain = context.subresource === "" || context.subresource === "status";
  return isMain ? (kindRules[`${context.type.group}/${context.type.kind}`]?.default?.(patched) ?? patched) : patched;
}

/** Undefined: the call failed and the webhook's policy is to go on without it. */
async function call(
  hook: Hook,
  object: ApiObject | undefined,
  context: AdmissionContext,
  deps: AdmissionDeps,
): Promise<Verdict | undefined> {
  if (context.dryRun && hook.sideEffects !== "None" && hook.sideEffects !== "NoneOnDryRun") throw noDryRun(hook.name);
  try {
    return await ask(hook, object, context, deps);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const text = (error as Error).message;
    if (hook.failurePolicy === "Ignore") {
      deps.log?.warn("webhook failed, going on without it", { webhook: hook.name, error: text });
      return undefined;
    }
    throw internalError(new Error(`failed calling webhook ${JSON.stringify(hook.name)}: ${text}`));
  }
}

async function ask(
  hook: Hook,
  object: ApiObject | undefined,
  context: AdmissionContext,
  { reader, random, clock, webhooks }: AdmissionDeps,
): Promise<Verdict> {
  if ((hook.matchConditions ?? []).length > 0) throw new Error("match conditions (CEL) are not supported by this server yet");
  if (!hook.admissionReviewVersions.includes("v1"))
    throw new Error("webhook does not accept known AdmissionReview versions (v1)");
  if (webhooks === undefined) throw new Error("this server does not call webhooks");
  const timeoutSeconds = hook.timeoutSeconds ?? 10;
  const target = targetOf(hook.clientConfig, timeoutSeconds, reader);
  const uid = uuid(random);
  const aborted = new AbortController();
  const timer = clock.after(timeoutSeconds * 1000, () => aborted.abort(new Error("context deadline exceeded")));
  try {
    const { code, body } = await webhooks.post(target, JSON.stringify(reviewFor(uid, object, context)), aborted.signal);
    return verdictOf(uid, code, body);
  } catch (error) {
    const why = aborted.signal.aborted ? (aborted.signal.reason as Error) : (error as Error); // ours, a few lines up
    throw new Error(`failed to call webhook: Post ${JSON.stringify(target.url)}: ${why.message}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

function targetOf(config: WebhookClientConfig, timeoutSeconds: number, reader: ObjectReader): WebhookTarget {
  const ca = (config.caBundle ?? "") === "" ? {} : { ca: Buffer.from(config.caBundle ?? "", "base64").toString("utf8") };
  const timeout = `timeout=${timeoutSeconds}s`;
  if (config.url !== undefined) return { url: `${config.url}${config.url.includes("?") ? "&" : "?"}${timeout}`, ...ca };
  const { name = "", namespace = "", path = "", port = 443 } = config.service ?? {};
  const url = `https://${name}.${namespace}.svc:${port}${path === "" || path.startsWith("/") ? path : `/${path}`}?${timeout}`;
  const service = reader.get<Service>(services, { namespace, name });
  if (service === undefined)
    throw new Error(`failed to call webhook: Post ${JSON.stringify(url)}: service ${JSON.stringify(name)} not found`);
  const host = service.spec?.type === "ExternalName" ? service.spec.externalName : service.spec?.clusterIP;
  if (host === undefined || host === "" || host === "None")
    throw new Error(`failed to call webhook: Post ${JSON.stringify(url)}: service ${JSON.stringify(name)} has no cluster IP`);
  return { url, address: { host, port }, ...ca };
}
