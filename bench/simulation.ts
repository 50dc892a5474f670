// C1: a Deployment of 600 replicas until all are Ready on 1,000 simulated nodes, in one process, over the in-process transport, on real time.
import { type Deployment, deployments } from "#api";
import { createCluster } from "#cluster";
import { median, round } from "./support.ts";

export async function benchSimulation(): Promise<unknown> {
  const seconds: number[] = [];
  for (let run = 0; run < 3; run++) {
    await using cluster = await createCluster({ simNodes: 1000, time: "real", seed: run });
    const ref = { namespace: "default", name: "web" };
    const from = performance.now();
    await cluster.client.create(deployments, {
      metadata: ref,
      spec: {
        replicas: 600,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "a", image: "nginx" }] } },
      },
    } as Deployment);
    await cluster.until(async () => (await cluster.client.get(deployments, ref)).status?.readyReplicas === 600, 120_000);
    seconds.push(round((performance.now() - from) / 1000, 2));
  }
  return { secondsTo600Ready: median(seconds), runs: seconds, target: 4, upstreamWithKwok: 7.9 };
}
