// A real etcd of the distribution, for as long as a test file runs.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog, sleep, systemClock } from "#base";
import { type EtcdStore, openEtcdStore } from "#store";

/** Why it cannot be used here, if it cannot. */
export const etcdMissing = spawnSync("etcd", ["--version"]).status === 0 ? undefined : "etcd is not installed";

export interface RealEtcd extends Disposable {
  readonly url: string;
  /** Its keys as they are. */
  connect(): Promise<EtcdStore>;
  /** Its keys are gone; its revisions go on. */
  open(): Promise<EtcdStore>;
}

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

/** In memory where possible: nobody looks at its fsync here. */
export const etcdDirectory = (): string => mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "tiphys-etcd-"));

/** `restored`: makes the data directory, knowing the address at which this member talks to others. */
export async function startRealEtcd(restored?: (directory: string, peers: string) => Promise<void>): Promise<RealEtcd> {
  const directory = etcdDirectory();
  const [clients, peers] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  await restored?.(join(directory, "data"), peers);
  const flags = {
    "data-dir": join(directory, "data"),
    name: "one",
    "listen-client-urls": clients,
    "advertise-client-urls": clients,
    "listen-peer-urls": peers,
    "initial-advertise-peer-urls": peers,
    "initial-cluster": `one=${peers}`,
    "log-level": "error",
  };
  const child = spawn(
    "etcd",
    Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    { stdio: ["ignore", "ignore", process.env["ETCD_STDERR"] === undefined ? "ignore" : "inherit"] },
  );
  return {
    url: clients,
    connect: () => connect(clients),
    open: async () => {
      const store = await connect(clients);
      await store.transact({ if: [], then: [{ kind: "delete", key: "\0", end: "\0" }] });
      return store;
    },
    [Symbol.dispose]: () => {
      child.kill("SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function connect(url: string): Promise<EtcdStore> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await openEtcdStore({ servers: [url], clock: systemClock, log: silentLog });
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(systemClock, 100);
    }
  }
}
