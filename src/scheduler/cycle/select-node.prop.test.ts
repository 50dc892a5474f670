// The fast path must choose what the plain loop chooses, and no sequence of decisions may over-commit a node.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { setSelector } from "#api";
import { seededRandom } from "#base";
import { ClusterCache } from "../cluster/cache.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import { CycleState } from "../framework/cycle-state.ts";
import { buildProfile } from "../framework/profile.ts";
import { builtInPlugins } from "../plugins/registry.ts";
import { NominatedPods } from "../queue/nominated.ts";
import { aHandle } from "../testing/handle.ts";
import { aNode, aPodInfo, type NodeOptions, type PodOptions } from "../testing/objects.ts";
import { LocalResults } from "./local-results.ts";
import { fitErrorMessage } from "./message.ts";
import { nodesToFind } from "./sampling.ts";
import { type Selection, selectNode } from "./select-node.ts";

const nodeOptions: fc.Arbitrary<NodeOptions> = fc.record({
  cpu: fc.constantFrom("1", "2", "4"),
  pods: fc.constantFrom("2", "3", "110"),
  labels: fc.constantFrom<Record<string, string>>({}, { zone: "a" }, { zone: "b", disk: "ssd" }),
  taints: fc.constantFrom([], [{ key: "k", effect: "NoSchedule" }], [{ key: "k", effect: "PreferNoSchedule" }]),
  unschedulable: fc.constantFrom(false, false, false, true),
  images: fc.constantFrom([], [{ names: ["i:latest"], sizeBytes: 500_000_000 }]),
});

const spreading: PodOptions["spec"] = {
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: { matchLabels: { app: "a" } } },
  ],
};
const lonely: PodOptions["spec"] = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "a" } } },
      ],
    },
  },
};
const preferring: PodOptions["spec"] = {
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 7, preference: { matchExpressions: [{ key: "disk", operator: "Exists" }] } },
      ],
    },
  },
};

const podShape: fc.Arbitrary<PodOptions> = fc.record({
  cpu: fc.constantFrom("100m", "500m", "1"),
  labels: fc.constantFrom<Record<string, string>>({ app: "a" }, { app: "b" }),
  spec: fc.constantFrom<NonNullable<PodOptions["spec"]>>(
    {},
    {},
    {},
    { tolerations: [{ operator: "Exists" }] },
    { nodeSelector: { disk: "ssd" } },
    spreading,
    lonely,
    preferring,
    { containers: [{ name: "c", image: "i", ports: [{ containerPort: 1, hostPort: 80 }] }] },
  ),
});

const sorted = (map: ReadonlyMap<string, number>): readonly (readonly [string, number])[] => [...map].sort();
const appA = setSelector({ app: "a" });

type Step =
  | { readonly do: "schedule"; readonly pod: PodOptions }
  | { readonly do: "remove"; readonly which: number }
  | { readonly do: "node"; readonly which: number; readonly options: NodeOptions }
  | { readonly do: "dropNode"; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("schedule" as const), pod: podShape }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("node" as const), which: fc.nat(8), options: nodeOptions }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("dropNode" as const), which: fc.nat(8) }) },
);

/** A cluster with its own cache, rotation and random numbers of the same seed. */
function side(fast: boolean) {
  const cluster = new ClusterCache();
  const profile = buildProfile({ percentageOfNodesToScore: 50 }, builtInPlugins, () => aHandle(cluster), 0);
  const local = fast ? new LocalResults(profile) : undefined;
  const deps = { profile, cluster, nominated: new NominatedPods(), random: seededRandom(7), local, rotation: { next: 0 } };
  return { cluster, select: (pod: PodInfo): Selection => selectNode(deps, pod, new CycleState()) };
}

const outcomeOf = (selection: Selection): string => {
  if (selection.outcome === "node")
    return `node ${selection.node.name} of ${selection.considered.fitting.length}: ${[...selection.considered.totals].join(" ")}`;
  return selection.outcome === "none" ? fitErrorMessage(selection.considered.diagnosis, "") : selection.message;
};

