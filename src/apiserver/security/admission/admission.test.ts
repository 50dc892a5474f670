// The admission plugins: what each changes and refuses, in upstream's words.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import {
  type ApiObject,
  certificateSigningRequests,
  ingressClasses,
  ingresses,
  leases,
  limitRanges,
  namespaces,
  nodes,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  priorityClasses,
  type ResourceType,
  runtimeClasses,
  serviceAccounts,
  storageClasses,
} from "#api";
import { seededRandom, VirtualClock, writeRequest } from "#base";
import type { AdmissionContext, AdmissionPlugin } from "../../contract.ts";
import { admissionContext, FakeObjects } from "../testing/objects.ts";
import { admissionPlugins, registry } from "./plugins.ts";

function world(prepare: (objects: FakeObjects) => void = () => {}) {
  const objects = new FakeObjects();
  objects.put(namespaces, { metadata: { name: "default" } });
  objects.put(serviceAccounts, { metadata: { namespace: "default", name: "default" } });
  prepare(objects);
  const authorizer = { authorize: () => ({ allowed: false, reason: "" }) };
  const deps = { reader: objects, writer: objects, clock: new VirtualClock(), random: seededRandom(1), authorizer };
  return {
    objects,
    plugins: (names: readonly string[]) => registry.filter(({ name }) => names.includes(name)).map(({ create }) => create(deps)),
    deps,
  };
}

async function run(
  plugins: readonly AdmissionPlugin[],
  object: ApiObject | undefined,
  context: AdmissionContext,
): Promise<ApiObject | undefined> {
  let now = object;
  if (now !== undefined) for (const plugin of plugins) now = (await plugin.mutate?.(now, context)) ?? now;
  for (const plugin of plugins) await plugin.validate?.(now, context);
  return now;
}

interface Row {
  readonly plugin: string;
  readonly name: string;
  readonly type: ResourceType;
  readonly object?: object;
  readonly context?: Partial<AdmissionContext>;
  readonly objects?: (objects: FakeObjects) => void;
  /** Members that the result must have (deeply), or the message of the refusal. */
  readonly expected: object | string;
}

