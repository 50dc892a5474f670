// Webhooks: who is asked, what is said, what becomes of the answer, and what happens when nobody answers.
import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import {
  type ApiError,
  type ApiObject,
  configMaps,
  mutatingWebhookConfigurations,
  namespaces,
  pods,
  type ResourceType,
  services,
  validatingWebhookConfigurations,
} from "#api";
import { seededRandom, systemClock, VirtualClock } from "#base";
import type { AdmissionContext } from "../../../contract.ts";
import { issueAuthority, issueCertificate } from "../../pki/issue.ts";
import { admissionContext, FakeObjects } from "../../testing/objects.ts";
import { createWebhookDialer, type WebhookDialer, type WebhookTarget } from "./dialer.ts";
import { mutatingWebhooks, validatingWebhooks } from "./plugins.ts";

interface Asked {
  readonly target: WebhookTarget;
  readonly request: Record<string, unknown> & { readonly uid: string; readonly object: ApiObject };
}
type Answer = object | Error | "silence";

function world(answer: (asked: Asked) => Answer) {
  const objects = new FakeObjects();
  objects.put(namespaces, { metadata: { name: "default", labels: { team: "a" } } });
  objects.put(services, { metadata: { namespace: "hooks", name: "svc" }, spec: { clusterIP: "10.96.0.9" } });
  const asked: Asked[] = [];
  const clock = new VirtualClock();
  const webhooks: WebhookDialer = {
    post: async (target, body, signal) => {
      const { request } = JSON.parse(body) as { request: Asked["request"] };
      asked.push({ target, request });
      const said = answer({ target, request });
      if (said instanceof Error) throw said;
      if (said === "silence")
        await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
      const response = { uid: request.uid, allowed: true, ...(said as object) };
      return { code: 200, body: JSON.stringify({ kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", response }) };
    },
    [Symbol.dispose]: () => {},
  };
  const deps = {
    reader: objects,
    writer: objects,
    clock,
    random: seededRandom(1),
    authorizer: { authorize: () => ({ allowed: false, reason: "" }) },
    webhooks,
  };
  const mutating = mutatingWebhooks(deps);
  const validating = validatingWebhooks(deps);
  const hook = (more: object = {}): object => ({
    name: "h.example.com",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    clientConfig: { service: { namespace: "hooks", name: "svc", path: "/x" } },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] }],
    ...more,
  });
  const configure = (type: ResourceType, name: string, ...hooks: readonly object[]): void =>
    void objects.put(type as typeof mutatingWebhookConfigurations, { metadata: { name }, webhooks: hooks as never });
  const run = async (
    object: object = { metadata: { name: "c" } },
    context: Partial<AdmissionContext> = {},
    type: ResourceType = configMaps,
  ): Promise<ApiObject> => {
    const at = admissionContext(type, { name: "c", ...context });
    const mutated = (await mutating.mutate?.(object as ApiObject, at)) as ApiObject;
    await validating.validate?.(mutated, at);
    return mutated;
  };
  return { objects, asked, clock, hook, configure, run };
}

const patch = (...operations: readonly object[]): object => ({
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
});

test("a mutating webhook's patch is applied, and the request tells all there is", async () => {
  const { run, configure, hook, asked } = world(() => patch({ op: "add", path: "/data", value: { a: "b" } }));
  configure(mutatingWebhookConfigurations, "m", hook());
  assert.deepEqual(await run({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } }), {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c" },
    data: { a: "b" },
  });
  assert.equal(asked.length, 1);
  const { uid, ...request } = asked[0]?.request ?? { uid: "" };
  assert.match(uid, /^[0-9a-f-]{36}$/);
  assert.deepEqual(request, {
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    resource: { group: "", version: "v1", resource: "configmaps" },
    requestKind: { group: "", version: "v1", kind: "ConfigMap" },
    requestResource: { group: "", version: "v1", resource: "configmaps" },
    name: "c",
    namespace: "default",
    operation: "CREATE",
    userInfo: { username: "alice", groups: ["system:authenticated"] },
    object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } },
    oldObject: null,
    dryRun: false,
    options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
  });
  assert.deepEqual(asked[0]?.target, {
    url: "https://svc.hooks.svc:443/x?timeout=10s",
    address: { host: "10.96.0.9", port: 443 },
  });
});

