// Lines as operators and their tools read them.
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLog, type LogOptions } from "./log.ts";

function linesOf(options: Omit<LogOptions, "descriptor">, write: (log: ReturnType<typeof createLog>) => void): string[] {
  const directory = mkdtempSync(join(tmpdir(), "log-"));
  const file = join(directory, "log");
  const descriptor = openSync(file, "a");
  try {
    write(createLog({ ...options, descriptor }));
    return readFileSync(file, "utf8").trimEnd().split("\n");
  } finally {
    closeSync(descriptor);
    rmSync(directory, { recursive: true });
  }
}

test("a text line has time, level, component, message and fields, quoted where needed", () => {
  const [line = ""] = linesOf({ level: "info", format: "text" }, (log) =>
    log.child({ component: "scheduler" }).info("bound pod", { pod: "default/a", why: "it fits", error: new Error("no") }),
  );
  assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z info {2}scheduler: bound pod pod=default\/a why="it fits" error=no$/);
});

test("a JSON line has pino's names and numbers, and a bigint does no harm", () => {
  const [line = ""] = linesOf({ level: "info", format: "json" }, (log) =>
    log
      .child({ component: "store" })
      .warn("slow", { revision: 2n ** 60n, error: new Error("disk", { cause: new Error("full") }) }),
  );
  const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
  assert.equal(typeof time, "number");
  assert.deepEqual(rest, { level: 40, component: "store", revision: String(2n ** 60n), error: "disk: full", msg: "slow" });
});

test("lines below the level are not written", () => {
  for (const format of ["text", "json"] as const) {
    const lines = linesOf({ level: "warn", format }, (log) => {
      log.debug("a");
      log.info("b");
      log.warn("c");
      log.error("d");
    });
    assert.equal(lines.length, 2, format);
  }
});

test("a log that nobody can read does not stop the program", () => {
  createLog({ level: "info", format: "text", descriptor: 1 << 20 }).error("into the void");
});
