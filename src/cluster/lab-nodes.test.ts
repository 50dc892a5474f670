// Whether the nodes of a lab know the way to each other's pods.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes } from "#api";
import { startApiServer } from "#apiserver";
import { type Files, type Processes, seededRandom, silentLog, systemFiles, VirtualClock } from "#base";
import { createClient, inProcessTransport } from "#client";
import type { Lab } from "#network";
import { openMemoryStore } from "#store";
import { type LabNodesOptions, startLabNodes } from "./lab-nodes.ts";

test("a lab has routes to the pods of each node, and with --cni=bridge none", async () => {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const store = openMemoryStore({ clock });
  await using server = await startApiServer({ listen: false }, { store, clock, random, files: systemFiles, log: silentLog });
  const user = { name: "admin", groups: ["system:masters", "system:authenticated"] };
  const client = createClient(inProcessTransport(server.handle, { user, userAgent: "test" }));
  await client.create(nodes, { metadata: { name: "node-1" }, spec: { podCIDR: "10.244.1.0/24" } });
  const routed = Promise.withResolvers<string>();
  const labOf = (addPodRoute: Lab["addPodRoute"]): Lab => ({ nodes: [], addPodRoute }) as unknown as Lab; // no process is started
  const start = (cni: string, lab: Lab) =>
    startLabNodes(
      { cni } as LabNodesOptions,
      lab,
      { client, server: "", pki: undefined as never },
      {
        clock,
        random,
        log: silentLog,
        files: {} as Files,
        processes: {} as Processes,
      },
    );
  const never: string[] = [];
  await using _bridged = await start(
    "bridge",
    labOf(async (node, range) => void never.push(`${node} ${range}`)),
  );
  await using _routed = await start(
    "routes",
    labOf(async (node, range) => routed.resolve(`${node} ${range}`)),
  );
  assert.equal(await routed.promise, "node-1 10.244.1.0/24");
  assert.deepEqual(never, []);
});