const container = { name: "c", image: "i" };
const pod = (spec: object = {}, metadata: object = {}): object => ({
  metadata: { namespace: "default", name: "p", ...metadata },
  spec: { containers: [container], ...spec },
});
const stored = (object: object): never => object as never; // stands for an object from the store
const nodeRequest = (node: string): object => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const request = writeRequest(privateKey, { commonName: `system:node:${node}`, organizations: ["system:nodes"] });
  return {
    metadata: { name: "csr" },
    spec: { request: Buffer.from(request).toString("base64"), signerName: "kubernetes.io/kubelet-serving", usages: [] },
  };
};
const kubelet = { name: "system:node:n1", groups: ["system:nodes"] };
const token = (name: string): object => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
    ],
    defaultMode: 420,
  },
});
const mount = (name: string): object => ({ name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" });

const rows: readonly Row[] = [
  {
    plugin: "NamespaceLifecycle",
    name: "refuses a namespace that is not there",
    type: pods,
    object: pod(),
    context: { namespace: "nope" },
    expected: 'namespaces "nope" not found',
  },
  {
    plugin: "NamespaceLifecycle",
    name: "refuses new content in a namespace that ends",
    type: pods,
    object: pod(),
    context: { name: "p" },
    objects: (objects) => objects.put(namespaces, { metadata: { name: "default", deletionTimestamp: "2026-01-01T00:00:00Z" } }),
    expected: 'pods "p" is forbidden: unable to create new content in namespace default because it is being terminated',
  },
  {
    plugin: "NamespaceLifecycle",
    name: "lets objects of a namespace that ends be updated",
    type: pods,
    object: pod(),
    context: { name: "p", operation: "UPDATE" },
    objects: (objects) => objects.put(namespaces, { metadata: { name: "default", deletionTimestamp: "2026-01-01T00:00:00Z" } }),
    expected: {},
  },
  {
    plugin: "NamespaceLifecycle",
    name: "keeps kube-system",
    type: namespaces,
    context: { operation: "DELETE", name: "kube-system" },
    expected: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
  },
  {
    plugin: "ServiceAccount",
    name: "mounts a token",
    type: pods,
    object: pod(),
    expected: {
      spec: {
        serviceAccountName: "default",
        serviceAccount: "default",
        volumes: [token("kube-api-access-GEN")],
        containers: [{ ...container, volumeMounts: [mount("kube-api-access-GEN")] }],
      },
    },
  },
  {
    plugin: "ServiceAccount",
    name: "mounts no token when the pod says so",
    type: pods,
    object: pod({ automountServiceAccountToken: false }),
    expected: { spec: { volumes: undefined, containers: [container] } },
  },
  {
    plugin: "ServiceAccount",
    name: "asks the account when the pod says nothing",
    type: pods,
    object: pod(),
    expected: { spec: { volumes: undefined } },
    objects: (objects) =>
      objects.put(serviceAccounts, { metadata: { namespace: "default", name: "default" }, automountServiceAccountToken: false }),
  },
  {
    plugin: "ServiceAccount",
    name: "uses a token volume that is there",
    type: pods,
    object: pod({ volumes: [token("kube-api-access-mine")] }),
    expected: {
      spec: {
        volumes: [token("kube-api-access-mine")],
        containers: [{ ...container, volumeMounts: [mount("kube-api-access-mine")] }],
      },
    },
  },
  {
    plugin: "ServiceAccount",
    name: "hands on image pull secrets unless the pod has its own",
    type: pods,
    object: pod(),
    expected: { spec: { imagePullSecrets: [{ name: "x" }] } },
    objects: (objects) =>
      objects.put(serviceAccounts, { metadata: { namespace: "default", name: "default" }, imagePullSecrets: [{ name: "x" }] }),
  },
  {
    plugin: "ServiceAccount",
    name: "refuses an account that is not there",
    type: pods,
    object: pod({ serviceAccountName: "nope" }),
    context: { name: "p" },
    expected: 'pods "p" is forbidden: error looking up service account default/nope: serviceaccount "nope" not found',
  },
  {
    plugin: "ServiceAccount",
    name: "names a generated pod by its prefix",
    type: pods,
    object: pod({ serviceAccountName: "nope" }, { name: undefined, generateName: "web-" }),
    expected: 'pods "web-" is forbidden: error looking up service account default/nope: serviceaccount "nope" not found',
  },
  {
    plugin: "Priority",
    name: "is zero without a class",
    type: pods,
    object: pod(),
    expected: { spec: { priority: 0, preemptionPolicy: "PreemptLowerPriority", priorityClassName: undefined } },
  },
  {
    plugin: "Priority",
    name: "takes the default class",
    type: pods,
    object: pod(),
    expected: { spec: { priority: 7, priorityClassName: "normal", preemptionPolicy: "Never" } },
    objects: (objects) =>
      objects.put(priorityClasses, { metadata: { name: "normal" }, value: 7, globalDefault: true, preemptionPolicy: "Never" }),
  },
  {
    plugin: "Priority",
    name: "refuses an unknown class",
    type: pods,
    object: pod({ priorityClassName: "x" }),
    context: { name: "p" },
    expected: 'pods "p" is forbidden: no PriorityClass with name x was found',
  },
  {
    plugin: "Priority",
    name: "refuses a number that is not the class's",
    type: pods,
    object: pod({ priority: 5 }),
    context: { name: "p" },
    expected:
      'pods "p" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
  },
  {
    plugin: "Priority",
    name: "keeps the system's classes",
    type: priorityClasses,
    context: { operation: "DELETE", name: "system-node-critical" },
    expected:
      'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: this is a system priority class and cannot be deleted',
  },
  {
    plugin: "DefaultTolerationSeconds",
    name: "adds what is not tolerated yet",
    type: pods,
    object: pod({ tolerations: [{ key: "node.kubernetes.io/unreachable", operator: "Exists" }] }),
    expected: {
      spec: {
        tolerations: [
          { key: "node.kubernetes.io/unreachable", operator: "Exists" },
          { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
        ],
      },
    },
  },
  {
    plugin: "DefaultTolerationSeconds",
    name: "adds nothing to a pod that tolerates everything",
    type: pods,
    object: pod({ tolerations: [{ operator: "Exists" }] }),
    expected: { spec: { tolerations: [{ operator: "Exists" }] } },
  },
  {
    plugin: "TaintNodesByCondition",
    name: "taints a new node",
    type: nodes,
    object: { metadata: { name: "n" }, spec: { taints: [{ key: "a", effect: "NoSchedule" }] } },
    expected: {
      spec: {
        taints: [
          { key: "a", effect: "NoSchedule" },
          { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
        ],
      },
    },
  },
  {
    plugin: "LimitRanger",
    name: "fills in defaults and says so",
    type: pods,
    object: pod(),
    objects: (objects) =>
      objects.put(limitRanges, {
        metadata: { namespace: "default", name: "l" },
        spec: {
          limits: [
            { type: "Container", default: { cpu: "500m", memory: "1Gi" }, defaultRequest: { cpu: "100m", memory: "1Gi" } },
          ],
        },
      }),
    expected: {
      metadata: {
        annotations: {
          "kubernetes.io/limit-ranger":
            "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c",
        },
      },
      spec: {
        containers: [
          { ...container, resources: { requests: { cpu: "100m", memory: "1Gi" }, limits: { cpu: "500m", memory: "1Gi" } } },
        ],
      },
    },
  },
  {
    plugin: "LimitRanger",
    name: "tells every bound that is broken",
    type: pods,
    object: pod({
      containers: [{ ...container, resources: { requests: { cpu: "10m", memory: "3Gi" }, limits: { cpu: "4", memory: "4Gi" } } }],
    }),
    context: { name: "p" },
    objects: (objects) =>
      objects.put(limitRanges, {
        metadata: { namespace: "default", name: "l" },
        spec: {
          limits: [
            { type: "Container", min: { cpu: "50m" }, max: { cpu: "1", memory: "2Gi" }, maxLimitRequestRatio: { cpu: "5" } },
          ],
        },
      }),
    expected:
      'pods "p" is forbidden: [minimum cpu usage per Container is 50m, but request is 10m, maximum cpu usage per Container is 1, but limit is 4, maximum memory usage per Container is 2Gi, but limit is 4Gi, cpu max limit to request ratio per Container is 5, but provided ratio is 400.000000]',
  },
  {
    plugin: "LimitRanger",
    name: "adds up the containers of a pod, the larger of init and regular ones",
    type: pods,
    context: { name: "p" },
    object: pod({
      containers: [{ ...container, resources: { limits: { cpu: "1" } } }],
      initContainers: [{ name: "i", resources: { limits: { cpu: "2" } } }],
    }),
    objects: (objects) =>
      objects.put(limitRanges, {
        metadata: { namespace: "default", name: "l" },
        spec: { limits: [{ type: "Pod", max: { cpu: "1" } }] },
      }),
    expected: 'pods "p" is forbidden: maximum cpu usage per Pod is 1, but limit is 2',
  },
  {
    plugin: "RuntimeClass",
    name: "takes overhead, selector and tolerations from the class",
    type: pods,
    object: pod({ runtimeClassName: "r", tolerations: [{ key: "own" }] }),
    objects: (objects) =>
      objects.put(runtimeClasses, {
        metadata: { name: "r" },
        handler: "h",
        overhead: { podFixed: { cpu: "10m" } },
        scheduling: { nodeSelector: { a: "b" }, tolerations: [{ key: "k" }, { key: "own" }] },
      }),
    expected: { spec: { overhead: { cpu: "10m" }, nodeSelector: { a: "b" }, tolerations: [{ key: "own" }, { key: "k" }] } },
  },
  {
    plugin: "RuntimeClass",
    name: "leaves out tolerations that another one covers",
    type: pods,
    object: pod({
      runtimeClassName: "r",
      tolerations: [
        { key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
        { key: "b", value: "x" },
      ],
    }),
    objects: (objects) =>
      objects.put(runtimeClasses, {
        metadata: { name: "r" },
        handler: "h",
        scheduling: {
          tolerations: [
            { key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 7 },
            { key: "a", operator: "Exists", effect: "NoSchedule" },
            { key: "b", operator: "Exists" },
            { key: "c", value: "y" },
            { key: "c", value: "z" },
          ],
        },
      }),
    expected: {
      spec: {
        tolerations: [
          { key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
          { key: "a", operator: "Exists", effect: "NoSchedule" },
          { key: "b", operator: "Exists" },
          { key: "c", value: "y" },
          { key: "c", value: "z" },
        ],
      },
    },
  },
  {
    plugin: "RuntimeClass",
    name: "refuses a class that is not there",
    type: pods,
    object: pod({ runtimeClassName: "r" }),
    context: { name: "p" },
    expected: 'pods "p" is forbidden: pod rejected: RuntimeClass "r" not found',
  },
  {
    plugin: "RuntimeClass",
    name: "refuses overhead without a class",
    type: pods,
    object: pod({ overhead: { cpu: "1m" } }),
    context: { name: "p" },
    expected: 'pods "p" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
  },
  {
    plugin: "DefaultStorageClass",
    name: "takes the newest default class",
    type: persistentVolumeClaims,
    object: { metadata: { name: "c" }, spec: {} },
    expected: { spec: { storageClassName: "new" } },
    objects: (objects) => {
      const annotations = { "storageclass.kubernetes.io/is-default-class": "true" };
      objects.put(storageClasses, {
        metadata: { name: "old", annotations, creationTimestamp: "2026-01-01T00:00:00Z" },
        provisioner: "p",
      });
      objects.put(storageClasses, {
        metadata: { name: "new", annotations, creationTimestamp: "2026-01-02T00:00:00Z" },
        provisioner: "p",
      });
    },
  },
  {
    plugin: "StorageObjectInUseProtection",
    name: "protects claims",
    type: persistentVolumeClaims,
    object: { metadata: { name: "c" } },
    expected: { metadata: { finalizers: ["kubernetes.io/pvc-protection"] } },
  },
  {
    plugin: "StorageObjectInUseProtection",
    name: "protects volumes",
    type: persistentVolumes,
    object: { metadata: { name: "v", finalizers: ["x"] } },
    expected: { metadata: { finalizers: ["x", "kubernetes.io/pv-protection"] } },
  },
  {
    plugin: "PersistentVolumeClaimResize",
    name: "lets only claims of an expandable class grow",
    type: persistentVolumeClaims,
    context: {
      operation: "UPDATE",
      name: "c",
      old: stored({ metadata: { name: "c" }, spec: { resources: { requests: { storage: "1Gi" } } }, status: { phase: "Bound" } }),
    },
    object: { metadata: { name: "c" }, spec: { storageClassName: "s", resources: { requests: { storage: "2Gi" } } } },
    expected:
      'persistentvolumeclaims "c" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
  },
  {
    plugin: "DefaultIngressClass",
    name: "gives an ingress the default class",
    type: ingresses,
    object: { metadata: { name: "i" }, spec: {} },
    expected: { spec: { ingressClassName: "nginx" } },
    objects: (objects) =>
      objects.put(ingressClasses, {
        metadata: { name: "nginx", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
      }),
  },
  {
    plugin: "PodTopologyLabels",
    name: "puts the node's zone onto a binding",
    type: pods,
    object: { metadata: { name: "p" }, target: { kind: "Node", name: "n" } },
    context: { subresource: "binding" },
    expected: { metadata: { labels: { "topology.kubernetes.io/zone": "z" } } },
    objects: (objects) =>
      objects.put(nodes, { metadata: { name: "n", labels: { "topology.kubernetes.io/zone": "z", other: "x" } }, spec: {} }),
  },
  {
    plugin: "NodeRestriction",
    name: "lets a kubelet create mirror pods only",
    type: pods,
    object: pod({ nodeName: "n1" }),
    context: { name: "p", user: kubelet },
    expected:
      'pods "p" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
  },
  {
    plugin: "NodeRestriction",
    name: "keeps a kubelet off other nodes",
    type: nodes,
    object: { metadata: { name: "n2" } },
    context: { name: "n2", user: kubelet },
    expected: 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
  },
  {
    plugin: "NodeRestriction",
    name: "keeps a kubelet off reserved labels",
    type: nodes,
    object: { metadata: { name: "n1", labels: { "node-restriction.kubernetes.io/x": "y", "kubernetes.io/os": "linux" } } },
    context: { name: "n1", user: kubelet },
    expected: 'nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: node-restriction.kubernetes.io/x',
  },
  {
    plugin: "NodeRestriction",
    name: "keeps a kubelet off its taints",
    type: nodes,
    object: { metadata: { name: "n1" }, spec: {} },
    context: {
      operation: "UPDATE",
      name: "n1",
      user: kubelet,
      old: stored({ metadata: { name: "n1" }, spec: { taints: [{ key: "a", effect: "NoSchedule" }] } }),
    },
    expected: 'nodes "n1" is forbidden: node "n1" is not allowed to modify taints',
  },
  {
    plugin: "NodeRestriction",
    name: "keeps a kubelet off the status of other nodes' pods",
    type: pods,
    object: pod({ nodeName: "n2" }),
    context: { operation: "UPDATE", subresource: "status", name: "p", user: kubelet, old: stored(pod({ nodeName: "n2" })) },
    expected: 'pods "p" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself',
  },
  {
    plugin: "NodeRestriction",
    name: "lets a kubelet have its own lease only",
    type: leases,
    object: { metadata: { name: "n2" } },
    context: { namespace: "kube-node-lease", user: kubelet },
    expected: 'leases.coordination.k8s.io "n2" is forbidden: can only access leases with the same name as the requesting node',
  },
  {
    plugin: "NodeRestriction",
    name: "lets a kubelet ask for certificates in its own name",
    type: certificateSigningRequests,
    object: nodeRequest("n1"),
    context: { name: "csr", user: kubelet },
    expected: {},
  },
  {
    plugin: "NodeRestriction",
    name: "keeps a kubelet from asking for another node's certificate",
    type: certificateSigningRequests,
    object: nodeRequest("n2"),
    context: { name: "csr", user: kubelet },
    expected:
      'certificatesigningrequests.certificates.k8s.io "csr" is forbidden: can only create a node CSR with CN=system:node:n1',
  },
  {
    plugin: "NodeRestriction",
    name: "says nothing to others",
    type: nodes,
    object: { metadata: { name: "n2" } },
    context: { name: "n2" },
    expected: {},
  },
  {
    plugin: "PodSecurity",
    name: "refuses what the enforced standard forbids",
    type: pods,
    object: pod({ hostNetwork: true, hostPID: true }),
    context: { name: "p" },
    objects: (objects) =>
      objects.put(namespaces, { metadata: { name: "default", labels: { "pod-security.kubernetes.io/enforce": "baseline" } } }),
    expected: 'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true, hostPID=true)',
  },
  {
    plugin: "PodSecurity",
    name: "lets a pod from before the label change its labels",
    type: pods,
    object: pod({ hostNetwork: true }),
    context: { operation: "UPDATE", name: "p", old: stored(pod({ hostNetwork: true })) },
    expected: {},
    objects: (objects) =>
      objects.put(namespaces, { metadata: { name: "default", labels: { "pod-security.kubernetes.io/enforce": "baseline" } } }),
  },
  {
    plugin: "PodSecurity",
    name: "refuses labels that are no level",
    type: namespaces,
    object: {
      metadata: {
        name: "x",
        labels: { "pod-security.kubernetes.io/enforce": "strict", "pod-security.kubernetes.io/warn-version": "1.2" },
      },
    },
    context: { name: "x" },
    expected:
      'Namespace "x" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.2": must be "latest" or "v1.x"]',
  },
];

/** Every member of `expected` is there, deeply; generated names are masked. */
function has(actual: unknown, expected: unknown, path: string): void {
  if (expected !== null && typeof expected === "object" && !Array.isArray(expected)) {
    for (const [key, value] of Object.entries(expected))
      has((actual as Record<string, unknown> | undefined)?.[key], value, `${path}.${key}`);
    return;
  }
  const masked =
    actual === undefined
      ? undefined
      : JSON.parse(JSON.stringify(actual).replaceAll(/kube-api-access-[a-z0-9]{5}\b/g, "kube-api-access-GEN"));
  assert.deepEqual(masked, expected, path);
}

for (const row of rows) {
  test(`${row.plugin} ${row.name}`, async () => {
    const { plugins } = world(row.objects);
    const work = run(plugins([row.plugin]), row.object as ApiObject | undefined, admissionContext(row.type, row.context));
    if (typeof row.expected === "string") {
      await assert.rejects(work, { message: row.expected });
    } else has(await work, row.expected, "object");
  });
}

test("plugins never change the object they are given", async () => {
  const { deps } = world((objects) =>
    objects.put(limitRanges, {
      metadata: { namespace: "default", name: "l" },
      spec: { limits: [{ type: "Container", default: { cpu: "1" } }] },
    }),
  );
  const { plugins } = admissionPlugins({ ...deps, enable: ["NodeRestriction"] });
  const given = deepFreeze(pod({ initContainers: [{ name: "i" }] })) as Pod;
  const result = (await run(plugins, given, admissionContext(pods, { name: "p" }))) as Pod;
  assert.equal(result.spec?.serviceAccountName, "default");
});

function deepFreeze(object: object): object {
  for (const value of Object.values(object)) if (value !== null && typeof value === "object") deepFreeze(value);
  return Object.freeze(object);
}

test("PodSecurity warns of pods that run already, equal ones in one line", async () => {
  const { plugins } = world((objects) => {
    for (const name of ["a", "b", "c"])
      objects.put(pods, {
        metadata: { namespace: "x", name },
        spec: { hostNetwork: name !== "c", hostPID: name === "c", containers: [] },
      });
  });
  const warnings: string[] = [];
  const labels = { "pod-security.kubernetes.io/enforce": "baseline" };
  const context = admissionContext(namespaces, {
    operation: "UPDATE",
    name: "x",
    old: stored({ metadata: { name: "x" } }),
    warn: (text) => warnings.push(text),
  });
  await run(plugins(["PodSecurity"]), { metadata: { name: "x", labels } }, context);
  assert.deepEqual(warnings, [
    'existing pods in namespace "x" violate the new PodSecurity enforce level "baseline:latest"',
    "a (and 2 other pods): host namespaces",
  ]);
});

test("admissionPlugins() refuses a name that is no plugin, and can leave plugins out", () => {
  const { deps } = world();
  assert.throws(
    () => admissionPlugins({ ...deps, disable: ["Nope"] }),
    /Cannot configure admission plugin "Nope": there is no plugin of that name/,
  );
  const names = (options: object): readonly string[] => admissionPlugins({ ...deps, ...options }).plugins.map(({ name }) => name);
  assert.ok(!names({}).includes("NodeRestriction"));
  assert.ok(names({ enable: ["NodeRestriction"] }).includes("NodeRestriction"));
  assert.ok(!names({ disable: ["PodSecurity"] }).includes("PodSecurity"));
  assert.deepEqual(names({}).slice(0, 3), ["NamespaceLifecycle", "LimitRanger", "ServiceAccount"]);
});

test("the registry names no plugin twice", () => {
  assert.equal(new Set(registry.map(({ name }) => name)).size, registry.length);
});
