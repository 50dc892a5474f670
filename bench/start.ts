// T2: process start to /readyz with the disk store, and resident memory right after: `bin/tiphys up`, bundle and data directory warm.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildBundle } from "../scripts/bundle/build.ts";
import { currentBundle, root } from "../scripts/launch.mjs";
import { startTiphys } from "../test/support/tiphys.ts";
import { median, usage } from "./support.ts";

const runs = 5;

export async function benchStart(): Promise<unknown> {
  if (currentBundle() === undefined) await buildBundle(join(root, "dist"));
  return {
    ...(await measure(join(root, "bin/tiphys"))),
    // what a developer waits for after a change
    fromSources: await measure(join(root, "src/cli/main.ts")),
    target: { readyMs: 400, residentMb: 160 },
    upstream: { readyMs: [2700, 4000], residentMb: 316 },
  };
}

async function measure(program: string): Promise<{ readyMs: number; cpuMs: number; residentMb: number; all: readonly number[] }> {
  const dataDir = mkdtempSync(join(tmpdir(), "bench-start-"));
  const readyMs: number[] = [];
  const cpuMs: number[] = [];
  const residentMb: number[] = [];
  // a free port at first, and that one again: whoever starts again finds everything as it was
  let port = "0";
  try {
    for (let run = 0; run <= runs; run++) {
      const cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "0", "--api-port", port], {
        dataDir,
        program,
        env: { NODE_COMPILE_CACHE: join(dataDir, "compile") },
      });
      port = new URL(cluster.info.server).port;
      // the first run makes keys and fills the compile cache
      if (run > 0) {
        const used = usage(cluster.info.pid);
        readyMs.push(cluster.info.readyMs);
        cpuMs.push(used.cpuSeconds * 1000);
        residentMb.push(used.residentMb);
      }
      await cluster.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  return { readyMs: median(readyMs), cpuMs: Math.round(median(cpuMs)), residentMb: median(residentMb), all: readyMs };
}
