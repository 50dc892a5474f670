// kill -9 of the whole process at random moments of a rollout: every acknowledged object is there, running containers are not restarted, the rollout completes.
// TIPHYS_KILLS makes it longer than what `npm test` runs.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { leftovers } from "../support/leftovers.ts";
import { needsRoot, startTiphys, type Tiphys } from "../support/tiphys.ts";

const kills = Number(process.env.TIPHYS_KILLS ?? 3);
const skip = needsRoot("kubectl", "containerd", "runc", "nft", "ip", "busybox");
const example = join(import.meta.dirname, "../../examples/hello.yaml");

test(`${kills} kills during a rollout lose nothing and restart nothing`, { skip }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "kill-"));
  const atFirst = await leftovers();
  let cluster: Tiphys = await startTiphys(["--nodes", "1"], { dataDir, timeoutMs: 90_000 });
  try {
    const k = async (...args: string[]): Promise<string> => {
      const result = await cluster.kubectl(...args);
      assert.equal(result.code, 0, `kubectl ${args.join(" ")}\n${result.stdout}${result.stderr}`);
      return result.stdout;
    };
    await k("apply", "-f", example);
    await k("rollout", "status", "deployment/hello", "--timeout=90s");
    await k(
      "run",
      "steady",
      "--image=tiphys.local/busybox:1",
      "--image-pull-policy=IfNotPresent",
      "--command",
      "--",
      "sleep",
      "100000",
    );
    await k("wait", "--for=condition=Ready", "pod/steady", "--timeout=90s");
    const steady = (): Promise<string> =>
      k(
        "get",
        "pod",
        "steady",
        "-o",
        "jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}",
      );
    const before = await steady();

    const acknowledged = new Set<string>();
    for (let round = 0; round < kills; round++) {
      await k("set", "env", "deployment/hello", `GREETING=round ${round}`);
      let stop = false;
      const writing = (async () => {
        for (let i = 0; !stop; i++) {
          const name = `note-${round}-${i}`;
          if ((await cluster.kubectl("create", "configmap", name, "--from-literal=a=b")).code === 0) acknowledged.add(name);
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 2500)); // the moment is what is random here
      cluster.child.kill("SIGKILL");
      await cluster.stop("SIGKILL");
      stop = true;
      await writing;
      cluster = await startTiphys(["--nodes", "1"], { dataDir, timeoutMs: 90_000 });
      const present = new Set((await k("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}")).split(" "));
      assert.deepEqual(
        [...acknowledged].filter((name) => !present.has(name)),
        [],
      );
      await k("rollout", "status", "deployment/hello", "--timeout=90s");
      await k("wait", "--for=condition=Ready", "pod/steady", "--timeout=90s");
      assert.equal(await steady(), before);
    }
    const list = JSON.parse(await k("get", "pods", "-l", "app=hello", "-o", "json")) as {
      items: { metadata: { deletionTimestamp?: string }; spec: { containers: { env: { value: string }[] }[] } }[];
    };
    const greetings = list.items
      .filter((pod) => pod.metadata.deletionTimestamp === undefined)
      .map((pod) => pod.spec.containers[0]?.env[0]?.value);
    assert.deepEqual(
      greetings,
      Array.from({ length: 3 }, () => `round ${kills - 1}`),
    );
  } finally {
    await cluster.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
  assert.deepEqual(await leftovers(), atFirst);
});
