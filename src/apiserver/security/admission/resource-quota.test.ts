// Quotas: counted exactly, however many writes come at once, and refused in upstream's words.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ApiError,
  type ApiObject,
  configMaps,
  type Pod,
  pods,
  type ResourceQuota,
  type ResourceType,
  resourceQuotas,
  type Service,
  type Stored,
  services,
} from "#api";
import { seededRandom, VirtualClock } from "#base";
import type { AdmissionContext } from "../../contract.ts";
import { admissionContext, FakeObjects } from "../testing/objects.ts";
import { resourceQuota } from "./resource-quota.ts";

const ref = { namespace: "default", name: "q" };

function world(
  hard: Record<string, string>,
  used: Record<string, string> = Object.fromEntries(Object.keys(hard).map((key) => [key, "0"])),
  spec: object = {},
) {
  const objects = new FakeObjects();
  objects.put<ResourceQuota>(resourceQuotas, { metadata: ref, spec: { hard, ...spec }, status: { hard, used } });
  const deps = {
    reader: objects,
    writer: objects,
    clock: new VirtualClock(),
    random: seededRandom(1),
    authorizer: { authorize: () => ({ allowed: false, reason: "" }) },
  };
  const plugin = resourceQuota(deps);
  const create = async (type: ResourceType, object: object, context: Partial<AdmissionContext> = {}): Promise<void> =>
    plugin.validate?.(object as ApiObject, admissionContext(type, { name: "x", ...context }));
  const usedNow = (): unknown => objects.get<ResourceQuota>(resourceQuotas, ref)?.status?.used;
  return { objects, create, usedNow };
}

const pod = (requests?: Record<string, string>, spec: object = {}): Pod => ({
  metadata: { name: "x" },
  spec: { containers: [{ name: "c", ...(requests === undefined ? {} : { resources: { requests } }) }], ...spec },
});

test("a quota never admits more than it holds, and writes less often than it is asked", async () => {
  const { objects, create, usedNow } = world({ pods: "7", "requests.cpu": "10" });
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => create(pods, pod({ cpu: "500m" }))));
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 7);
  assert.deepEqual(usedNow(), { pods: "7", "requests.cpu": "3500m" });
  assert.ok(objects.writes <= 3, `${objects.writes} writes`);
});

test("the refusal tells what was asked, used and allowed", async () => {
  const { create } = world({ pods: "1", "requests.cpu": "1" }, { pods: "1", "requests.cpu": "600m" });
  await assert.rejects(create(pods, pod({ cpu: "0.5" })), {
    message:
      'pods "x" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=500m, used: pods=1,requests.cpu=600m, limited: pods=1,requests.cpu=1',
  });
});

test("a dry run is refused as a real one, and counts nothing", async () => {
  const { create, usedNow } = world({ pods: "1" });
  await create(pods, pod(), { dryRun: true });
  assert.deepEqual(usedNow(), { pods: "0" });
  await create(pods, pod());
  await assert.rejects(create(pods, pod(), { dryRun: true }), /exceeded quota/);
});

test("a service that gives up its ports is still counted with them, until the quota controller counts anew", async () => {
  const hard = { "services.nodeports": "1", "services.loadbalancers": "1" };
  const { create, usedNow } = world(hard);
  const service = (type: string): Stored<Service> =>
    ({ metadata: { name: "s" }, spec: { type, ports: [{ port: 80 }] } }) as unknown as Stored<Service>;
  await create(services, service("LoadBalancer"));
  await create(services, service("ClusterIP"), { operation: "UPDATE", old: service("LoadBalancer") });
  assert.deepEqual(usedNow(), { "services.nodeports": "1", "services.loadbalancers": "1" });
  await assert.rejects(create(services, service("NodePort"), { operation: "UPDATE", old: service("ClusterIP") }), {
    message:
      'services "x" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1',
  });
});

test("a quota without usage is not known, one without status does not count", async () => {
  const { create, objects } = world({ configmaps: "2" }, {});
  await assert.rejects(create(configMaps, {}), {
    message: 'configmaps "x" is forbidden: status unknown for quota: q, resources: configmaps',
  });
  objects.put<ResourceQuota>(resourceQuotas, { metadata: ref, spec: { hard: { configmaps: "0" } } });
  await create(configMaps, {});
});

test("a quota on requests makes every container say its own", async () => {
  const { create } = world({ "requests.cpu": "1", "limits.memory": "1Gi" });
  await assert.rejects(create(pods, pod()), {
    message: 'pods "x" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c',
  });
});

const scopes: readonly (readonly [string, object, Pod, boolean])[] = [
  ["BestEffort", { scopes: ["BestEffort"] }, pod(), true],
  ["BestEffort", { scopes: ["BestEffort"] }, pod({ cpu: "1" }), false],
  ["NotBestEffort", { scopes: ["NotBestEffort"] }, pod({ memory: "1" }), true],
  ["Terminating", { scopes: ["Terminating"] }, pod(undefined, { activeDeadlineSeconds: 0 }), true],
  ["NotTerminating", { scopes: ["NotTerminating"] }, pod(undefined, { activeDeadlineSeconds: 5 }), false],
  [
    "PriorityClass",
    { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }] } },
    pod(undefined, { priorityClassName: "high" }),
    true,
  ],
  [
    "PriorityClass",
    { scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "NotIn", values: ["high"] }] } },
    pod(undefined, { priorityClassName: "high" }),
    false,
  ],
];
for (const [name, spec, object, counts] of scopes) {
  test(`a quota of scope ${name} ${counts ? "counts" : "leaves out"} ${JSON.stringify(object.spec)}`, async () => {
    const { create, usedNow } = world({ pods: "5" }, { pods: "0" }, spec);
    await create(pods, object);
    assert.deepEqual(usedNow(), { pods: counts ? "1" : "0" });
  });
}

test("a write that fails reaches the one who asked, and the next one is judged anew", async () => {
  const { objects, create } = world({ pods: "5" });
  const update = objects.update.bind(objects);
  objects.update = () => Promise.reject(new Error("disk full"));
  await assert.rejects(create(pods, pod()), /disk full/);
  objects.update = update;
  await create(pods, pod());
});

test("usage that somebody else wrote in between is counted on", async () => {
  const { objects, create, usedNow } = world({ pods: "3" });
  const update = objects.update.bind(objects);
  let once = true;
  objects.update = (async (type: typeof resourceQuotas, at: typeof ref, change: never) => {
    if (once) {
      once = false;
      const now = objects.get<ResourceQuota>(resourceQuotas, ref) as ResourceQuota;
      objects.put<ResourceQuota>(resourceQuotas, { ...now, status: { ...now.status, used: { pods: "2" } } });
    }
    return update(type, at, change);
  }) as typeof objects.update;
  await create(pods, pod());
  assert.deepEqual(usedNow(), { pods: "3" });
  await assert.rejects(create(pods, pod()), (error: ApiError) => error.code === 403);
});
