// The extension points: their order, and what each answer does (S-121 to S-132).
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProfileConfiguration } from "./framework/config.ts";
import type { Plugin } from "./framework/plugin.ts";
import { failed, skip, success, unschedulable, wait } from "./framework/verdict.ts";
import { startHarness } from "./testing/harness.ts";

/** Only these plugins and what is indispensable. */
const only = (...names: readonly string[]): ProfileConfiguration => ({
  plugins: {
    multiPoint: {
      disabled: [{ name: "*" }],
      enabled: [{ name: "PrioritySort" }, ...names.map((name) => ({ name })), { name: "DefaultBinder" }],
    },
  },
});

async function harnessWith(plugins: readonly Plugin[], profile: ProfileConfiguration = only(...plugins.map(({ name }) => name))) {
  const h = await startHarness({ plugins, configuration: { profiles: [profile] } });
  h.node("n1");
  h.node("n2");
  await h.settle();
  return h;
}

test("the extension points of one pod run in upstream's order", async () => {
  const trace: string[] = [];
  const say = <T>(point: string, value: T): T => {
    if (trace.at(-1) !== point) trace.push(point);
    return value;
  };
  const tracer: Plugin = {
    name: "Tracer",
    preEnqueue: () => say("preEnqueue", success),
    less: (a, b) => say("queueSort", a.order < b.order),
    preFilter: () => say("preFilter", { verdict: success }),
    filter: () => say("filter", success),
    preScore: () => say("preScore", success),
    score: () => say("score", 1),
    normalize: () => say("normalize", undefined),
    reserve: () => say("reserve", success),
    unreserve: () => say("unreserve", undefined),
    permit: () => say("permit", success),
    preBind: () => say("preBind", success),
    bind: () => say("bind", skip),
    postBind: () => say("postBind", undefined),
  };
  await using h = await harnessWith([tracer], {
    plugins: { multiPoint: { disabled: [{ name: "*" }], enabled: [{ name: "Tracer" }, { name: "DefaultBinder" }] } },
  });
  h.pod({ name: "p" });
  await h.settle();
  assert.deepEqual(trace, [
    "preEnqueue",
    "preFilter",
    "filter",
    "preScore",
    "score",
    "normalize",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
  ]);
  assert.equal(h.bound.length, 1); // bind said Skip: the default binder took over
});

test("queueSort decides the order: reversed, the last pod is bound first", async () => {
  const reversed: Plugin = { name: "Reversed", less: (a, b) => a.order > b.order };
  await using h = await startHarness({
    plugins: [reversed],
    configuration: { profiles: [{ plugins: { queueSort: { disabled: [{ name: "*" }], enabled: [{ name: "Reversed" }] } } }] },
  });
  for (const name of ["a", "b", "c"]) h.pod({ name });
  await h.settle();
  await h.clock.advance(60_000);
  h.node("n1");
  await h.settle();
  assert.deepEqual(h.bound, ["default/c -> n1", "default/b -> n1", "default/a -> n1"]);
});

test("preFilter narrows the nodes: filter is asked about those only", async () => {
  const asked: string[] = [];
  const narrow: Plugin = {
    name: "Narrow",
    preFilter: () => ({ verdict: success, nodeNames: new Set(["n2"]) }),
    filter: (_pod, node) => {
      asked.push(node.name);
      return success;
    },
  };
  await using h = await harnessWith([narrow]);
  h.pod({ name: "p" });
  await h.settle();
  assert.deepEqual([asked, h.bound], [["n2"], ["default/p -> n2"]]);
});

test("a preFilter that says Skip leaves its filter out", async () => {
  const skipping: Plugin = { name: "Skipping", preFilter: () => ({ verdict: skip }), filter: () => unschedulable("never asked") };
  await using h = await harnessWith([skipping]);
  h.pod({ name: "p" });
  await h.settle();
  assert.equal(h.bound.length, 1);
});

test("postFilter runs only when no node fits", async () => {
  let runs = 0;
  const watching: Plugin = {
    name: "Watching",
    filter: (pod) => (pod.pod.metadata.name === "fits" ? success : unschedulable("no")),
    postFilter: () => {
      runs++;
      return { verdict: unschedulable("nothing helps") };
    },
  };
  await using h = await harnessWith([watching]);
  h.pod({ name: "fits" });
  await h.settle();
  assert.equal(runs, 0);
  h.pod({ name: "never" });
  await h.settle();
  assert.equal(runs, 1);
  assert.equal(h.events.at(-1), "Warning FailedScheduling 0/2 nodes are available: 2 no. nothing helps");
});

