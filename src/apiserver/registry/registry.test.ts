// The generic registry, through the in-process door of a server in memory.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { AuditSink } from "../contract.ts";
import { certificateRequest } from "../testing/certificate-request.ts";
import { configMap, pod, serviceAccount, type TestServer, testServer } from "../testing/server.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const pods = "/api/v1/namespaces/default/pods";
const merge = { contentType: "application/merge-patch+json" };

describe("registry", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer();
    await cluster.call("POST", "/api/v1/namespaces/default/serviceaccounts", serviceAccount);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("create() gives uid, creationTimestamp, resourceVersion and managed fields", async () => {
    const { code, object } = await cluster.call("POST", maps, configMap("created", { data: { k: "v" } }));
    assert.equal(code, 201);
    assert.match(object.metadata.uid, /^[0-9a-f-]{36}$/);
    assert.equal(object.metadata.creationTimestamp, "2026-01-01T00:00:00Z");
    assert.ok(Number(object.metadata.resourceVersion) > 0);
    assert.deepEqual(object.metadata.managedFields[0].fieldsV1, { "f:data": { ".": {}, "f:k": {} } });
    assert.equal(object.metadata.managedFields[0].manager, "test");
  });

  it("the audit log has an in-process request with its query, as a URI", async () => {
    const heard: string[] = [];
    const audit: AuditSink = { record: (event) => void heard.push(event.requestURI), [Symbol.asyncDispose]: async () => {} };
    await using audited = await testServer({}, undefined, audit);
    heard.length = 0;
    await audited.call("GET", pods, undefined, { query: { fieldSelector: "spec.nodeName=n1", limit: "5" } });
    await audited.call("GET", maps);
    assert.deepEqual(new Set(heard), new Set([`${pods}?fieldSelector=spec.nodeName%3Dn1&limit=5`, maps]));
  });

  it("create() refuses a name that is taken", async () => {
    await cluster.call("POST", maps, configMap("taken"));
    const { code, object } = await cluster.call("POST", maps, configMap("taken"));
    assert.equal(code, 409);
    assert.equal(object.message, 'configmaps "taken" already exists');
  });

  it("create() makes a name from generateName", async () => {
    const { object } = await cluster.call("POST", maps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { generateName: "gen-" },
    });
    assert.match(object.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  it("create() with dryRun stores nothing", async () => {
    const { code } = await cluster.call("POST", maps, configMap("dry"), { query: { dryRun: "All" } });
    assert.equal(code, 201);
    assert.equal((await cluster.call("GET", `${maps}/dry`)).code, 404);
  });

  it("create() warns of unknown fields and refuses them when asked to be strict", async () => {
    const object = configMap("strict", { nope: 1 });
    assert.deepEqual((await cluster.call("POST", maps, object, { query: { dryRun: "All" } })).warnings, ['unknown field "nope"']);
    const refused = await cluster.call("POST", maps, object, { query: { fieldValidation: "Strict" } });
    assert.equal(
      refused.object.message,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "nope"',
    );
  });

  it("update() with an old resourceVersion conflicts", async () => {
    const { object } = await cluster.call("POST", maps, configMap("raced"));
    await cluster.call("PATCH", `${maps}/raced`, { data: { a: "1" } }, merge);
    const { code, object: status } = await cluster.call("PUT", `${maps}/raced`, { ...object, data: { a: "2" } });
    assert.equal(code, 409);
    assert.equal(
      status.message,
      'Operation cannot be fulfilled on configmaps "raced": the object has been modified; please apply your changes to the latest version and try again',
    );
  });

  it("update() without a change keeps the resourceVersion", async () => {
    const { object } = await cluster.call("POST", maps, configMap("same", { data: { k: "v" } }));
    cluster.clock.advance(5_000);
    const again = await cluster.call("PUT", `${maps}/same`, configMap("same", { data: { k: "v" } }));
    assert.equal(again.object.metadata.resourceVersion, object.metadata.resourceVersion);
  });

  it("patch() retries when another writer was faster", async () => {
    await cluster.call("POST", maps, configMap("busy"));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => cluster.call("PATCH", `${maps}/busy`, { data: { [`k${i}`]: "v" } }, merge)),
    );
    assert.deepEqual(
      answers.map((answer) => answer.code),
      Array(10).fill(200),
    );
    const { object } = await cluster.call("GET", `${maps}/busy`);
    assert.equal(Object.keys(object.data).length, 10);
  });

  it("apply creates, and conflicts with another manager's field", async () => {
    const apply = (manager: string, value: string, force = ""): Promise<{ code: number; object: { message: string } }> =>
      cluster.call("PATCH", `${maps}/applied`, configMap("applied", { data: { k: value } }), {
        contentType: "application/apply-patch+yaml",
        query: { fieldManager: manager, ...(force === "" ? {} : { force }) },
      });
    assert.equal((await apply("one", "1")).code, 201);
    const refused = await apply("two", "2");
    assert.equal(refused.code, 409);
    assert.match(refused.object.message, /^Apply failed with 1 conflict: conflict with "one": \.data\.k$/);
    assert.equal((await apply("two", "2", "true")).code, 200);
  });

  it("apply refuses another kind, no kind, no name and another namespace", async () => {
    const rows: readonly (readonly [object, string])[] = [
      [{ kind: "ConfigMap" }, "invalid object type: /, Kind=ConfigMap"],
      [{ apiVersion: "v1", kind: "Secret", metadata: { name: "a" } }, "invalid object type: /v1, Kind=Secret"],
      [{ apiVersion: "apps/v1", kind: "Deployment" }, "invalid object type: apps/v1, Kind=Deployment"],
      [
        { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "a" } },
        "the name of the object (a based on URL) was undeterminable: name must be provided",
      ],
      [
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "other" } },
        "the namespace of the provided object does not match the namespace sent on the request",
      ],
    ];
    for (const [body, expected] of rows) {
      const { code, object } = await cluster.call("PATCH", `${maps}/a`, body, {
        contentType: "application/apply-patch+yaml",
        query: { fieldManager: "m" },
      });
      assert.deepEqual([code, object.message], [400, expected]);
    }
  });

  it("apply to an object that exists need not name it", async () => {
    await cluster.call("POST", maps, configMap("named", { data: { a: "1" } }));
    const apply = (metadata: object): Promise<{ code: number; object: { message?: string; data?: object } }> =>
      cluster.call(
        "PATCH",
        `${maps}/named`,
        { apiVersion: "v1", kind: "ConfigMap", metadata, data: { b: "2" } },
        { contentType: "application/apply-patch+yaml", query: { fieldManager: "m" } },
      );
    const { code, object } = await apply({});
    assert.deepEqual([code, object.data], [200, { a: "1", b: "2" }]);
    const refused = await apply({ name: "other" });
    assert.deepEqual(
      [refused.code, refused.object.message],
      [400, "the name of the object (other) does not match the name on the URL (named)"],
    );
  });

  describe("words that every JavaScript object answers to are words like any other", () => {
    const objects = {
      "a secret's type": ["secrets", { kind: "Secret", type: "constructor" }],
      "a key of data": ["configmaps", { kind: "ConfigMap", data: JSON.parse('{"__proto__":"1","constructor":"2"}') }],
      "an annotation of a pod": [
        "pods",
        { kind: "Pod", metadata: { annotations: { constructor: "1" } }, spec: { containers: [{ name: "c", image: "i" }] } },
      ],
      "a node selector of a pod": [
        "pods",
        { kind: "Pod", spec: { nodeSelector: { constructor: "1" }, containers: [{ name: "c", image: "i" }] } },
      ],
    } as const;
    for (const [what, [plural, object]] of Object.entries(objects)) {
      it(what, async () => {
        const name = `odd-${Object.keys(objects).indexOf(what)}`;
        const metadata = { ...("metadata" in object ? object.metadata : {}), name };
        const made = await cluster.call("POST", `/api/v1/namespaces/default/${plural}`, {
          apiVersion: "v1",
          ...object,
          metadata,
        });
        assert.equal(made.code, 201, JSON.stringify(made.object));
        assert.deepEqual(made.warnings ?? [], []);
        const { kind: _kind, metadata: _metadata, spec: _spec, ...rest } = object as { kind: string; metadata?: 0; spec?: 0 };
        const kept = Object.fromEntries(Object.entries(made.object).filter(([key]) => Object.hasOwn(rest, key)));
        assert.equal(JSON.stringify(kept), JSON.stringify(rest));
      });
    }
    for (const field of ["constructor", "__proto__", "toString"])
      it(`the field selector ${field}`, async () => {
        const { code, object } = await cluster.call("GET", pods, undefined, { query: { fieldSelector: `${field}=a` } });
        assert.deepEqual([code, object.message], [400, `field label not supported: ${field}`]);
      });
    it("a divisor of an unknown resource, a kind of subject", async () => {
      const env = [{ name: "A", valueFrom: { resourceFieldRef: { resource: "requests.constructor", divisor: "1" } } }];
      const refused = await cluster.call("POST", pods, pod("odd-resource", { containers: [{ name: "c", image: "i", env }] }));
      assert.equal(refused.code, 422, refused.object.message);
      const schema = await cluster.call("POST", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", {
        apiVersion: "flowcontrol.apiserver.k8s.io/v1",
        kind: "FlowSchema",
        metadata: { name: "odd" },
        spec: { priorityLevelConfiguration: { name: "x" }, rules: [{ subjects: [{ kind: "constructor" }] }] },
      });
      assert.equal(schema.code, 422, schema.object.message);
    });
  });

  it("delete() keeps an object with finalizers until the last one is gone", async () => {
    await cluster.call("POST", maps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "held", finalizers: ["x.y/z"] } });
    const held = await cluster.call("DELETE", `${maps}/held`);
    assert.ok(held.object.metadata.deletionTimestamp);
    assert.equal((await cluster.call("GET", `${maps}/held`)).code, 200);
    await cluster.call("PATCH", `${maps}/held`, { metadata: { finalizers: null } }, merge);
    assert.equal((await cluster.call("GET", `${maps}/held`)).code, 404);
  });

  it("delete() with foreground propagation adds the finalizer", async () => {
    await cluster.call("POST", maps, configMap("parent"));
    const { object } = await cluster.call("DELETE", `${maps}/parent`, { propagationPolicy: "Foreground" });
    assert.deepEqual(object.metadata.finalizers, ["foregroundDeletion"]);
  });

  it("delete() refuses a wrong uid precondition", async () => {
    await cluster.call("POST", maps, configMap("guarded"));
    const { code, object } = await cluster.call("DELETE", `${maps}/guarded`, { preconditions: { uid: "other" } });
    assert.equal(code, 409);
    assert.match(object.message, /the UID in the precondition \(other\) does not match the UID in record/);
  });

  it("a bound pod is deleted with grace, then by force: MODIFIED, MODIFIED, DELETED", async () => {
    await cluster.call("POST", pods, pod("graceful"));
    const bound = await cluster.call("POST", `${pods}/graceful/binding`, {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "graceful" },
      target: { kind: "Node", name: "n" },
    });
    assert.equal(bound.code, 201);
    const { object } = await cluster.call("GET", `${pods}/graceful`);
    assert.equal(object.spec.nodeName, "n");
    const watch = await cluster.watch(pods, {
      resourceVersion: object.metadata.resourceVersion,
      fieldSelector: "metadata.name=graceful",
    });
    const soft = await cluster.call("DELETE", `${pods}/graceful`);
    assert.equal(soft.object.metadata.deletionGracePeriodSeconds, 30);
    await cluster.call("DELETE", `${pods}/graceful`, { gracePeriodSeconds: 0 });
    const seen: string[] = [];
    for (let i = 0; i < 3; i++) seen.push(((await watch.next()).value as { type: string }).type);
    assert.deepEqual(seen, ["MODIFIED", "MODIFIED", "DELETED"]);
    await watch.return?.();
  });

  it("a pod cannot be bound twice", async () => {
    await cluster.call("POST", pods, pod("twice"));
    const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: "twice" }, target: { name: "n" } };
    await cluster.call("POST", `${pods}/twice/binding`, binding);
    const { code, object } = await cluster.call("POST", `${pods}/twice/binding`, binding);
    assert.equal(code, 409);
    assert.equal(
      object.message,
      'Operation cannot be fulfilled on pods/binding "twice": pod twice is already assigned to node "n"',
    );
  });

  it("list() pages consistently while objects change", async () => {
    for (const name of ["p1", "p2", "p3"])
      await cluster.call("POST", maps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { paged: "y" } } });
    const first = await cluster.call("GET", maps, undefined, { query: { limit: "2", labelSelector: "paged=y" } });
    await cluster.call("DELETE", `${maps}/p3`);
    const second = await cluster.call("GET", maps, undefined, {
      query: { limit: "2", labelSelector: "paged=y", continue: first.object.metadata.continue },
    });
    assert.deepEqual(
      [...first.object.items, ...second.object.items].map((item) => item.metadata.name),
      ["p1", "p2", "p3"],
    );
  });

  it("a watch from a revision that is not remembered begins, and its first event says to list again", async () => {
    await using later = await testServer({}, cluster.store);
    const events: { type: string; object: { code: number; reason: string; message: string } }[] = [];
    const watch = await later.watch(pods, { resourceVersion: "1" });
    for (let next = await watch.next(); !next.done; next = await watch.next()) events.push(next.value as (typeof events)[number]);
    assert.deepEqual(
      events.map(({ type, object }) => [type, object.code, object.reason]),
      [["ERROR", 410, "Expired"]],
    );
    assert.match(events[0]?.object.message ?? "", /^too old resource version: 1 \(\d+\)$/);
  });

  it("list() goes on from the same key, as things are now, when its revision is compacted away", async () => {
    const query = { limit: "2", labelSelector: "gone=y" };
    for (const name of ["c1", "c2", "c3", "c4"])
      await cluster.call("POST", maps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { gone: "y" } } });
    const first = await cluster.call("GET", maps, undefined, { query });
    // the maps themselves stay as they are: the token ends with the history alone
    await cluster.call("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "elsewhere" } });
    await cluster.store.compact(cluster.store.revision);
    const { continue: token } = first.object.metadata;
    const refused = await cluster.call("GET", maps, undefined, { query: { ...query, continue: token } });
    assert.deepEqual([refused.code, refused.object.reason], [410, "Expired"]);
    const rest = await cluster.call("GET", maps, undefined, {
      query: { ...query, continue: refused.object.metadata.continue },
    });
    assert.deepEqual(
      rest.object.items.map((item: { metadata: { name: string } }) => item.metadata.name),
      ["c3", "c4"],
    );
  });

  it("list() of a future resourceVersion times out after three seconds", async () => {
    const pending = cluster.call("GET", maps, undefined, { query: { resourceVersion: "999999" } });
    await cluster.clock.advance(3_000);
    const { code, object } = await pending;
    assert.equal(code, 504);
    assert.match(object.message, /^Timeout: Too large resource version: 999999, current: \d+$/);
  });

  it("status and main resource keep each other's part", async () => {
    const deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "d" },
      spec: {
        selector: { matchLabels: { a: "b" } },
        template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } },
      },
    };
    const path = "/apis/apps/v1/namespaces/default/deployments";
    await cluster.call("POST", path, deployment);
    await cluster.call("PATCH", `${path}/d/status`, { spec: { replicas: 7 }, status: { replicas: 3 } }, merge);
    const { object } = await cluster.call("PATCH", `${path}/d`, { status: { replicas: 9 }, spec: { paused: true } }, merge);
    assert.equal(object.spec.replicas, 1);
    assert.equal(object.status.replicas, 3);
    assert.equal(object.metadata.generation, 2);
  });

  it("scale reads and writes the replicas of a workload", async () => {
    const path = "/apis/apps/v1/namespaces/default/deployments/d/scale";
    const { object } = await cluster.call("PATCH", path, { spec: { replicas: 4 } }, merge);
    assert.deepEqual(
      { kind: object.kind, spec: object.spec, selector: object.status.selector },
      { kind: "Scale", spec: { replicas: 4 }, selector: "a=b" },
    );
  });

  it("events are one object in two API groups", async () => {
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "e", namespace: "default" },
      involvedObject: { kind: "Pod", name: "p", namespace: "default" },
      reason: "R",
      message: "hello",
      type: "Normal",
    };
    await cluster.call("POST", "/api/v1/namespaces/default/events", event);
    const { object } = await cluster.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e");
    assert.equal(object.apiVersion, "events.k8s.io/v1");
    assert.equal(object.note, "hello");
    assert.equal(object.regarding.name, "p");
  });

  it("a scale owns the replicas without a time, and nothing when it is zero", async () => {
    const path = "/apis/apps/v1/namespaces/default/deployments";
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    const spec = { replicas: 2, selector: { matchLabels: { a: "b" } }, template };
    await cluster.call("POST", path, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "scaled" }, spec });
    const owners = async (replicas: number): Promise<object[]> => {
      await cluster.call("PATCH", `${path}/scaled/scale`, { spec: { replicas } }, merge);
      const { object } = await cluster.call("GET", `${path}/scaled`);
      return object.metadata.managedFields.filter((entry: { subresource?: string }) => entry.subresource === "scale");
    };
    assert.deepEqual(await owners(5), [
      {
        apiVersion: "apps/v1",
        fieldsType: "FieldsV1",
        fieldsV1: { "f:spec": { "f:replicas": {} } },
        manager: "test",
        operation: "Update",
        subresource: "scale",
      },
    ]);
    assert.deepEqual(await owners(0), []);
  });

  it("an applied scale conflicts with who else set the replicas, and takes them by force", async () => {
    const path = "/apis/apps/v1/namespaces/default/deployments";
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    const spec = { replicas: 2, selector: { matchLabels: { a: "b" } }, template };
    await cluster.call("POST", path, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "applied" }, spec });
    const apply = (replicas: number, query: Record<string, string> = {}) =>
      cluster.call(
        "PATCH",
        `${path}/applied/scale`,
        { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "applied" }, spec: { replicas } },
        { contentType: "application/apply-patch+yaml", query: { fieldManager: "hpa", ...query } },
      );
    const refused = await apply(5);
    assert.equal(refused.code, 409);
    assert.match(
      refused.object.message,
      /^Apply failed with 1 conflict: conflict with "test" using autoscaling\/v1.*: \.spec\.replicas$/,
    );
    assert.equal((await apply(5, { force: "true" })).object.spec.replicas, 5);
    assert.equal((await apply(6)).object.spec.replicas, 6);
    const { object } = await cluster.call("GET", `${path}/applied`);
    const owns = (entry: { fieldsV1: Record<string, object> }): boolean => "f:replicas" in (entry.fieldsV1["f:spec"] ?? {});
    const owners = object.metadata.managedFields.filter(owns);
    assert.deepEqual(
      owners.map(({ manager, operation, subresource }: Record<string, string>) => [manager, operation, subresource]),
      [["hpa", "Apply", "scale"]],
    );
  });

  it("what a certificate signing request asks for cannot be changed, and nobody owns it", async () => {
    const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    const spec = {
      request: certificateRequest(),
      signerName: "example.com/a",
      usages: ["client auth"],
    };
    const created = await cluster.call("POST", path, {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name: "csr" },
      spec,
    });
    assert.deepEqual(created.object.metadata.managedFields, undefined);
    const patched = await cluster.call("PATCH", `${path}/csr`, { spec: { signerName: "example.com/b" } }, merge);
    assert.equal(patched.object.spec.signerName, "example.com/a");
  });

  it("a volume begins pending, with the time of that", async () => {
    const spec = { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/x" } };
    const volume = { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "pv" }, spec };
    const { object } = await cluster.call("POST", "/api/v1/persistentvolumes", volume);
    assert.deepEqual(object.status, { phase: "Pending", lastPhaseTransitionTime: object.metadata.creationTimestamp });
  });

  it("a label of an endpoint slice counts as a new generation", async () => {
    const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    const slice = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { name: "s" } };
    await cluster.call("POST", path, { ...slice, addressType: "IPv4", endpoints: [] });
    const { object } = await cluster.call("PATCH", `${path}/s`, { metadata: { labels: { a: "b" } } }, merge);
    assert.equal(object.metadata.generation, 2);
  });

  it("a merge patch warns of unknown fields in the order of their names", async () => {
    await cluster.call("POST", maps, configMap("warned"));
    const body = { zeta: 1, metadata: { bar: 1 }, alpha: 1 };
    assert.deepEqual((await cluster.call("PATCH", `${maps}/warned`, body, merge)).warnings, [
      'unknown field "alpha"',
      'unknown field "metadata.bar"',
      'unknown field "zeta"',
    ]);
  });

  it("an event of events.k8s.io says once what happened; errors name the kind of the core group", async () => {
    const path = "/apis/events.k8s.io/v1/namespaces/default/events";
    const created = await cluster.call("POST", path, {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: "once" },
      regarding: { kind: "Pod", name: "p", namespace: "default", apiVersion: "v1" },
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "example.com/c",
      reportingInstance: "i",
      action: "Act",
      reason: "R",
      type: "Normal",
    });
    assert.equal(created.code, 201);
    const { code, object } = await cluster.call("PATCH", `${path}/once`, { reason: "X" }, merge);
    assert.deepEqual(
      { code, message: object.message },
      { code: 422, message: 'Event "once" is invalid: reason: Invalid value: "X": field is immutable' },
    );
  });

  it("the spec of a resource claim stays, its labels may change", async () => {
    const path = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
    const requests = (name: string): object => ({ devices: { requests: [{ name, exactly: { deviceClassName: "c" } }] } });
    const claim = { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", metadata: { name: "claim" }, spec: requests("a") };
    assert.equal((await cluster.call("POST", path, claim)).code, 201);
    assert.equal((await cluster.call("PATCH", `${path}/claim`, { spec: requests("b") }, merge)).code, 422);
    assert.equal((await cluster.call("PATCH", `${path}/claim`, { metadata: { labels: { a: "b" } } }, merge)).code, 200);
  });
});
