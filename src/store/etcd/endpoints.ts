// The members of an etcd cluster as one: the one that answered last is asked first, the others when it does not.
import { type Clock, every, type GrpcChannel, type GrpcDuplex, GrpcError, openGrpcChannel, sleep, type Timer } from "#base";
import { StoreError } from "../store.ts";
import { type Kind, neverSent, passing, storeError } from "./errors.ts";
import { etcdMessages, type Int, type WireHeader } from "./wire.ts";

export interface EtcdTls {
  /** PEM. */
  readonly ca: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface EndpointsOptions {
  readonly servers: readonly string[];
  readonly tls: EtcdTls | undefined;
  readonly clock: Clock;
  /** Of one call with all its attempts. */
  readonly timeoutMs: number;
}

interface Member {
  readonly url: string;
  readonly channel: GrpcChannel;
  /** Given by the user; the others were learned from the cluster and go when it forgets them. */
  readonly named: boolean;
}

/** A read gives a silent member this part of its time before it asks another: longer than an election with the default of 10 s. */
const attemptShare = 0.3;
/** Between two rounds through all members. */
const pauseMs = 100;
const refreshMs = 60_000;
/** The registry of a large cluster may come in one answer. */
const maxMessageBytes = 2 ** 31 - 1;
/** A connection whose other end is silent is given up after these two together. */
const keepalive = { timeMs: 10_000, timeoutMs: 5_000 };

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #refreshing: Timer;
  #members: readonly Member[];
  /** The member to ask first. */
  #current: Member;
  #closed = false;

  private constructor(options: EndpointsOptions, members: readonly [Member, ...Member[]]) {
    this.#options = options;
    this.#members = members;
    this.#current = members[0];
    // A member that is not heard of is no reason to fail: the named ones stay.
    this.#refreshing = every(options.clock, refreshMs, () => this.refresh().catch(() => {}));
  }

  /** Connects on first use. */
  static async open(options: EndpointsOptions): Promise<Endpoints> {
    const [first, ...others] = await Promise.all(options.servers.map((url) => connect(url, options.tls, true)));
    if (first === undefined) throw new StoreError("unavailable", "Cannot open an etcd store: no server is named");
    return new Endpoints(options, [first, ...others]);
  }

  get urls(): readonly string[] {
    return this.#members.map(({ url }) => url);
  }

  /**
   * Throws StoreError. A read is asked again, of every member in turn, until its time is over. A write only if it surely never left this
   * process: one that was sent may have been applied, whatever the answer says ("unknownOutcome").
   */
  async call(
    method: string,
    request: object,
    kind: Kind,
    timeoutMs: number = this.#options.timeoutMs,
  ): Promise<Record<string, unknown>> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + timeoutMs;
    for (let failures = 1; ; failures++) {
      const member = this.#current;
      const left = Math.max(1, deadline - clock.monotonic());
      const attempt = { timeoutMs: kind === "read" ? Math.min(left, timeoutMs * attemptShare) : left };
      try {
        return await member.channel.unary(rpc(method), request, attempt);
      } catch (error) {
        this.#next(member, error);
        const again = !this.#closed && (neverSent(error) || (kind === "read" && passing(error)));
        if (!again || clock.monotonic() + pauseMs >= deadline) throw storeError(error, kind);
      }
      if (failures % this.#members.length === 0) await sleep(clock, pauseMs);
    }
  }

  /** On the member that answered last. A stream ends with "no leader" when that member has lost its cluster. */
  stream(method: string, call: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): EtcdStream {
    const member = this.#current;
    const stream = member.channel.duplex(rpc(method), { ...call, metadata: { hasleader: "true" } });
    return { ...stream, [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](), failed: () => this.#next(member) };
  }

  /** Learns members that have joined and forgets those that have left. */
  async refresh(): Promise<void> {
    const { header, members } = (await this.call("Cluster.MemberList", {}, "read")) as unknown as MemberList;
    const listed = new Set(members.flatMap(({ clientURLs }) => clientURLs));
    for (const member of this.#members) {
      if (member.named || listed.has(member.url)) continue;
      this.#members = this.#members.filter((other) => other !== member);
      this.#next(member);
      member.channel.close();
    }
    const known = new Set(this.urls);
    for (const url of listed) if (!known.has(url)) await this.#learn(url, BigInt(header.cluster_id ?? 0));
  }

  /** An advertised address may be of no use here ("localhost"), or lead to another cluster: it must prove itself first. */
  async #learn(url: string, clusterId: bigint): Promise<void> {
    const { tls } = this.#options;
    if (!mayBeMember(url, this.#current.url)) return;
    const member = await connect(url, tls, false);
    try {
      const answer = await member.channel.unary(
        rpc("Cluster.MemberList"),
        {},
        { timeoutMs: attemptShare * this.#options.timeoutMs },
      );
      if (!this.#closed && BigInt((answer as unknown as MemberList).header.cluster_id ?? 0) === clusterId) {
        this.#members = [...this.#members, member];
        return;
      }
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error;
    }
    member.channel.close();
  }

  close(): void {
    this.#closed = true;
    this.#refreshing.cancel();
    for (const { channel } of this.#members) channel.close();
  }

  /** Another member than the one that failed, unless somebody has moved on already or the fault is not the member's. */
  #next(failed: Member, error?: unknown): void {
    if (this.#current !== failed || (error !== undefined && !passing(error))) return;
    const index = this.#members.indexOf(failed);
    this.#current = this.#members[(index + 1) % this.#members.length] ?? failed;
  }
}

export interface EtcdStream extends GrpcDuplex {
  /** The member that it broke on is not the first choice for the next. */
  failed(): void;
}

/** Whether an advertised address can mean a member seen from here: over the same protocol, and "this machine" only if its cluster is here too. */
export function mayBeMember(advertised: string, known: string): boolean {
  if (advertised.startsWith("https://") !== known.startsWith("https://")) return false;
  const here = /^https?:\/\/(localhost|0\.0\.0\.0|127\.[\d.]+|\[::1?\])(:|\/|$)/;
  return here.test(known) || !here.test(advertised);
}

interface MemberList {
  readonly header: WireHeader & { readonly cluster_id?: Int };
  readonly members: readonly { readonly clientURLs: readonly string[] }[];
}

async function connect(url: string, tls: EtcdTls | undefined, named: boolean): Promise<Member> {
  const address = url.replace(/^https?:\/\//, "");
  const secure = url.startsWith("https://");
  if (secure && tls === undefined)
    throw new StoreError("unavailable", `Cannot open etcd "${url}": https needs a certificate authority`);
  const common = { address, messages: etcdMessages, maxMessageBytes, keepalive };
  const channel = await openGrpcChannel(secure && tls !== undefined ? { ...common, tls } : common);
  return { url, channel, named };
}

function rpc(method: string) {
  const [service = "", name = ""] = method.split(".");
  const [request, response] = irregular[method] ?? [`${name}Request`, `${name}Response`];
  return { path: `/etcdserverpb.${service}/${name}`, request: `etcdserverpb.${request}`, response: `etcdserverpb.${response}` };
}

const irregular: Readonly<Record<string, readonly [string, string]>> = {
  "KV.Compact": ["CompactionRequest", "CompactionResponse"],
};
