// N1: pod create to Running seen by a watch, image present, on a real node.
import { type Pod, pods } from "#api";
import { createLog, systemClock, systemFiles } from "#base";
import { createClient, httpsTransport, loadKubeconfig } from "#client";
import { needsRoot, startTiphys } from "../test/support/tiphys.ts";
import { median, percentile, round } from "./support.ts";

const runs = 30;

export async function benchPodStart(): Promise<unknown> {
  const missing = needsRoot("containerd", "runc", "nft", "ip", "busybox");
  if (missing !== false) return { skipped: missing };
  await using cluster = await startTiphys(["--nodes", "1"], { timeoutMs: 90_000 });
  const config = await loadKubeconfig((await systemFiles.read(cluster.info.kubeconfig)).toString(), { files: systemFiles });
  await using transport = httpsTransport({
    ...config,
    userAgent: "bench",
    clock: systemClock,
    log: createLog({ level: "error", format: "text" }),
  });
  const client = createClient(transport);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const name = `start-${run}`;
    const abort = new AbortController();
    const { resourceVersion } = (await client.list(pods, { namespace: "default", limit: 1 })).metadata;
    const events = client.watch(pods, {
      namespace: "default",
      fieldSelector: `metadata.name=${name}`,
      resourceVersion,
      signal: abort.signal,
    });
    const running = (async () => {
      for await (const event of events) if (event.type !== "BOOKMARK" && event.object.status?.phase === "Running") return;
    })();
    const from = performance.now();
    await client.create(pods, {
      metadata: { name, namespace: "default" },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: "a", image: "tiphys.local/busybox:1", command: ["sleep", "1000"] }],
      },
    } as Pod);
    await running;
    times.push(performance.now() - from);
    abort.abort();
    await client.delete(pods, { namespace: "default", name }, { gracePeriodSeconds: 0 });
  }
  return {
    createToRunningMs: { p50: round(median(times)), p90: round(percentile(times, 0.9)), max: round(Math.max(...times)) },
    runs,
    target: 450,
    upstream: { p50: 573, max: 739 },
  };
}