test("a weight turns the winner round", async () => {
  const likes = (name: string, liked: string, score: number): Plugin => ({
    name,
    score: (_pod, node) => (node.name === liked ? score : 0),
  });
  const plugins = [likes("A", "n1", 50), likes("B", "n2", 20)];
  const weighted = (weight: number): ProfileConfiguration => ({
    plugins: {
      multiPoint: {
        disabled: [{ name: "*" }],
        enabled: [{ name: "PrioritySort" }, { name: "A" }, { name: "B", weight }, { name: "DefaultBinder" }],
      },
    },
  });
  for (const [weight, winner] of [
    [1, "n1"],
    [10, "n2"],
  ] as const) {
    await using h = await harnessWith(plugins, weighted(weight));
    h.pod({ name: "p" });
    await h.settle();
    assert.deepEqual(h.bound, [`default/p -> ${winner}`]);
  }
});

test("a score out of range breaks the pod's cycle and not the scheduler", async () => {
  const wild: Plugin = { name: "Wild", score: (pod) => (pod.pod.metadata.name === "bad" ? 101 : 1) };
  await using h = await harnessWith([wild]);
  h.pod({ name: "bad" });
  h.pod({ name: "good" });
  await h.settle();
  assert.equal(h.bound.length, 1);
  assert.match(
    h.events[0] ?? "",
    /plugin "Wild" returns an invalid score 101, it should in the range of \[0, 100\] after normalizing/,
  );
});

test("a failing preBind undoes the reservations in reverse order, and postBind does not run", async () => {
  const trace: string[] = [];
  const reserving = (name: string, extra: Partial<Plugin> = {}): Plugin => ({
    name,
    reserve: () => {
      trace.push(`reserve ${name}`);
      return success;
    },
    unreserve: () => void trace.push(`unreserve ${name}`),
    postBind: () => void trace.push(`postBind ${name}`),
    ...extra,
  });
  await using h = await harnessWith([reserving("A"), reserving("B", { preBind: async () => failed("no disk") })]);
  h.pod({ name: "p" });
  await h.settle();
  assert.deepEqual(trace, ["reserve A", "reserve B", "unreserve B", "unreserve A"]);
  assert.equal(h.events[0], 'Warning FailedScheduling binding rejected: running PreBind plugin "B": no disk');
});

test("permit holds a gang back until its last member comes", async () => {
  let handle: { waitingPods(): readonly { allow(plugin: string): void }[] } | undefined;
  const gang = {
    name: "Gang",
    create: (_args: unknown, given: NonNullable<typeof handle>): Plugin => {
      handle = given;
      return {
        name: "Gang",
        permit: () => {
          if (given.waitingPods().length < 2) return wait(10_000);
          for (const waiting of given.waitingPods()) waiting.allow("Gang");
          return success;
        },
      };
    },
  };
  await using h = await startHarness({ plugins: [gang], configuration: { profiles: [only("Gang")] } });
  h.node("n1");
  await h.settle();
  h.pod({ name: "a" });
  h.pod({ name: "b" });
  await h.settle();
  assert.deepEqual(h.bound, []);
  h.pod({ name: "c" });
  await h.settle();
  assert.equal(h.bound.length, 3);
});

test("a permit that waits in vain gives the place back", async () => {
  const never: Plugin = { name: "Never", permit: () => wait(5000), requeueOn: [] };
  await using h = await harnessWith([never]);
  h.pod({ name: "p" });
  await h.settle();
  assert.equal(h.scheduler.pending().inFlight, 1);
  await h.clock.advance(5000);
  await h.settle();
  assert.deepEqual(h.bound, []);
  assert.equal(h.events[0], "Warning FailedScheduling rejected due to timeout after waiting 5s at plugin Never");
  assert.equal(h.scheduler.pending().unschedulable, 1);
});

test("a pod deleted while permit holds it leaves nothing behind", async () => {
  const never: Plugin = { name: "Never", permit: () => wait(5000) };
  await using h = await harnessWith([never]);
  h.pod({ name: "p" });
  await h.settle();
  const { pods } = await import("#api");
  h.api.remove(pods, { namespace: "default", name: "p" });
  await h.settle();
  assert.deepEqual(h.scheduler.pending(), { active: 0, backoff: 0, unschedulable: 0, gated: 0, inFlight: 0 });
  assert.deepEqual(h.events, []);
});

test("a plugin that throws breaks its pod's cycle only", async () => {
  const throwing: Plugin = {
    name: "Throwing",
    filter: (pod) => {
      if (pod.pod.metadata.name === "bad") throw new Error("oops");
      return success;
    },
  };
  await using h = await harnessWith([throwing]);
  h.pod({ name: "bad" });
  h.pod({ name: "good" });
  await h.settle();
  assert.equal(h.bound.length, 1);
  assert.equal(h.events[0], "Warning FailedScheduling oops");
});
