// Answers that surprise: recorded from upstream's server, each because it once was different here.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { pod, type TestServer, testServer } from "../testing/server.ts";

const merge = { contentType: "application/merge-patch+json" };
const strategic = { contentType: "application/strategic-merge-patch+json" };
const core = "/api/v1/namespaces/default";
const scalers = (version: string): string => `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers`;

describe("odd answers", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer({ disableAdmission: ["ServiceAccount"] });
  });
  after(() => cluster[Symbol.asyncDispose]());

  const scaler = (version: string, name: string, spec: object, annotations: Record<string, string> = {}): object => ({
    apiVersion: `autoscaling/${version}`,
    kind: "HorizontalPodAutoscaler",
    metadata: { name, annotations },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" }, maxReplicas: 3, ...spec },
  });
  const annotation = (name: string, value: unknown): Record<string, string> => ({
    [`autoscaling.alpha.kubernetes.io/${name}`]: JSON.stringify(value),
  });

  it("an autoscaler of version 1 is checked in the words of version 2", async () => {
    const low = await cluster.call("POST", scalers("v1"), scaler("v1", "low", { targetCPUUtilizationPercentage: 0 }));
    assert.deepEqual(
      [low.code, low.object.message],
      [
        422,
        'HorizontalPodAutoscaler.autoscaling "low" is invalid: spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0',
      ],
    );
    const behavior = annotation("behavior", { ScaleUp: { Policies: [] } });
    const bare = await cluster.call("POST", scalers("v1"), scaler("v1", "bare", {}, behavior));
    assert.match(bare.object.message, /spec\.behavior\.scaleUp\.policies: Required value: must specify at least one Policy/);
  });

  it("an autoscaler of version 1 aims at 80 per cent where it says nothing, and brings no status", async () => {
    const given = { ...annotation("conditions", [{ type: "AbleToScale", status: "True" }]), ...annotation("metrics", "no list") };
    const { object } = await cluster.call("POST", scalers("v1"), scaler("v1", "silent", {}, given));
    assert.deepEqual([object.spec.targetCPUUtilizationPercentage, object.metadata.annotations], [80, undefined]);
    assert.equal(JSON.stringify(object.metadata.managedFields).includes("f:targetCPUUtilizationPercentage"), false);
    const second = await cluster.call("GET", `${scalers("v2")}/silent`);
    assert.deepEqual(second.object.status, { desiredReplicas: 0, currentMetrics: null });
    const changed = await cluster.call("PATCH", `${scalers("v1")}/silent`, { spec: { maxReplicas: 5 } }, merge);
    assert.deepEqual([changed.object.spec.maxReplicas, changed.object.spec.targetCPUUtilizationPercentage], [5, 80]);
  });

  it("an autoscaler with a list of no policies has none by default either", async () => {
    const { code, object } = await cluster.call(
      "POST",
      scalers("v2"),
      scaler("v2", "none", { behavior: { scaleUp: { policies: [] } } }),
    );
    assert.deepEqual([code, object.details.causes[0].field], [422, "spec.behavior.scaleUp.policies"]);
  });

  it("a profile said in an annotation is warned of even when the pod is refused", async () => {
    const key = "container.apparmor.security.beta.kubernetes.io/c";
    const annotated = { ...pod("armor"), metadata: { name: "armor", annotations: { [key]: "bogus" } } };
    const { code, warnings } = await cluster.call("POST", `${core}/pods`, annotated);
    assert.deepEqual(
      [code, warnings],
      [422, [`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`]],
    );
  });

  it("annotations in which init containers once were are dropped", async () => {
    const annotations = { "pod.beta.kubernetes.io/init-containers": "[]", keep: "me" };
    const { object } = await cluster.call("POST", `${core}/pods`, { ...pod("old"), metadata: { name: "old", annotations } });
    assert.deepEqual(object.metadata.annotations, { keep: "me" });
  });

  it("a pod that costs nothing to delete may say so with a sign", async () => {
    const costing = (name: string, cost: string): object => ({
      ...pod(name),
      metadata: { name, annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } },
    });
    assert.equal((await cluster.call("POST", `${core}/pods`, costing("free", "-0"))).code, 201);
    assert.equal((await cluster.call("POST", `${core}/pods`, costing("dear", "2147483648"))).code, 422);
  });

  it("a status that is taken away leaves what it said of quality and generation", async () => {
    await cluster.call("POST", `${core}/pods`, pod("seen"));
    await cluster.call("PATCH", `${core}/pods/seen/status`, { status: { observedGeneration: 5 } }, merge);
    const { object } = await cluster.call("PATCH", `${core}/pods/seen/status`, { status: null }, merge);
    assert.deepEqual(object.status, { observedGeneration: 5, qosClass: "BestEffort" });
  });

  it("a pod is not resized where nobody knows its node", async () => {
    await cluster.call("POST", `${core}/pods`, pod("lost", { nodeName: "gone" }));
    const wanted = { spec: { containers: [{ name: "c", resources: {} }] } };
    const { code, object } = await cluster.call("PATCH", `${core}/pods/lost/resize`, wanted, strategic);
    assert.deepEqual([code, object.message], [403, 'pods "lost" is forbidden: node "gone" not found']);
  });

  it("a job whose name makes no label is refused for the labels of its template alone", async () => {
    const name = "a".repeat(64);
    const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } };
    const job = { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { template } };
    const refused = await cluster.call("POST", "/apis/batch/v1/namespaces/default/jobs", job);
    assert.deepEqual(
      refused.object.details.causes.map(({ field }: { field: string }) => field),
      ["spec.template.labels", "spec.template.labels"],
    );
    const made = await cluster.call("POST", "/apis/batch/v1/namespaces/default/jobs", { ...job, metadata: { name: "short" } });
    assert.equal(made.object.metadata.labels["job-name"], "short");
  });

  it("a stateful set that names its strategy is given no parameters, and warned of endless history", async () => {
    const set = {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "named" },
      spec: {
        serviceName: "s",
        selector: { matchLabels: { a: "b" } },
        template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } },
        updateStrategy: { type: "RollingUpdate" },
        revisionHistoryLimit: -1,
      },
    };
    const { object, warnings } = await cluster.call("POST", "/apis/apps/v1/namespaces/default/statefulsets", set);
    assert.deepEqual(object.spec.updateStrategy, { type: "RollingUpdate" });
    assert.deepEqual(warnings, [
      "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended",
    ]);
  });

  it("a lease's strategy is its writer's, though nothing keeps it", async () => {
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "l" }, spec: { strategy: "x" } };
    const { object } = await cluster.call("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", lease);
    assert.deepEqual([object.spec, object.metadata.managedFields[0].fieldsV1], [{}, { "f:spec": { "f:strategy": {} } }]);
  });

  it("a node's status says nothing of a configuration that servers no longer keep", async () => {
    await cluster.call("POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "plain" } });
    const { object } = await cluster.call("PATCH", "/api/v1/nodes/plain/status", { status: { config: { error: "x" } } }, merge);
    assert.equal(object.status.config, undefined);
  });

  it("a volume's node affinity is compared as a field of its own", async () => {
    const affinity = (key: string): object => ({
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: "Exists" }] }] } },
    });
    const spec = { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/x" }, ...affinity("a") };
    const volumes = "/api/v1/persistentvolumes";
    const volume = { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "v" }, spec };
    await cluster.call("POST", volumes, volume);
    const { object } = await cluster.call("PATCH", `${volumes}/v`, { spec: affinity("b") }, merge);
    assert.equal(
      object.message,
      'PersistentVolume "v" is invalid: nodeAffinity: Invalid value: {"Required":{"NodeSelectorTerms":[{"MatchExpressions":[{"Key":"b","Operator":"Exists","Values":null}],"MatchFields":null}]}}: field is immutable, except for updating from beta label to GA',
    );
    const annotations = { "volume.beta.kubernetes.io/mount-options": "a" };
    const optional = await cluster.call("POST", volumes, { ...volume, metadata: { name: "w", annotations } });
    assert.equal(optional.code, 422);
  });

  it("huge pages may be limited by what is requested of them", async () => {
    const spec = { hard: { "requests.hugepages-2Mi": "1" } };
    const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "huge" }, spec };
    assert.equal((await cluster.call("POST", `${core}/resourcequotas`, quota)).code, 201);
  });

  it("a field that slices are not selected by is refused in their own words", async () => {
    const query = { fieldSelector: "spec.pool.name=p" };
    const { object } = await cluster.call("GET", "/apis/resource.k8s.io/v1/resourceslices", undefined, { query });
    assert.equal(object.message, "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.pool.name");
  });

  it("a token to go on with that has a letter too many is no base64", async () => {
    const query = { limit: "2", continue: "bogus" };
    const { object } = await cluster.call("GET", `${core}/pods`, undefined, { query });
    assert.equal(object.message, "invalid continue token: continue key is not valid: illegal base64 data at input byte 4");
  });

  it("kinds that began in extensions are known by their old version", async () => {
    const old = { apiVersion: "extensions/v1beta1", kind: "Deployment", metadata: { name: "y" } };
    const { object } = await cluster.call("POST", "/apis/apps/v1/namespaces/default/deployments", old);
    assert.equal(
      object.message,
      "the API version in the data (extensions/v1beta1) does not match the expected API version (apps/v1)",
    );
  });

  it("an event shows what may not change of it as Go prints it", async () => {
    const events = "/apis/events.k8s.io/v1/namespaces/default/events";
    const event = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: "e" },
      eventTime: "2026-01-01T00:00:00.000000Z",
      type: "Normal",
      action: "A",
      reason: "R",
      reportingController: "c.d/e",
      reportingInstance: "i",
      regarding: { kind: "Pod", name: "p", namespace: "default" },
    };
    assert.equal((await cluster.call("POST", events, event)).code, 201);
    const { object } = await cluster.call("PATCH", `${events}/e`, { related: { kind: "K", name: "n" } }, merge);
    assert.equal(
      object.message,
      'Event "e" is invalid: related: Invalid value: {"Kind":"K","Namespace":"","Name":"n","UID":"","APIVersion":"","ResourceVersion":"","FieldPath":""}: field is immutable',
    );
  });

  it("an empty list of webhooks is a change, though nobody owns it and nothing of it is kept", async () => {
    const path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    const kind = { apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration" };
    await cluster.call("POST", path, { ...kind, metadata: { name: "w" } });
    const { object } = await cluster.call("PATCH", `${path}/w`, { webhooks: [] }, merge);
    assert.deepEqual([object.metadata.generation, object.webhooks], [2, undefined]);
    assert.equal(JSON.stringify(object.metadata.managedFields ?? []).includes("f:webhooks"), false);
  });

  it("an ingress that lists no rules is shown the list", async () => {
    const ingress = { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name: "i" }, spec: { rules: [] } };
    const { object } = await cluster.call("POST", "/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress);
    assert.equal(
      object.message,
      'Ingress.networking.k8s.io "i" is invalid: spec: Invalid value: []: either `defaultBackend` or `rules` must be specified',
    );
    const backed = { ...ingress, spec: { ...ingress.spec, defaultBackend: { service: { name: "s", port: { number: 1 } } } } };
    const query = { dryRun: "All" };
    const dry = await cluster.call("POST", "/apis/networking.k8s.io/v1/namespaces/default/ingresses", backed, { query });
    assert.deepEqual([dry.code, dry.object.spec.rules], [201, undefined]);
  });

  it("a patch makes no other kind of an object", async () => {
    await cluster.call("POST", `${core}/configmaps`, { metadata: { name: "map" } });
    for (const change of [{ kind: "Secret" }, { apiVersion: "apps/v1" }]) {
      const { code, object } = await cluster.call("PATCH", `${core}/configmaps/map`, change, merge);
      assert.deepEqual([code, object.details.causes[0].field], [422, "patch"]);
    }
  });

  it("no definition is in a namespace, but one may ask", async () => {
    const query = { fieldSelector: "metadata.namespace=x" };
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const { code, object } = await cluster.call("GET", definitions, undefined, { query });
    assert.deepEqual([code, object.items], [200, []]);
  });

  it("options that are no object have no kind", async () => {
    const { code, object } = await cluster.call("DELETE", `${core}/configmaps/map`, ["x"]);
    assert.equal(code, 400);
    assert.match(
      object.message,
      /^couldn't get version\/kind; json parse error: json: cannot unmarshal array into Go value of type struct/,
    );
  });

  it("a version that ends where its name should begin is none, and discovery's kinds are kinds", async () => {
    const named = async (kind: object): Promise<string> =>
      (await cluster.call("POST", `${core}/configmaps`, { ...kind, metadata: { name: "x" } })).object.message;
    assert.match(await named({ apiVersion: "v1/", kind: "ConfigMap" }), /: Object 'apiVersion' is missing in '/);
    assert.match(
      await named({ apiVersion: "v1", kind: "APIGroup" }),
      /: converting \(v1\.APIGroup\) to \(core\.ConfigMap\): unknown/,
    );
  });

  it("a merged field of the wrong type is told by the type that it should have", async () => {
    await cluster.call("POST", `${core}/services`, { metadata: { name: "s" }, spec: { ports: [{ port: 1 }] } });
    const change = { spec: { ports: [{ port: "80", name: "x" }] } };
    const { code, object } = await cluster.call("PATCH", `${core}/services/s`, change, strategic);
    assert.deepEqual([code, object.details.causes[0].message.split(": ").at(-1)], [422, "int32"]);
    assert.match(object.message, /: unrecognized type: int32$/);
  });
});
