// Request metrics: counted as they end, told as often as somebody asks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#base";
import { openMemoryStore } from "#store";
import { Metrics } from "./metrics.ts";
import { parseQuery } from "./query.ts";
import { requestInfo } from "./request-info.ts";
import { StoreMetrics } from "./store-metrics.ts";

test("requests are counted once however often the page is read, and those in flight while they are", async () => {
  const clock = new VirtualClock();
  const store = new StoreMetrics(openMemoryStore({ clock }), clock, () => ({ group: "", resource: "" }));
  const metrics = new Metrics(clock, () => [], store);
  const line = async (start: string, label = ""): Promise<string> =>
    (await metrics.text()).split("\n").find((text) => text.startsWith(start) && text.includes(label)) ?? "";
  const info = requestInfo("POST", "/api/v1/namespaces/ns/pods", parseQuery(""));
  const inflight = 'apiserver_current_inflight_requests{request_kind="mutating"} ';
  const first = metrics.begin(info);
  const second = metrics.begin(info);
  assert.equal(await line(inflight), `${inflight}2`);
  first(201);
  assert.match(await line("apiserver_request_total{", 'code="201"'), /resource="pods".*verb="POST".* 1$/);
  second(201);
  assert.equal(await line(inflight), `${inflight}0`);
  assert.match(await line("apiserver_request_total{", 'code="201"'), / 2$/);
  metrics.begin(info)(409);
  assert.match(await line("apiserver_request_total{", 'code="201"'), / 2$/);
  assert.match(await line("apiserver_request_total{", 'code="409"'), / 1$/);
});
