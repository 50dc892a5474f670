// Refusals of kubelets as Statuses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { backendRefusal, isRefusal } from "./backend-refusal.ts";

async function* text(...chunks: string[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

test("what a kubelet refuses is told in its words, or in the server's own where it has more to say", async () => {
  const of = async (code: number, ...chunks: string[]): Promise<readonly unknown[]> => {
    const { status } = await backendRefusal({ code, body: text(...chunks) }, { resource: "pods/log", name: "p" });
    return [status.code, status.reason, status.message];
  };
  assert.deepEqual(await of(400, "previous terminated ", 'container "c" in pod "p" not found'), [
    400,
    "BadRequest",
    'previous terminated container "c" in pod "p" not found',
  ]);
  assert.deepEqual(await of(500, "boom"), [500, "InternalError", "Internal error occurred: boom"]);
  assert.deepEqual(await of(404, "404 page not found"), [
    404,
    "NotFound",
    "the server could not find the requested resource ( pods/log p)",
  ]);
  assert.deepEqual(await of(403, "Forbidden (user=x)"), [403, "Forbidden", "Forbidden (user=x) ( pods/log p)"]);
  assert.deepEqual(await of(418), [
    418,
    undefined,
    "the server responded with the status code 418 but did not return more information ( pods/log p)",
  ]);
  assert.equal((await of(400, "x".repeat(60_000)))[2]?.toString().length, 50_000);
  assert.deepEqual([200, 206, 204, 300, 400].map(isRefusal), [false, false, false, true, true]);
});
