// kill -9 at random moments: nothing acknowledged is lost, nothing appears that nobody wrote, revisions have no gap.
// CRASH_CYCLES=2000 node --test test/store/crash.test.ts
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { randomInt, seededRandom, silentLog, sleep, systemClock } from "#base";
import { openDiskStore, type Revision, type StoreEvent } from "#store";

const cycles = Number(process.env["CRASH_CYCLES"] ?? 20);
const seed = Number(process.env["CRASH_SEED"] ?? 1);

interface Acknowledged {
  readonly revision: Revision;
  readonly writer: number;
  readonly n: number;
}

/** Runs the writers for a while and kills them; what they had been told was written. */
async function run(directory: string, cycle: number, lifeMs: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [new URL("./crash-child.ts", import.meta.url).pathname, directory, String(cycle)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const ready = Promise.withResolvers<void>();
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    output += text;
    if (output.startsWith("ready\n")) ready.resolve();
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await Promise.race([ready.promise, ended.then(() => Promise.reject(new Error("the writers ended before they began")))]);
  await sleep(systemClock, lifeMs);
  child.kill("SIGKILL");
  await ended;
  // The last line may be cut.
  return output
    .split("\n")
    .slice(1, -1)
    .map((line) => line.split(" ").map(Number))
    .map(([revision = 0, writer = 0, n = 0]) => ({ revision, writer, n }));
}

/** Everything since `after`, read by a watch, which must see each revision. */
async function history(
  directory: string,
  after: Revision,
): Promise<{ readonly revision: Revision; readonly events: StoreEvent[] }> {
  await using store = await openDiskStore({
    directory,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    compactEveryMs: 0,
  });
  const events: StoreEvent[] = [];
  const reached = Promise.withResolvers<void>();
  const watch = await store.watch({ key: "\0", end: "\0", startRevision: after + 1 }, (batch) => {
    events.push(...batch.events);
    if (batch.revision >= store.revision) reached.resolve();
  });
  watch.requestProgress();
  await reached.promise;
  return { revision: store.revision, events };
}

test(`${cycles} times kill -9 under eight writers: nothing acknowledged is lost, nothing invented, no gap`, async () => {
  const directory = mkdtempSync(join(tmpdir(), "tiphys-crash-"));
  const random = seededRandom(seed);
  let total = 0;
  let before: Revision = 1;
  try {
    for (let cycle = 0; cycle < cycles; cycle++) {
      const acknowledged = await run(directory, cycle, 20 + randomInt(random, 380));
      const { revision, events } = await history(directory, before);
      const puts = new Map<Revision, string>();
      const seen = new Set<Revision>();
      for (const { type, kv } of events) {
        seen.add(kv.modRevision);
        if (type === "put") puts.set(kv.modRevision, kv.value.toString("latin1"));
      }
      for (let at = before + 1; at <= revision; at++) assert.ok(seen.has(at), `cycle ${cycle}: revision ${at} is missing`);
      const last = new Map<number, number>();
      for (const { revision: at, writer, n } of acknowledged) {
        assert.ok(
          puts.get(at)?.startsWith(`${cycle} ${writer} ${n} `),
          `cycle ${cycle}: lost write ${n} of writer ${writer} at revision ${at}`,
        );
        last.set(writer, n);
      }
      for (const [at, value] of puts) {
        const [wroteCycle, writer = 0, n = 0] = value.split(" ").map(Number);
        assert.ok(
          wroteCycle === cycle && n <= (last.get(writer) ?? -1) + 1,
          `cycle ${cycle}: revision ${at} holds a write nobody made`,
        );
      }
      total += acknowledged.length;
      before = revision;
    }
    assert.ok(total > cycles, "the writers wrote");
    console.log(`# ${cycles} cycles, ${total} acknowledged writes, last revision ${before}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
