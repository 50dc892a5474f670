// The images that Tiphys makes itself: the pause program runs, reaps and ends; the archives are the same bytes every time.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pauseArchive } from "./built-in.ts";
import { pauseProgram } from "./pause/pause.ts";

test("the pause program waits, and ends with 0 on SIGTERM", {
  skip: process.platform !== "linux" || process.arch !== "x64" ? "needs Linux on amd64" : false,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "pause-"));
  try {
    const path = join(directory, "pause");
    writeFileSync(path, pauseProgram("amd64"), { mode: 0o755 });
    const child = spawn(path);
    const exited = new Promise((resolve) => child.on("exit", (code, signal) => resolve([code, signal])));
    // a signal that comes before the program has blocked it ends it like any other
    while (!waitsForSignals(child.pid)) await new Promise((resolve) => setImmediate(resolve));
    child.kill("SIGCHLD"); // no child to reap: it must go on waiting
    assert.equal(child.exitCode, null);
    child.kill("SIGTERM");
    assert.deepEqual(await exited, [0, null]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** The program, not the shell of a fork that it replaces, sleeps: there is one place where it does. */
function waitsForSignals(pid: number | undefined): boolean {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return /^Name:\s+pause$/m.test(status) && /^State:\s+S /m.test(status);
}

test("the pause program stays below 300 bytes on both machines", () => {
  for (const machine of ["amd64", "arm64"] as const) assert.ok(pauseProgram(machine).length < 300);
});

test("pauseArchive() gives the same bytes every time", async () => {
  assert.ok((await pauseArchive()).equals(await pauseArchive()));
});
