// Filters and scores of the plugins, row by row.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Affinity, NodeSelectorRequirement, TopologySpreadConstraint } from "#api";
import type { ClusterCache } from "../cluster/cache.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import { CycleState } from "../framework/cycle-state.ts";
import { isFactory, type Plugin } from "../framework/plugin.ts";
import { verdictText } from "../framework/verdict.ts";
import { aHandle } from "../testing/handle.ts";
import { aCluster, aPodInfo, type NodeOptions, type PodOptions } from "../testing/objects.ts";
import { builtInPlugins } from "./registry.ts";

function pluginOf(name: string, cluster: ClusterCache, args: Readonly<Record<string, unknown>> = {}): Plugin {
  const entry = builtInPlugins.find((plugin) => plugin.name === name);
  assert.ok(entry !== undefined, name);
  return isFactory(entry) ? entry.create(args, aHandle(cluster)) : entry;
}

/** "" when the node fits, else the code's first letters and the reasons. */
function filters(plugin: Plugin, pod: PodInfo, cluster: ClusterCache): Readonly<Record<string, string>> {
  const cycle = new CycleState();
  const pre = plugin.preFilter?.(pod, cycle, cluster.nodes);
  const said = (verdict: Parameters<typeof verdictText>[0]) =>
    `${verdict.code === "UnschedulableAndUnresolvable" ? "never: " : ""}${verdictText(verdict)}`;
  return Object.fromEntries(
    cluster.nodes.map((node) => {
      if (pre?.verdict.code === "Skip") return [node.name, ""];
      if (pre !== undefined && pre.verdict.code !== "Success") return [node.name, said(pre.verdict)];
      return [node.name, said(plugin.filter?.(pod, node, cycle) ?? { code: "Success" })];
    }),
  );
}

function scores(plugin: Plugin, pod: PodInfo, cluster: ClusterCache): Readonly<Record<string, number>> | "skipped" {
  const cycle = new CycleState();
  const { nodes } = cluster;
  if (plugin.preScore?.(pod, cycle, nodes).code === "Skip") return "skipped";
  const values = Float64Array.from(nodes, (node) => plugin.score?.(pod, node, cycle) ?? 0);
  plugin.normalize?.(pod, values, nodes, cycle);
  return Object.fromEntries(nodes.map((node, index) => [node.name, values[index] as number]));
}

interface Row {
  readonly name: string;
  readonly plugin: string;
  readonly args?: Readonly<Record<string, unknown>>;
  readonly nodes: Readonly<Record<string, NodeOptions>>;
  readonly on?: Readonly<Record<string, readonly PodOptions[]>>;
  readonly pod: PodOptions;
  readonly filter?: Readonly<Record<string, string>>;
  readonly score?: Readonly<Record<string, number>> | "skipped";
}

const affinity = (expressions: readonly NodeSelectorRequirement[]): PodOptions => ({
  spec: {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: expressions }] },
      },
    },
  },
});
const wrongNode = "never: node(s) didn't match Pod's node affinity/selector";
const gi = 1024 ** 3;
const container = (cpu: string) => ({ name: `c${cpu}`, resources: { requests: { cpu } } });
const app = (name: string): PodOptions => ({ labels: { app: name } });
const near = (name: string, topologyKey: string): Affinity["podAffinity"] => ({
  requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: { app: name } }, topologyKey }],
});
const spread = (constraint: Partial<TopologySpreadConstraint>): PodOptions => ({
  labels: { app: "web" },
  spec: {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "zone",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { app: "web" } },
        ...constraint,
      },
    ],
  },
});
const zones = { a1: { labels: { zone: "a" } }, a2: { labels: { zone: "a" } }, b1: { labels: { zone: "b" } } };
const hosts = { n1: {}, n2: {} };
const uneven = "node(s) didn't match pod topology spread constraints";

