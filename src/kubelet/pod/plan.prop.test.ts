// Whatever happens to a pod, in whatever order: the rules that must hold (I36 to I39 of the invariants).
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Container, Pod } from "#api";
import { aPod, PodModel } from "../testing/model.ts";
import { isTerminalPhase } from "./spec.ts";

type Step =
  | { readonly kind: "complete"; readonly index: number; readonly ok: boolean }
  | { readonly kind: "exit"; readonly name: string; readonly code: number }
  | {
      readonly kind: "probe";
      readonly name: string;
      readonly results: { startup?: "success" | "failure"; liveness?: "success" | "failure"; readiness?: "success" | "failure" };
    }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "loseSandbox" }
  | { readonly kind: "delete"; readonly grace: number }
  | { readonly kind: "remove" };

const names = ["a", "b", "i", "s"];
const verdict = fc.option(fc.constantFrom<"success" | "failure">("success", "failure"), { nil: undefined });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant("complete" as const), index: fc.nat(5), ok: fc.boolean().map((no) => !no || true) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("complete" as const), index: fc.nat(5), ok: fc.constant(false) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("exit" as const),
      name: fc.constantFrom(...names),
      code: fc.constantFrom(0, 1, 137),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("probe" as const),
      name: fc.constantFrom(...names),
      results: fc.record({ startup: verdict, liveness: verdict, readiness: verdict }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(100, 10_000, 700_000) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "loseSandbox" as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), grace: fc.constantFrom(0, 1, 30) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "remove" as const }) },
);

const probe = { tcpSocket: { port: 80 } };
const hook = { preStop: { sleep: { seconds: 1 } } };
const container = (name: string): fc.Arbitrary<Container> =>
  fc.record({ probed: fc.boolean(), hooked: fc.boolean() }).map(({ probed, hooked }) => ({
    name,
    image: "x:1",
    ...(probed ? { startupProbe: probe, livenessProbe: probe, readinessProbe: probe } : {}),
    ...(hooked ? { lifecycle: hook } : {}),
  }));

const pod: fc.Arbitrary<Pod> = fc
  .record({
    restartPolicy: fc.constantFrom("Always", "OnFailure", "Never"),
    containers: fc.oneof(fc.tuple(container("a")), fc.tuple(container("a"), container("b"))),
    init: fc.option(container("i"), { nil: undefined }),
    sidecar: fc.option(container("s"), { nil: undefined }),
    deadline: fc.option(fc.constant(600), { nil: undefined }),
  })
  .map(({ restartPolicy, containers, init, sidecar, deadline }) =>
    aPod({
      restartPolicy,
      containers,
      initContainers: [
        ...(init === undefined ? [] : [init]),
        ...(sidecar === undefined ? [] : [{ ...sidecar, restartPolicy: "Always" }]),
      ],
      ...(deadline === undefined ? {} : { activeDeadlineSeconds: deadline }),
    }),
  );

function apply(model: PodModel, step: Step): void {
  switch (step.kind) {
    case "complete": {
      const under = [...model.busy.values()];
      const action = under[step.index % Math.max(1, under.length)];
      if (action !== undefined) model.complete(action, step.ok);
      return;
    }
    case "exit":
      model.exit(step.name, step.code);
      return;
    case "probe": {
      const current = model.current(step.name);
      if (current !== undefined)
        model.probes.set(current.id, {
          ...model.probes.get(current.id),
          ...Object.fromEntries(Object.entries(step.results).filter(([, value]) => value !== undefined)),
        });
      return;
    }
    case "wait":
      model.now += step.ms;
      return;
    case "loseSandbox":
      model.loseSandbox();
      return;
    case "delete":
      model.delete(step.grace);
      return;
    case "remove":
      model.removed = true;
      model.objectGone = true;
      return;
    default:
      step satisfies never;
  }
}

function check(model: PodModel, before: number): void {
  const phases = model.statuses.map(({ phase }) => phase);
  const [last, now] = [phases.at(-2), phases.at(-1)];
  if (isTerminalPhase(last)) assert.equal(now, last, "a terminal phase is final (I36)");
  if (last === "Running") assert.notEqual(now, "Pending", "a pod that ran is not Pending again (I36)");
  assert.ok(model.sandboxes.filter(({ ready }) => ready).length <= 1, "at most one live sandbox (I38)");
  for (const name of names) {
    const running = model.containers.filter((container) => container.name === name && container.state === "running");
    assert.ok(running.length <= 1, "a container runs once at a time");
  }
  const isGoing =
    model.removed || model.pod.metadata.deletionTimestamp !== undefined || model.ended !== undefined || isTerminalPhase(last);
  for (const action of model.history.slice(before)) {
    if (isGoing)
      assert.ok(
        !["startContainer", "createSandbox", "mountVolumes"].includes(action.kind),
        `nothing starts in a pod that is going: ${action.kind}`,
      );
    if (action.kind === "deleteObject") {
      assert.equal(model.containers.length + model.sandboxes.length, 0, "the object goes last (I39)");
      assert.equal(model.volumes.phase, "gone", "after its volumes (I39)");
    }
    if (action.kind === "startContainer") {
      const earlier = model.containers.filter((container) => container.name === action.name);
      assert.ok(
        earlier.every((container) => container.attempt < action.attempt),
        "the restart count grows (I37)",
      );
      if (model.pod.spec.restartPolicy === "Never" && action.name !== "s") {
        const inThis = earlier.filter((container) => container.sandboxId === action.sandboxId);
        assert.equal(inThis.length, 0, "restartPolicy Never starts nothing twice (I37)");
      }
      const isMain = action.name === "a" || action.name === "b";
      const init = model.pod.spec.initContainers?.find(({ name }) => name === "i");
      if (isMain && init !== undefined) {
        const done = model.containers.some(
          (container) =>
            container.name === "i" &&
            container.sandboxId === action.sandboxId &&
            container.state === "exited" &&
            container.exitCode === 0,
        );
        assert.ok(done, "main containers start after init containers (I37)");
      }
    }
  }
}

test("a pod keeps its rules through any sequence of events, and is gone in the end when it is deleted", () => {
  fc.assert(
    fc.property(pod, fc.array(step, { maxLength: 60 }), (given, steps) => {
      const model = new PodModel(given);
      model.plan();
      for (const next of steps) {
        if (model.forgotten) return;
        apply(model, next);
        const before = model.history.length;
        model.plan();
        check(model, before);
      }
      model.delete(1);
      for (let i = 0; i < 4 && !model.forgotten; i++) {
        model.settle();
        model.now += 60_000;
      }
      assert.ok(model.forgotten, "a deleted pod is torn down completely");
    }),
    { numRuns: 1500 },
  );
});
