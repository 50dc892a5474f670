import assert from "node:assert/strict";
import { test } from "node:test";
import { apiError, configMaps } from "#api";
import { seededRandom, silentLog, VirtualClock } from "#base";
import { createInformerFactory } from "./informer-factory.ts";
import { createClient } from "./rest-client.ts";
import type { ApiReply, ApiRequest, WatchFrame } from "./transport.ts";

type Answer =
  | { readonly list: string; readonly items?: readonly object[] }
  | { readonly frames: readonly WatchFrame[]; readonly stays?: true }
  | { readonly fails: string };

/** A server that gives these answers one after the other, and then is silent. */
function scripted(answers: readonly Answer[]) {
  const asked: string[] = [];
  let next = 0;
  const frames = async function* (list: readonly WatchFrame[], stays: boolean, signal?: AbortSignal): AsyncGenerator<WatchFrame> {
    yield* list;
    if (stays) await new Promise((resolve) => signal?.addEventListener("abort", resolve, { once: true }));
  };
  const send = async ({ query, signal }: ApiRequest): Promise<ApiReply> => {
    asked.push(
      `${query["watch"] === "true" ? "watch" : "list"} ${query["resourceVersion"] ?? "-"}${query["continue"] === undefined ? "" : ` ${query["continue"]}`}`,
    );
    const answer = answers[next++] ?? { frames: [], stays: true };
    if ("fails" in answer) throw new Error(answer.fails);
    if ("frames" in answer) return { code: 200, frames: frames(answer.frames, answer.stays === true, signal) };
    const [resourceVersion, token] = answer.list.split(" ");
    return {
      code: 200,
      object: { metadata: { resourceVersion, ...(token === undefined ? {} : { continue: token }) }, items: answer.items ?? [] },
    };
  };
  const clock = new VirtualClock();
  const client = createClient({ send, [Symbol.asyncDispose]: async () => {} });
  const factory = createInformerFactory({ client, clock, random: seededRandom(1), log: silentLog });
  const informer = factory.informer(configMaps);
  factory.start();
  return { asked, clock, factory, informer };
}

const map = (name: string, resourceVersion: string) => ({
  metadata: { namespace: "a", name, uid: name, resourceVersion, creationTimestamp: "" },
});
const added = (name: string, resourceVersion: string): WatchFrame => ({ type: "ADDED", object: map(name, resourceVersion) });
const bookmark = (resourceVersion: string): WatchFrame => ({ type: "BOOKMARK", object: { metadata: { resourceVersion } } });
const gone: WatchFrame = { type: "ERROR", object: apiError("Expired", "too old").status };

test("a bookmark moves the point from which the watch is resumed", async () => {
  const { asked, clock, factory, informer } = scripted([{ list: "5" }, { frames: [added("x", "7"), bookmark("90")] }]);
  await clock.advance(10);
  assert.deepEqual(asked, ["list 0", "watch 5", "watch 90"]);
  assert.equal(informer.resourceVersion, "90");
  await factory[Symbol.asyncDispose]();
});

test("resource versions beyond 2^53 are told apart", async () => {
  const { asked, clock, factory, informer } = scripted([
    { list: "9007199254740993" },
    { frames: [added("x", "9007199254740994"), bookmark("9007199254740992")] },
  ]);
  await clock.advance(10);
  assert.equal(asked.at(-1), "watch 9007199254740994");
  await informer.reached("9007199254740994");
  await factory[Symbol.asyncDispose]();
});

test("after a restored backup, with smaller resource versions than before, the cache follows the new history", async () => {
  const { asked, clock, factory, informer } = scripted([
    { list: "100", items: [map("old", "50")] },
    { frames: [gone] },
    { list: "5", items: [map("new", "4")] },
    { frames: [added("newer", "6")] },
  ]);
  await clock.advance(10_000);
  assert.deepEqual(asked, ["list 0", "watch 100", "list -", "watch 5", "watch 6"]);
  assert.deepEqual([informer.list().map(({ metadata }) => metadata.name), informer.resourceVersion], [["new", "newer"], "6"]);
  await factory[Symbol.asyncDispose]();
});

test("a list in pages is put together before anybody sees it", async () => {
  const { asked, clock, factory, informer } = scripted([
    { list: "5" },
    { frames: [gone] },
    { list: "9 next", items: [map("a", "1"), map("b", "2")] },
    { list: "9", items: [map("c", "3")] },
  ]);
  await clock.advance(10);
  assert.deepEqual(asked, ["list 0", "watch 5", "list -", "list - next", "watch 9"]);
  assert.deepEqual(
    informer.list().map(({ metadata }) => metadata.name),
    ["a", "b", "c"],
  );
  await factory[Symbol.asyncDispose]();
});

test("a watch that breaks is resumed, not listed again", async () => {
  const { asked, clock, factory } = scripted([{ list: "5" }, { frames: [added("x", "6")] }, { fails: "connection reset" }]);
  await clock.advance(10_000);
  assert.deepEqual(asked, ["list 0", "watch 5", "watch 6", "watch 6"]);
  await factory[Symbol.asyncDispose]();
});

test("a server that ends every watch at once, or expires everything, is not asked in a busy loop", async () => {
  for (const frames of [[], [gone]]) {
    const { asked, clock, factory } = scripted(
      Array.from(
        { length: 200 },
        (_, i): Answer => (i % 2 === 0 && frames.length > 0 ? { list: "5" } : { frames: i === 0 ? [] : frames }),
      ),
    );
    await clock.advance(60_000);
    assert.ok(asked.length < 30, `${asked.length} requests in a minute`);
    await factory[Symbol.asyncDispose]();
  }
});
