// The audit log: every event once, in order, never in the way of a request.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog, VirtualClock } from "#base";
import type { AuditEvent } from "../../contract.ts";
import { MemoryFiles } from "../testing/files.ts";
import { createAuditLog } from "./log.ts";

const event = (more: Partial<AuditEvent> = {}): AuditEvent => ({
  auditID: "id",
  stage: "ResponseComplete",
  requestURI: "/api/v1/namespaces/ns/pods/p",
  userAgent: "kubectl/1",
  sourceIPs: ["127.0.0.1"],
  code: 200,
  request: {
    verb: "get",
    path: "/api/v1/namespaces/ns/pods/p",
    isResource: true,
    group: "",
    version: "v1",
    resource: "pods",
    subresource: "",
    namespace: "ns",
    name: "p",
  },
  user: { name: "alice", groups: ["dev"] },
  decision: { allowed: true, reason: "RBAC: because" },
  receivedAtMs: 1_767_225_600_000,
  atMs: 1_767_225_600_001.5,
  ...more,
});

function world(maxBytes?: number) {
  const files = new MemoryFiles();
  const clock = new VirtualClock();
  const log = createAuditLog({ path: "/data/audit.log", files, clock, log: silentLog, maxBytes, maxBackups: 2 });
  const lines = (): string[] =>
    (files.contents.get("/data/audit.log")?.data.toString() ?? "").split("\n").filter((line) => line !== "");
  return { files, clock, log, lines };
}

test("an event is one line of audit.k8s.io/v1", async () => {
  const { log, lines } = world();
  log.record(event());
  await log[Symbol.asyncDispose]();
  assert.deepEqual(JSON.parse(lines()[0] ?? ""), {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "Metadata",
    auditID: "id",
    stage: "ResponseComplete",
    requestURI: "/api/v1/namespaces/ns/pods/p",
    verb: "get",
    user: { username: "alice", groups: ["dev"] },
    sourceIPs: ["127.0.0.1"],
    userAgent: "kubectl/1",
    objectRef: { resource: "pods", namespace: "ns", name: "p", apiVersion: "v1" },
    responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: "2026-01-01T00:00:00.000000Z",
    stageTimestamp: "2026-01-01T00:00:00.001500Z",
    annotations: { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: because" },
  });
});

test("what a client says of itself is quoted, and what is empty is left out", async () => {
  const { log, lines } = world();
  const userAgent = 'a "quoted" \\ \u0001 wörd';
  log.record(event({ userAgent, sourceIPs: [], objectName: "", uid: "u", decision: undefined, requestURI: "/a?b=\u2028" }));
  await log[Symbol.asyncDispose]();
  const written = JSON.parse(lines()[0] ?? "");
  assert.equal(written.userAgent, userAgent);
  assert.equal(written.requestURI, "/a?b=\u2028");
  assert.deepEqual(written.objectRef, { resource: "pods", namespace: "ns", uid: "u", apiVersion: "v1" });
  assert.ok(!("sourceIPs" in written) && !("annotations" in written));
});

test("events reach the file in order within 200 ms, many to a write", async () => {
  const { log, clock, lines, files } = world();
  let appends = 0;
  const append = files.append.bind(files);
  files.append = (path, data) => {
    appends++;
    return append(path, data);
  };
  for (let index = 0; index < 100; index++) log.record(event({ auditID: String(index) }));
  assert.equal(lines().length, 0, "nothing is written in the request's turn");
  await clock.advance(200);
  assert.deepEqual(
    lines().map((line) => JSON.parse(line).auditID),
    Array.from({ length: 100 }, (_, index) => String(index)),
  );
  assert.equal(appends, 1);
});

test("closing writes what is left", async () => {
  const { log, lines } = world();
  for (let index = 0; index < 10; index++) log.record(event());
  await log[Symbol.asyncDispose]();
  assert.equal(lines().length, 10);
});

test("the file is readable by its owner only, and put aside when it is large", async () => {
  const { log, clock, files, lines } = world(1_000);
  for (let index = 0; index < 8; index++) {
    log.record(event({ auditID: String(index) }));
    await clock.advance(1_000);
  }
  await log[Symbol.asyncDispose]();
  const names = [...files.contents.keys()].sort();
  assert.equal(names.filter((name) => /audit-.*\.log$/.test(name)).length, 2);
  assert.ok(lines().length >= 1);
  assert.equal(files.contents.get("/data/audit.log")?.mode, 0o600);
});

test("a disk that fails costs events, not requests", async () => {
  const { log, clock, files, lines } = world();
  const append = files.append.bind(files);
  files.append = () => Promise.reject(new Error("ENOSPC"));
  log.record(event());
  await clock.advance(200);
  files.append = append;
  log.record(event({ auditID: "after" }));
  await clock.advance(500);
  assert.deepEqual(
    lines().map((line) => JSON.parse(line).auditID),
    ["after"],
  );
});
