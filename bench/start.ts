// T2: process start to /readyz with the disk store, and resident memory right after.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTiphys } from "../test/support/tiphys.ts";
import { median, usage } from "./support.ts";

export async function benchStart(): Promise<unknown> {
  const dataDir = mkdtempSync(join(tmpdir(), "bench-start-"));
  const readyMs: number[] = [];
  const residentMb: number[] = [];
  try {
    for (let run = 0; run < 6; run++) {
      const cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "0"], {
        dataDir,
        env: { NODE_COMPILE_CACHE: join(dataDir, "..", "tiphys-bench-cache") },
      });
      // the first run makes keys and fills the compile cache
      if (run > 0) {
        readyMs.push(cluster.info.readyMs);
        residentMb.push(usage(cluster.info.pid).residentMb);
      }
      await cluster.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  return {
    readyMs: median(readyMs),
    runs: readyMs,
    residentMb: median(residentMb),
    target: { readyMs: 400, residentMb: 160 },
    upstream: { readyMs: [2700, 4000], residentMb: 316 },
  };
}
