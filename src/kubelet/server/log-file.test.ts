// Reading container logs: tails, streams, times, limits, following over a rotation to the container's end.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readLog } from "./log-file.ts";
import { LogQueryError, parseLogQuery } from "./log-query.ts";

const now = Date.parse("2026-01-01T00:01:00Z");
const lines = [
  "2026-01-01T00:00:01.000000000Z stdout F one",
  "2026-01-01T00:00:02.000000000Z stderr F two",
  "2026-01-01T00:00:03.000000000Z stdout P thr",
  "2026-01-01T00:00:03.100000000Z stdout F ee",
  "2026-01-01T00:00:50.000000000Z stdout F four",
];

async function read(query: string, text = `${lines.join("\n")}\n`): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "log-"));
  try {
    const path = join(directory, "0.log");
    writeFileSync(path, text);
    const source = { path, running: async () => false, onChange: () => ({ [Symbol.dispose]: () => {} }) };
    const pieces: Buffer[] = [];
    for await (const piece of readLog(source, parseLogQuery(new URLSearchParams(query), now), new AbortController().signal))
      pieces.push(piece);
    return Buffer.concat(pieces).toString();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const [name, query, expected] of [
  ["everything, with partial lines joined", "", "one\ntwo\nthree\nfour\n"],
  ["the last line", "tailLines=1", "four\n"],
  ["nothing for a tail of none", "tailLines=0", ""],
  ["more lines than there are", "tailLines=100", "one\ntwo\nthree\nfour\n"],
  ["what is younger than the given seconds", "sinceSeconds=20", "four\n"],
  ["what is younger than the given time", "sinceTime=2026-01-01T00:00:03Z", "three\nfour\n"],
  ["one stream", "stream=Stderr", "two\n"],
  [
    "times in front of lines, once for a joined line",
    "timestamps=true&tailLines=3",
    "2026-01-01T00:00:03.000000000Z three\n2026-01-01T00:00:50.000000000Z four\n",
  ],
  ["no more bytes than asked for", "limitBytes=5", "one\nt"],
] as const) {
  test(`readLog() gives ${name}`, async () => assert.equal(await read(query), expected));
}

for (const query of [
  "tailLines=-1",
  "tailLines=x",
  "sinceSeconds=0",
  "limitBytes=0",
  "sinceTime=soon",
  "sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z",
  "stream=both",
]) {
  test(`parseLogQuery() refuses ${query}`, () =>
    assert.throws(() => parseLogQuery(new URLSearchParams(query), now), LogQueryError));
}

test("readLog() follows a log over a rotation until the container has ended", async () => {
  const directory = mkdtempSync(join(tmpdir(), "log-"));
  try {
    const path = join(directory, "0.log");
    writeFileSync(path, `${lines[0]}\n`);
    let running = true;
    let changed = (): void => {};
    const source = {
      path,
      running: async () => running,
      onChange: (listener: () => void) => {
        changed = listener;
        return { [Symbol.dispose]: () => {} };
      },
    };
    const seen: string[] = [];
    for await (const piece of readLog(
      source,
      parseLogQuery(new URLSearchParams("follow=true"), now),
      new AbortController().signal,
    )) {
      seen.push(piece.toString());
      if (seen.length === 1) appendFileSync(path, `${lines[1]}\n`);
      if (seen.length === 2) {
        renameSync(path, join(directory, "0.log.1"));
        writeFileSync(path, `${lines[4]}\n`);
      }
      if (seen.length === 3) {
        running = false;
        changed();
      }
    }
    assert.deepEqual(seen, ["one\n", "two\n", "four\n"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
