// A cluster of real etcd members on the loopback, whose members a test kills, freezes and starts again.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GrpcChannel, openGrpcChannel, silentLog, sleep, systemClock } from "#base";
import { type EtcdStore, type EtcdStoreOptions, openEtcdStore } from "#store";
import { etcdMessages, type Int } from "../../../src/store/etcd/wire.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { freePort } from "./real-etcd.ts";

export interface MemberStatus {
  readonly index: number;
  readonly leads: boolean;
  readonly term: number;
}

export interface Members extends AsyncDisposable {
  readonly urls: readonly string[];
  readonly certificates: Certificates | undefined;
  /** Of those that answer, with a leader known. */
  status(): Promise<readonly MemberStatus[]>;
  /** Resolves with the index of the leader that a majority of all members follows. */
  leader(): Promise<number>;
  /** kill -9; resolves when the process is gone. */
  kill(index: number): Promise<void>;
  /** Starts it again on its data; resolves when it follows a leader. */
  restart(index: number): Promise<void>;
  /** SIGSTOP: connections stay and nobody answers. */
  freeze(index: number): void;
  thaw(index: number): void;
  open(options?: Partial<EtcdStoreOptions>): Promise<EtcdStore>;
}

export async function startMembers(count: number, options: { readonly tls?: boolean } = {}): Promise<Members> {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "tiphys-members-"));
  const certificates = options.tls ? makeCertificates(directory) : undefined;
  const url = async (): Promise<string> => `${certificates === undefined ? "http" : "https"}://127.0.0.1:${await freePort()}`;
  const urls: string[] = [];
  const peers: string[] = [];
  for (let i = 0; i < count; i++) {
    urls.push(await url());
    peers.push(await url());
  }
  const tls =
    certificates === undefined
      ? undefined
      : { ca: certificates.ca, certificate: certificates.certificate, key: certificates.key };
  const channels: GrpcChannel[] = [];
  for (const each of urls) {
    const common = { address: each.replace(/^https?:\/\//, ""), messages: etcdMessages };
    channels.push(await openGrpcChannel(tls === undefined ? common : { ...common, tls }));
  }
  const children: ChildProcess[] = [];
  const start = (index: number): void => {
    const flags = [
      `--data-dir=${directory}/${index}`,
      `--name=m${index}`,
      `--listen-client-urls=${urls[index]}`,
      `--advertise-client-urls=${urls[index]}`,
      `--listen-peer-urls=${peers[index]}`,
      `--initial-advertise-peer-urls=${peers[index]}`,
      `--initial-cluster=${peers.map((peer, i) => `m${i}=${peer}`).join(",")}`,
      "--log-level=error",
    ];
    if (certificates !== undefined) {
      const { ca, certificate, key } = certificates.files;
      flags.push(`--trusted-ca-file=${ca}`, `--cert-file=${certificate}`, `--key-file=${key}`, "--client-cert-auth");
      flags.push(`--peer-trusted-ca-file=${ca}`, `--peer-cert-file=${certificate}`, `--peer-key-file=${key}`);
    }
    children[index] = spawn("etcd", flags, {
      stdio: ["ignore", "ignore", process.env["ETCD_STDERR"] === undefined ? "ignore" : "inherit"],
    });
  };
  const statusOf = async (index: number): Promise<MemberStatus | undefined> => {
    try {
      const answer = await (channels[index] as GrpcChannel).unary(statusRpc, {}, { timeoutMs: 500 });
      const { leader, raftTerm, header } = answer as unknown as WireStatus;
      if (BigInt(leader) === 0n) return undefined;
      return { index, leads: BigInt(leader) === BigInt(header.member_id), term: Number(raftTerm) };
    } catch {
      return undefined;
    }
  };
  const status = async (): Promise<readonly MemberStatus[]> =>
    (await Promise.all(urls.map((_, index) => statusOf(index)))).filter((each) => each !== undefined);
  const until = async <T>(look: () => Promise<T | undefined>, what: string): Promise<T> => {
    for (const end = performance.now() + 20_000; performance.now() < end; await sleep(systemClock, 50)) {
      const found = await look();
      if (found !== undefined) return found;
    }
    throw new Error(`waited 20 s in vain: ${what}`);
  };
  const signal = async (index: number, name: NodeJS.Signals): Promise<void> => {
    const child = children[index];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = name === "SIGKILL" ? new Promise((resolve) => child.once("exit", resolve)) : undefined;
    child.kill(name);
    await gone;
  };
  const members: Members = {
    urls,
    certificates,
    status,
    leader: () =>
      until(async () => {
        const all = await status();
        return all.length > count / 2 ? all.find(({ leads }) => leads)?.index : undefined;
      }, "a leader"),
    kill: (index) => signal(index, "SIGKILL"),
    restart: async (index) => {
      start(index);
      await until(() => statusOf(index), `member ${index} with a leader`);
    },
    freeze: (index) => void signal(index, "SIGSTOP"),
    thaw: (index) => void signal(index, "SIGCONT"),
    open: (more = {}) =>
      openEtcdStore({
        servers: urls,
        clock: systemClock,
        log: silentLog,
        ...(tls === undefined ? {} : { tls }),
        ...more,
      }),
    [Symbol.asyncDispose]: async () => {
      for (const channel of channels) channel.close();
      await Promise.all(children.map((_, index) => signal(index, "SIGKILL")));
      rmSync(directory, { recursive: true, force: true });
    },
  };
  for (let index = 0; index < count; index++) start(index);
  try {
    await members.leader();
    return members;
  } catch (error) {
    await members[Symbol.asyncDispose]();
    throw error;
  }
}

/** Kills members (all, unless told how many), the leader first, and starts each again after a while. */
export async function inTurn(members: Members, downMs: number, many = members.urls.length): Promise<void> {
  const leader = await members.leader();
  await sleep(systemClock, 500);
  const order = [leader, ...members.urls.keys().filter((other) => other !== leader)];
  for (const index of order.slice(0, many)) {
    await members.kill(index);
    await sleep(systemClock, downMs);
    await members.restart(index);
    await sleep(systemClock, 500);
  }
}

interface WireStatus {
  readonly header: { readonly member_id: Int };
  readonly leader: Int;
  readonly raftTerm: Int;
}

const statusRpc = {
  path: "/etcdserverpb.Maintenance/Status",
  request: "etcdserverpb.StatusRequest",
  response: "etcdserverpb.StatusResponse",
};