const refusals: readonly (readonly [string, object, string, number])[] = [
  [
    "a message",
    { allowed: false, status: { message: "no", code: 403, reason: "Forbidden" } },
    'admission webhook "h.example.com" denied the request: no',
    403,
  ],
  [
    "a reason",
    { allowed: false, status: { reason: "Because" } },
    'admission webhook "h.example.com" denied the request: Because',
    400,
  ],
  ["nothing", { allowed: false }, 'admission webhook "h.example.com" denied the request without explanation', 400],
  [
    "a code of success",
    { allowed: false, status: { code: 200 } },
    'admission webhook "h.example.com" denied the request without explanation',
    400,
  ],
];
for (const [what, answer, message, code] of refusals) {
  test(`a refusal with ${what} becomes ${code}`, async () => {
    const { run, configure, hook } = world(() => answer);
    configure(validatingWebhookConfigurations, "v", hook());
    await assert.rejects(run(), (error: ApiError) => {
      assert.equal(error.message, message);
      assert.equal(error.code, code);
      return true;
    });
  });
}

const matching: readonly (readonly [string, object, Partial<AdmissionContext>, object, boolean])[] = [
  ["the operation of the rule", {}, { operation: "UPDATE" }, {}, false],
  ["every resource", { rules: [{ apiGroups: ["*"], apiVersions: ["*"], resources: ["*"], operations: ["*"] }] }, {}, {}, true],
  [
    "every resource, but no subresource",
    { rules: [{ apiGroups: ["*"], apiVersions: ["*"], resources: ["*"], operations: ["*"] }] },
    { subresource: "status" },
    {},
    false,
  ],
  [
    "every subresource",
    { rules: [{ apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: ["*"] }] },
    { subresource: "status" },
    {},
    true,
  ],
  [
    "another scope",
    { rules: [{ apiGroups: ["*"], apiVersions: ["*"], resources: ["*"], operations: ["*"], scope: "Cluster" }] },
    {},
    {},
    false,
  ],
  ["labels of the namespace", { namespaceSelector: { matchLabels: { team: "a" } } }, {}, {}, true],
  ["other labels of the namespace", { namespaceSelector: { matchLabels: { team: "b" } } }, {}, {}, false],
  ["labels of the object", { objectSelector: { matchLabels: { x: "y" } } }, {}, { labels: { x: "y" } }, true],
  ["no labels on the object", { objectSelector: { matchLabels: { x: "y" } } }, {}, {}, false],
];
for (const [what, hookPart, context, metadata, expected] of matching) {
  test(`a webhook ${expected ? "is" : "is not"} asked: ${what}`, async () => {
    const { run, configure, hook, asked } = world(() => ({}));
    configure(validatingWebhookConfigurations, "v", hook(hookPart));
    await run({ metadata: { name: "c", ...metadata } }, context);
    assert.equal(asked.length, expected ? 1 : 0);
  });
}

test("webhooks are never asked about webhooks", async () => {
  const { run, configure, hook, asked } = world(() => ({ allowed: false }));
  configure(
    validatingWebhookConfigurations,
    "v",
    hook({ rules: [{ apiGroups: ["*"], apiVersions: ["*"], resources: ["*"], operations: ["*"] }] }),
  );
  await run({ metadata: { name: "v" } }, {}, validatingWebhookConfigurations);
  assert.equal(asked.length, 0);
});

test("a webhook that fails closes the door or leaves it open, as its policy says", async () => {
  const { run, configure, hook } = world(() => new Error("connection refused"));
  configure(validatingWebhookConfigurations, "v", hook({ failurePolicy: "Fail" }));
  await assert.rejects(run(), {
    message:
      'Internal error occurred: failed calling webhook "h.example.com": failed to call webhook: Post "https://svc.hooks.svc:443/x?timeout=10s": connection refused',
  });
  configure(validatingWebhookConfigurations, "v", hook({ failurePolicy: "Ignore" }));
  await run();
});

test("a webhook that is silent is given up after its time-out", async () => {
  const { run, configure, hook, clock } = world(() => "silence");
  configure(validatingWebhookConfigurations, "v", hook({ timeoutSeconds: 3 }));
  const refused = assert.rejects(run(), /context deadline exceeded/);
  await clock.advance(3_000);
  await refused;
});