const rows: readonly Row[] = [
  {
    name: "NodeName takes the named node only",
    plugin: "NodeName",
    nodes: hosts,
    pod: { spec: { nodeName: "n2" } },
    filter: { n1: "never: node(s) didn't match the requested node name", n2: "" },
  },
  {
    name: "NodeUnschedulable refuses a cordoned node",
    plugin: "NodeUnschedulable",
    nodes: { n1: { unschedulable: true }, n2: {} },
    pod: {},
    filter: { n1: "never: node(s) were unschedulable", n2: "" },
  },
  {
    name: "NodeUnschedulable lets a tolerating pod pass",
    plugin: "NodeUnschedulable",
    nodes: { n1: { unschedulable: true } },
    pod: { spec: { tolerations: [{ key: "node.kubernetes.io/unschedulable", operator: "Exists" }] } },
    filter: { n1: "" },
  },
  {
    name: "TaintToleration refuses NoSchedule and NoExecute, not PreferNoSchedule",
    plugin: "TaintToleration",
    nodes: {
      n1: { taints: [{ key: "k", effect: "NoSchedule" }] },
      n2: { taints: [{ key: "k", effect: "NoExecute" }] },
      n3: { taints: [{ key: "k", effect: "PreferNoSchedule" }] },
    },
    pod: {},
    filter: { n1: "never: node(s) had untolerated taint(s)", n2: "never: node(s) had untolerated taint(s)", n3: "" },
    score: { n1: 100, n2: 100, n3: 0 },
  },
  {
    name: "TaintToleration compares value, effect and operator",
    plugin: "TaintToleration",
    nodes: {
      n1: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] },
      n2: { taints: [{ key: "k", value: "w", effect: "NoSchedule" }] },
      n3: { taints: [{ key: "k", value: "v", effect: "NoExecute" }] },
    },
    pod: { spec: { tolerations: [{ key: "k", value: "v", effect: "NoSchedule" }] } },
    filter: { n1: "", n2: "never: node(s) had untolerated taint(s)", n3: "never: node(s) had untolerated taint(s)" },
  },
  {
    name: "NodeAffinity matches nodeSelector exactly",
    plugin: "NodeAffinity",
    nodes: { n1: { labels: { disktype: "ssd" } }, n2: {} },
    pod: { spec: { nodeSelector: { disktype: "ssd" } } },
    filter: { n1: "", n2: wrongNode },
  },
  {
    name: "NodeAffinity In",
    plugin: "NodeAffinity",
    nodes: { n1: { labels: { a: "1" } }, n2: { labels: { a: "3" } } },
    pod: affinity([{ key: "a", operator: "In", values: ["1", "2"] }]),
    filter: { n1: "", n2: wrongNode },
  },
  {
    name: "NodeAffinity NotIn accepts nodes without the label",
    plugin: "NodeAffinity",
    nodes: { n1: { labels: { a: "1" } }, n2: {} },
    pod: affinity([{ key: "a", operator: "NotIn", values: ["1"] }]),
    filter: { n1: wrongNode, n2: "" },
  },
  {
    name: "NodeAffinity Exists",
    plugin: "NodeAffinity",
    nodes: { n1: { labels: { a: "" } }, n2: {} },
    pod: affinity([{ key: "a", operator: "Exists" }]),
    filter: { n1: "", n2: wrongNode },
  },
  {
    name: "NodeAffinity DoesNotExist",
    plugin: "NodeAffinity",
    nodes: { n1: { labels: { a: "" } }, n2: {} },
    pod: affinity([{ key: "a", operator: "DoesNotExist" }]),
    filter: { n1: wrongNode, n2: "" },
  },
  {
    name: "NodeAffinity Gt compares integers, not texts",
    plugin: "NodeAffinity",
    nodes: { n1: { labels: { a: "10" } }, n2: { labels: { a: "9" } }, n3: { labels: { a: "x" } } },
    pod: affinity([{ key: "a", operator: "Gt", values: ["9"] }]),
    filter: { n1: "", n2: wrongNode, n3: wrongNode },
  },
  {
    name: "NodeAffinity Lt",
    plugin: "NodeAffinity",
    nodes: { n1: { labels: { a: "10" } }, n2: { labels: { a: "9" } } },
    pod: affinity([{ key: "a", operator: "Lt", values: ["10"] }]),
    filter: { n1: wrongNode, n2: "" },
  },
  {
    name: "NodeAffinity matchFields names a node",
    plugin: "NodeAffinity",
    nodes: hosts,
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["n2"] }] }],
            },
          },
        },
      },
    },
    filter: { n1: wrongNode, n2: "" },
  },
  {
    name: "NodeAffinity terms are alternatives, and contradicting names are a conflict",
    plugin: "NodeAffinity",
    nodes: hosts,
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                {
                  matchFields: [
                    { key: "metadata.name", operator: "In", values: ["n1"] },
                    { key: "metadata.name", operator: "In", values: ["n2"] },
                  ],
                },
              ],
            },
          },
        },
      },
    },
    filter: { n1: "never: pod affinity terms conflict", n2: "never: pod affinity terms conflict" },
  },
  {
    name: "NodeAffinity preferred terms add their weights and never refuse",
    plugin: "NodeAffinity",
    nodes: { n1: { labels: { a: "1", b: "1" } }, n2: { labels: { a: "1" } }, n3: {} },
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 10, preference: { matchExpressions: [{ key: "a", operator: "Exists" }] } },
              { weight: 30, preference: { matchExpressions: [{ key: "b", operator: "Exists" }] } },
            ],
          },
        },
      },
    },
    filter: { n1: "", n2: "", n3: "" },
    score: { n1: 100, n2: 25, n3: 0 },
  },
  { name: "NodeAffinity without preferences does not score", plugin: "NodeAffinity", nodes: hosts, pod: {}, score: "skipped" },
  {
    name: "NodePorts refuses a taken port, per protocol and address",
    plugin: "NodePorts",
    nodes: { n1: {}, n2: {}, n3: {}, n4: {} },
    on: {
      n1: [{ spec: { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 8080 }] }] } }],
      n2: [{ spec: { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 8080, protocol: "UDP" }] }] } }],
      n3: [{ spec: { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 8080, hostIP: "127.0.0.1" }] }] } }],
    },
    pod: { spec: { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 8080, hostIP: "127.0.0.2" }] }] } },
    filter: { n1: "node(s) didn't have free ports for the requested pod ports", n2: "", n3: "", n4: "" },
  },
  {
    name: "NodeResourcesFit names every resource that is short",
    plugin: "NodeResourcesFit",
    nodes: { n1: { cpu: "2", memory: "1Gi" }, n2: { cpu: "2", memory: "4Gi" }, n3: { pods: "1" } },
    on: { n1: [{ cpu: "1500m", memory: "512Mi" }], n3: [{}] },
    pod: { cpu: "600m", memory: "600Mi" },
    filter: { n1: "Insufficient cpu, Insufficient memory", n2: "", n3: "Too many pods" },
  },
  {
    name: "NodeResourcesFit knows that an empty node would not do either",
    plugin: "NodeResourcesFit",
    nodes: { n1: { cpu: "1" } },
    pod: { cpu: "2" },
    filter: { n1: "never: Insufficient cpu" },
  },
  {
    name: "NodeResourcesFit counts extended resources",
    plugin: "NodeResourcesFit",
    nodes: { n1: { extended: { "example.com/gpu": "1" } }, n2: {} },
    on: { n1: [{ spec: { containers: [{ name: "c", resources: { requests: { "example.com/gpu": "1" } } }] } }] },
    pod: { spec: { containers: [{ name: "c", resources: { requests: { "example.com/gpu": "1" } } }] } },
    filter: { n1: "Insufficient example.com/gpu", n2: "never: Insufficient example.com/gpu" },
  },
  {
    name: "NodeResourcesFit leaves ignored resources out",
    plugin: "NodeResourcesFit",
    args: { ignoredResourceGroups: ["example.com"] },
    nodes: { n1: {} },
    pod: { spec: { containers: [{ name: "c", resources: { requests: { "example.com/gpu": "1" } } }] } },
    filter: { n1: "" },
  },
  {
    name: "NodeResourcesFit takes the larger of init containers and containers, sidecars on top",
    plugin: "NodeResourcesFit",
    nodes: { n1: { cpu: "3" }, n2: { cpu: "4" } },
    pod: {
      spec: { initContainers: [{ ...container("1"), restartPolicy: "Always" }, container("3")], containers: [container("1")] },
    },
    filter: { n1: "never: Insufficient cpu", n2: "" },
  },
  {
    name: "NodeResourcesFit adds the overhead and lets pod-level requests replace the sum",
    plugin: "NodeResourcesFit",
    nodes: { n1: { cpu: "2" }, n2: { cpu: "2500m" } },
    pod: { spec: { containers: [container("1")], resources: { requests: { cpu: "2" } }, overhead: { cpu: "500m" } } },
    filter: { n1: "never: Insufficient cpu", n2: "" },
  },
  {
    name: "NodeResourcesFit LeastAllocated prefers the emptier node",
    plugin: "NodeResourcesFit",
    nodes: hosts,
    on: { n1: [{ cpu: "2", memory: "4Gi" }] },
    pod: { cpu: "1", memory: "2Gi" },
    score: { n1: 25, n2: 75 },
  },
  {
    name: "NodeResourcesFit MostAllocated prefers the fuller node",
    plugin: "NodeResourcesFit",
    args: { scoringStrategy: { type: "MostAllocated" } },
    nodes: hosts,
    on: { n1: [{ cpu: "2", memory: "4Gi" }] },
    pod: { cpu: "1", memory: "2Gi" },
    score: { n1: 75, n2: 25 },
  },
  {
    name: "NodeResourcesFit RequestedToCapacityRatio follows its shape",
    plugin: "NodeResourcesFit",
    args: {
      scoringStrategy: {
        type: "RequestedToCapacityRatio",
        resources: [{ name: "cpu", weight: 1 }],
        requestedToCapacityRatio: {
          shape: [
            { utilization: 0, score: 0 },
            { utilization: 100, score: 10 },
          ],
        },
      },
    },
    nodes: hosts,
    on: { n1: [{ cpu: "2" }] },
    pod: { cpu: "1" },
    score: { n1: 75, n2: 25 },
  },
  {
    name: "NodeResourcesFit counts a pod without requests as 100m and 200 MB",
    plugin: "NodeResourcesFit",
    nodes: { n1: { cpu: "1", memory: "2000Mi" } },
    pod: {},
    score: { n1: 90 },
  },
  {
    name: "NodeResourcesBalancedAllocation prefers even use",
    plugin: "NodeResourcesBalancedAllocation",
    nodes: { n1: { cpu: "4", memory: "4Gi" }, n2: { cpu: "4", memory: "4Gi" } },
    on: { n2: [{ cpu: "2", memory: "0" }] },
    pod: { cpu: "2", memory: "2Gi" },
    score: { n1: 100, n2: 75 },
  },
  {
    name: "NodeResourcesBalancedAllocation says nothing of a pod without requests",
    plugin: "NodeResourcesBalancedAllocation",
    nodes: hosts,
    pod: {},
    score: "skipped",
  },
  {
    name: "ImageLocality prefers the node that has the image",
    plugin: "ImageLocality",
    nodes: { n1: {}, n2: { images: [{ names: ["app:latest"], sizeBytes: gi }] } },
    pod: { spec: { containers: [{ name: "c", image: "app" }] } },
    score: { n1: 0, n2: 50 },
  },
  {
    name: "ImageLocality says nothing of an image that nobody has",
    plugin: "ImageLocality",
    nodes: hosts,
    pod: {},
    score: "skipped",
  },
  {
    name: "InterPodAffinity wants company in the same domain",
    plugin: "InterPodAffinity",
    nodes: zones,
    on: { a1: [app("db")] },
    pod: { spec: { affinity: { podAffinity: near("db", "zone") } } },
    filter: { a1: "", a2: "", b1: "never: node(s) didn't match pod affinity rules" },
  },
  {
    name: "InterPodAffinity lets the first of a group start anywhere",
    plugin: "InterPodAffinity",
    nodes: zones,
    pod: { labels: { app: "db" }, spec: { affinity: { podAffinity: near("db", "zone") } } },
    filter: { a1: "", a2: "", b1: "" },
  },
  {
    name: "InterPodAffinity keeps away from what it avoids",
    plugin: "InterPodAffinity",
    nodes: zones,
    on: { a1: [app("web")] },
    pod: { labels: { app: "web" }, spec: { affinity: { podAntiAffinity: near("web", "zone") } } },
    filter: { a1: "node(s) didn't match pod anti-affinity rules", a2: "node(s) didn't match pod anti-affinity rules", b1: "" },
  },
  {
    name: "InterPodAffinity respects what pods already there avoid",
    plugin: "InterPodAffinity",
    nodes: zones,
    on: { b1: [{ spec: { affinity: { podAntiAffinity: near("web", "zone") } } }] },
    pod: app("web"),
    filter: { a1: "", a2: "", b1: "node(s) didn't satisfy existing pods anti-affinity rules" },
  },
  {
    name: "InterPodAffinity looks at its own namespace unless told otherwise",
    plugin: "InterPodAffinity",
    nodes: hosts,
    on: { n1: [{ ...app("web"), namespace: "other" }] },
    pod: { spec: { affinity: { podAntiAffinity: near("web", "kubernetes.io/hostname") } } },
    filter: { n1: "", n2: "" },
  },
  {
    name: "InterPodAffinity scores preferred company",
    plugin: "InterPodAffinity",
    nodes: zones,
    on: { a1: [app("cache")] },
    pod: {
      spec: {
        affinity: {
          podAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 5, podAffinityTerm: { labelSelector: { matchLabels: { app: "cache" } }, topologyKey: "zone" } },
            ],
          },
        },
      },
    },
    score: { a1: 100, a2: 100, b1: 0 },
  },
  {
    name: "InterPodAffinity scores what pods already there want",
    plugin: "InterPodAffinity",
    nodes: hosts,
    on: { n2: [{ spec: { affinity: { podAffinity: near("web", "kubernetes.io/hostname") } } }] },
    pod: app("web"),
    score: { n1: 0, n2: 100 },
  },
  {
    name: "InterPodAffinity says nothing where nobody cares",
    plugin: "InterPodAffinity",
    nodes: hosts,
    pod: {},
    score: "skipped",
  },
  {
    name: "PodTopologySpread keeps zones even",
    plugin: "PodTopologySpread",
    nodes: zones,
    on: { a1: [app("web")] },
    pod: spread({}),
    filter: { a1: uneven, a2: uneven, b1: "" },
  },
  {
    name: "PodTopologySpread allows the skew it is given",
    plugin: "PodTopologySpread",
    nodes: zones,
    on: { a1: [app("web")] },
    pod: spread({ maxSkew: 2 }),
    filter: { a1: "", a2: "", b1: "" },
  },
  {
    name: "PodTopologySpread refuses nodes without the label for good",
    plugin: "PodTopologySpread",
    nodes: { ...zones, x: {} },
    pod: spread({}),
    filter: { a1: "", a2: "", b1: "", x: `never: ${uneven} (missing required label)` },
  },
  {
    name: "PodTopologySpread counts missing domains as empty with minDomains",
    plugin: "PodTopologySpread",
    nodes: zones,
    on: { a1: [app("web")], b1: [app("web")] },
    pod: spread({ minDomains: 3 }),
    filter: { a1: uneven, a2: uneven, b1: uneven },
  },
  {
    name: "PodTopologySpread does not count pods that are going",
    plugin: "PodTopologySpread",
    nodes: zones,
    on: { a1: [{ ...app("web"), metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }] },
    pod: spread({}),
    filter: { a1: "", a2: "", b1: "" },
  },
  {
    name: "PodTopologySpread with matchLabelKeys counts the pod's own revision only",
    plugin: "PodTopologySpread",
    nodes: zones,
    on: { a1: [{ labels: { app: "web", rev: "1" } }] },
    pod: { ...spread({ matchLabelKeys: ["rev"] }), labels: { app: "web", rev: "2" } },
    filter: { a1: "", a2: "", b1: "" },
  },
  {
    name: "PodTopologySpread leaves out nodes that the pod cannot use, unless told to ignore that",
    plugin: "PodTopologySpread",
    nodes: { a1: { labels: { zone: "a", ok: "y" } }, b1: { labels: { zone: "b" } } },
    on: { a1: [app("web")] },
    pod: { ...spread({}), spec: { ...spread({}).spec, nodeSelector: { ok: "y" } } },
    filter: { a1: "", b1: "" },
  },
  {
    name: "PodTopologySpread scores the emptier zone higher",
    plugin: "PodTopologySpread",
    nodes: zones,
    on: { a1: [app("web"), app("web")] },
    pod: spread({ whenUnsatisfiable: "ScheduleAnyway" }),
    score: { a1: 0, a2: 0, b1: 100 },
  },
  {
    name: "PodTopologySpread says nothing of a pod of no Service and no workload",
    plugin: "PodTopologySpread",
    nodes: hosts,
    pod: app("web"),
    filter: { n1: "", n2: "" },
    score: "skipped",
  },
  {
    name: "DynamicResources refuses claims with a clear word",
    plugin: "DynamicResources",
    nodes: { n1: {} },
    pod: { spec: { resourceClaims: [{ name: "gpu" }] } },
    filter: { n1: "never: pod.spec.resourceClaims: dynamic resource allocation is not implemented yet" },
  },
];

for (const row of rows) {
  test(row.name, () => {
    const cluster = aCluster(row.nodes, row.on);
    const plugin = pluginOf(row.plugin, cluster, row.args);
    const pod = aPodInfo(row.pod);
    if (row.filter !== undefined) assert.deepEqual(filters(plugin, pod, cluster), row.filter);
    if (row.score !== undefined) assert.deepEqual(scores(plugin, pod, cluster), row.score);
  });
}

test("the registry names each plugin once", () => {
  const names = builtInPlugins.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});

test("SchedulingGates names the gates", () => {
  const plugin = pluginOf("SchedulingGates", aCluster({}));
  assert.equal(
    verdictText(plugin.preEnqueue?.(aPodInfo({ spec: { schedulingGates: [{ name: "a" }, { name: "b" }] } })) ?? { code: "Skip" }),
    "waiting for scheduling gates: [a b]",
  );
});
