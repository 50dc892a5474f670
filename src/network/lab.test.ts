// The routes of the lab, as the commands that make them.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Processes } from "#base";
import { setUpLab } from "./lab.ts";

test("the way to a node's pods is known to the host and the other nodes, until the node goes", async () => {
  const commands: string[] = [];
  const processes = {
    run: async (program: string, args: readonly string[]) => {
      commands.push([program, ...args].join(" "));
      return { code: 0, stdout: "", stderr: "" };
    },
  } as unknown as Processes;
  const lab = await setUpLab({ id: "x", nodeCidr: "10.203.0.0/24", nodes: ["node-1", "node-2", "node-3"] }, processes);
  const commandsOf = async (change: () => Promise<void>): Promise<readonly string[]> => {
    commands.length = 0;
    await change();
    return [...commands];
  };
  const everywhere = (words: string): string[] => [
    words,
    `ip netns exec tiphys-x-0 ${words}`,
    `ip netns exec tiphys-x-2 ${words}`,
  ];
  assert.deepEqual(
    await commandsOf(() => lab.addPodRoute("node-2", "10.244.1.0/24")),
    everywhere("ip route replace 10.244.1.0/24 via 10.203.0.3"),
  );
  assert.deepEqual(
    await commandsOf(() => lab.removePodRoute("node-2", "10.244.1.0/24")),
    everywhere("ip route delete 10.244.1.0/24 via 10.203.0.3"),
  );
  assert.deepEqual(await commandsOf(() => lab.removePodRoute("stranger", "10.244.9.0/24")), []);
});