test("a webhook that asks for it sees what came after it, once", async () => {
  const { run, configure, hook, asked } = world(({ request }) =>
    (request.object as { data?: object }).data === undefined
      ? patch({ op: "add", path: "/data", value: {} })
      : patch({ op: "add", path: `/data/${asked.length}`, value: "x" }),
  );
  configure(
    mutatingWebhookConfigurations,
    "a",
    hook({ name: "a.example.com", reinvocationPolicy: "IfNeeded" }),
    hook({ name: "b.example.com" }),
  );
  await run();
  assert.equal(asked.length, 3);
});

test("a dry run is not sent to a webhook that acts", async () => {
  const { run, configure, hook, asked } = world(() => ({}));
  configure(validatingWebhookConfigurations, "v", hook({ sideEffects: "Some" }));
  await assert.rejects(run(undefined, { dryRun: true }), {
    message: 'admission webhook "h.example.com" does not support dry run',
  });
  assert.equal(asked.length, 0);
});

test("what this server cannot evaluate is refused, not skipped", async () => {
  const { run, configure, hook } = world(() => ({}));
  configure(validatingWebhookConfigurations, "v", hook({ matchConditions: [{ name: "x", expression: "true" }] }));
  await assert.rejects(run(), /match conditions \(CEL\) are not supported by this server yet/);
});

test("warnings of a webhook reach the client", async () => {
  const { run, configure, hook } = world(() => ({ warnings: ["careful"] }));
  configure(validatingWebhookConfigurations, "v", hook());
  const warnings: string[] = [];
  await run(undefined, { warn: (text) => warnings.push(text) });
  assert.deepEqual(warnings, ["careful"]);
});

test("a pod patched by a webhook gets the defaults of what it added", async () => {
  const { run, configure, hook } = world(() =>
    patch({ op: "add", path: "/spec/containers/-", value: { name: "sidecar", image: "s:1" } }),
  );
  configure(
    mutatingWebhookConfigurations,
    "m",
    hook({ rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }] }),
  );
  const pod = (await run(
    { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i" }] } },
    {},
    pods,
  )) as { spec?: { containers: { name: string; imagePullPolicy?: string }[] } };
  assert.equal(pod.spec?.containers[1]?.imagePullPolicy, "IfNotPresent");
});

test("createWebhookDialer() speaks HTTPS, checks the server's name and certificate, and stops when told", async () => {
  const deps = { clock: systemClock, random: seededRandom(3) };
  const ca = await issueAuthority("hooks", deps);
  const pair = await issueCertificate(
    ca,
    { commonName: "svc.hooks.svc", usages: ["server"], alternativeNames: ["svc.hooks.svc", "127.0.0.1"], validityMs: 3_600_000 },
    deps,
  );
  const server = createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
    if (request.url === "/silent") return;
    request.pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  const dialer = createWebhookDialer();
  try {
    const never = new AbortController().signal;
    assert.deepEqual(await dialer.post({ url: "https://svc.hooks.svc:443/echo", address, ca: ca.certificate }, "hello", never), {
      code: 200,
      body: "hello",
    });
    await assert.rejects(
      dialer.post({ url: "https://other.hooks.svc:443/echo", address, ca: ca.certificate }, "hello", never),
      /altnames/,
    );
    await assert.rejects(dialer.post({ url: "https://svc.hooks.svc:443/echo", address }, "hello", never), /certificate/);
    const byAddress = { url: `https://127.0.0.1:${address.port}/echo`, ca: ca.certificate };
    assert.deepEqual(await dialer.post(byAddress, "hello", never), { code: 200, body: "hello" });
    for (const other of ["10.0.0.1", "[::1]"])
      await assert.rejects(
        dialer.post({ url: `https://${other}:443/echo`, address, ca: ca.certificate }, "hello", never),
        /altnames/,
      );
    const stop = new AbortController();
    const silent = dialer.post({ url: "https://svc.hooks.svc:443/silent", address, ca: ca.certificate }, "hello", stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(silent);
  } finally {
    dialer[Symbol.dispose]();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