test("the fast path chooses the same node, scores and reasons as the plain loop, and nothing is over-committed", () => {
  fc.assert(
    fc.property(fc.array(nodeOptions, { maxLength: 8 }), fc.array(step, { maxLength: 60 }), (nodes, steps) => {
      const sides = [side(true), side(false)] as const;
      const [{ cluster }] = sides;
      const placed: PodInfo[] = [];
      const each = (change: (cache: ClusterCache) => void): void =>
        sides.forEach((one) => {
          change(one.cluster);
        });
      for (const [index, options] of nodes.entries()) each((cache) => cache.setNode(aNode(`n${index}`, options)));
      cluster.matchDomains("default", appA, "zone", ["zone"]); // from here on it is kept, not counted anew
      steps.forEach((current, index) => {
        if (current.do === "node") each((cache) => cache.setNode(aNode(`n${current.which}`, current.options)));
        else if (current.do === "dropNode") each((cache) => cache.removeNode(`n${current.which}`));
        else if (current.do === "remove") {
          const [pod] = placed.splice(current.which % Math.max(1, placed.length), 1);
          if (pod !== undefined) each((cache) => cache.removePod(pod.uid));
        } else {
          const pod = aPodInfo({ name: `p${index}`, ...current.pod });
          const [fast, plain] = sides.map((one) => one.select(pod)) as [Selection, Selection];
          assert.equal(outcomeOf(fast), outcomeOf(plain));
          if (fast.outcome !== "node") return;
          const { name } = fast.node;
          const { allocatable, requested, allowedPods } = fast.node;
          assert.ok(requested.milliCpu + pod.requests.milliCpu <= allocatable.milliCpu, "processor is not over-committed");
          assert.ok(fast.node.pods.size < allowedPods, "the number of pods is kept");
          assert.ok(!fast.node.hasPortConflict(pod.hostPorts), "host ports are taken once");
          each((cache) => cache.assume(pod, name));
          placed.push(pod);
        }
      });
      const zones = new Map<string, number>();
      for (const node of cluster.nodes) {
        const sum = [...node.pods.values()].reduce((total, pod) => total + pod.requests.milliCpu, 0);
        assert.equal(node.requested.milliCpu, sum, "the sums are those of the pods");
        const matching = [...node.pods.values()].filter(({ labels }) => labels["app"] === "a").length;
        assert.equal(cluster.matchCounts("default", appA)[node.slot], matching, "the counts are those of the pods");
        const zone = node.labels["zone"];
        if (zone !== undefined) zones.set(zone, (zones.get(zone) ?? 0) + matching);
      }
      assert.deepEqual(
        sorted(cluster.matchDomains("default", appA, "zone", ["zone"])),
        sorted(zones),
        "the sums are those of the counts",
      );
    }),
    { numRuns: 200 },
  );
});

test("nodesToFind() looks at all nodes of small clusters and at a part of large ones, as upstream", () => {
  const rows: readonly (readonly [number, number, number])[] = [
    [10, 0, 10],
    [99, 0, 99],
    [100, 0, 100],
    [1000, 0, 420],
    [5000, 0, 500],
    [6000, 0, 300],
    [6000, 40, 2400],
    [1000, 5, 100],
    [1000, 100, 1000],
  ];
  for (const [nodes, percent, expected] of rows)
    assert.equal(nodesToFind(nodes, percent), expected, `${nodes} nodes, ${percent} %`);
});

test("ties are broken at random: over many decisions every equal node is chosen", () => {
  const { cluster, select } = side(true);
  for (const name of ["n1", "n2", "n3"]) cluster.setNode(aNode(name));
  const chosen = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const selection = select(aPodInfo());
    if (selection.outcome === "node") chosen.add(selection.node.name);
  }
  assert.deepEqual([...chosen].sort(), ["n1", "n2", "n3"]);
});
