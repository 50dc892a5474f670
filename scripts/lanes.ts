// The test lanes: which files belong to each, and how each is run. `npm test` runs all, `npm test -- unit` one.
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

export interface Lane {
  readonly files: readonly string[];
  /** Units share one process; tests that start servers, containers or processes get one each. */
  readonly isolation: "none" | "process";
  readonly concurrency: number;
  readonly timeoutMs: number;
}

export const lanes: Readonly<Record<string, Lane>> = {
  unit: {
    files: ["src/**/*.test.ts", "scripts/**/*.test.ts", "test/*.test.ts", "test/checkers/*.test.ts"],
    isolation: "none",
    concurrency: 1,
    timeoutMs: 120_000,
  },
  room: {
    files: ["test/{apiserver,client,controllers,scheduler,store,cluster}/**/*.test.ts"],
    isolation: "process",
    concurrency: 2,
    timeoutMs: 300_000,
  },
  simulation: { files: ["test/sim/**/*.test.ts"], isolation: "process", concurrency: 2, timeoutMs: 300_000 },
  wire: { files: ["test/wire/**/*.test.ts"], isolation: "process", concurrency: 2, timeoutMs: 600_000 },
  node: { files: ["test/node/**/*.test.ts"], isolation: "process", concurrency: 1, timeoutMs: 600_000 },
};

export interface LaneResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
}

export async function runLane(name: string): Promise<LaneResult> {
  const lane = lanes[name];
  if (lane === undefined) throw new Error(`Unknown lane "${name}": choose from ${Object.keys(lanes).join(", ")}`);
  const files = globSync([...lane.files], { cwd: root }).sort();
  const started = performance.now();
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0, seconds: 0 };
  const args = [
    "--disable-warning=ExperimentalWarning",
    "--import=./scripts/property-seed.ts",
    "--test",
    `--test-isolation=${lane.isolation}`,
    `--test-concurrency=${lane.concurrency}`,
    `--test-timeout=${lane.timeoutMs}`,
    "--test-reporter=./scripts/reporter.ts",
    ...files,
  ];
  let counts = { passed: 0, failed: 0, skipped: 0 };
  const code = await run(process.execPath, args, (line) => {
    const match = /^lane-result (\d+) (\d+) (\d+)$/.exec(line);
    if (match === null) return console.log(line);
    counts = { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3]) };
  });
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return { ...counts, seconds: (performance.now() - started) / 1000 };
}

export interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

/** Runs the steps in order and stops at the first that fails; returns its exit code. */
export async function runSteps(steps: readonly Step[]): Promise<number> {
  for (const step of steps) {
    const started = performance.now();
    const [command = "", ...args] = step.command;
    const code = await run(join(root, command), args, (line) => console.log(line));
    console.log(`${code === 0 ? "ok" : "FAILED"}: ${step.name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    if (code !== 0) return code;
  }
  return 0;
}

function run(command: string, args: readonly string[], onLine: (line: string) => void): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) onLine(line);
      });
      stream.on("end", () => rest !== "" && onLine(rest));
    }
    child.on("close", (code) => resolve(code ?? 128));
    child.on("error", (error) => {
      console.error(`Cannot run "${command}": ${error.message}`);
      resolve(127);
    });
  });
}
