// The DNS server: UDP and TCP on each address, the cluster's names from informers, everything else forwarded (a border module: it opens sockets).
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { decode, encode, type Packet } from "dns-packet";
import { endpointSlices, namespaces, services } from "#api";
import type { Clock, Log, Running } from "#base";
import type { InformerFactory } from "#client";
import { type Answer, answer } from "./answer.ts";
import { type Forwarder, forwarder, framed } from "./forwarder.ts";
import { type ClusterView, clusterView } from "./view.ts";

export interface DnsOptions {
  /** Where to listen: the pods' gateway, usually. */
  readonly addresses: readonly string[];
  /** 0: any free port (the same for all addresses and protocols is not promised then). */
  readonly port: number;
  /** "cluster.local" */
  readonly zone: string;
  /** Resolvers for all other names. */
  readonly forwardTo: readonly string[];
  readonly ttlSeconds?: number;
}

export interface DnsDeps {
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RunningDns extends Running {
  /** The first address's UDP port. */
  readonly port: number;
  /** Resolves when the cluster's names are known; until then questions for them are answered with SERVFAIL. */
  readonly synced: Promise<void>;
}

export async function startDns(options: DnsOptions, deps: DnsDeps): Promise<RunningDns> {
  const informers = {
    services: deps.informers.informer(services),
    endpointSlices: deps.informers.informer(endpointSlices),
    namespaces: deps.informers.informer(namespaces),
  };
  const all = Object.values(informers);
  const hasSynced = (): boolean => all.every((informer) => informer.hasSynced);
  const forward = forwarder(options.forwardTo, deps.clock);
  const responder = new Responder(options, { view: clusterView(informers), hasSynced, forward, log: deps.log });
  deps.informers.start();
  const opened: AsyncDisposable[] = [];
  const close = async (): Promise<void> => void (await Promise.all(opened.map((socket) => socket[Symbol.asyncDispose]())));
  let port = 0;
  try {
    for (const address of options.addresses) {
      const udp = await listenUdp(address, options.port, responder);
      if (port === 0) port = udp.address().port;
      opened.push({ [Symbol.asyncDispose]: () => new Promise((resolve) => udp.close(() => resolve())) });
      opened.push(await listenTcp(address, options.port, responder));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    port,
    ready: () => (hasSynced() ? undefined : "services and endpoints are not listed yet"),
    synced: Promise.all(all.map((informer) => informer.synced)).then(() => {}),
    [Symbol.asyncDispose]: close,
  };
}

interface ResponderDeps {
  readonly view: ClusterView;
  readonly hasSynced: () => boolean;
  readonly forward: Forwarder;
  readonly log: Log;
}

class Responder {
  readonly #options: DnsOptions;
  readonly #deps: ResponderDeps;

  constructor(options: DnsOptions, deps: ResponderDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Undefined: not worth an answer (not a DNS query). */
  async respond(bytes: Buffer, overTcp: boolean): Promise<Buffer | undefined> {
    let query: Packet;
    try {
      query = decode(bytes);
    } catch {
      return undefined;
    }
    const question = query.questions?.[0];
    if (query.type !== "query" || question === undefined) return undefined;
    const own = answer({ name: question.name, type: question.type }, this.#deps.view, {
      zone: this.#options.zone,
      ttlSeconds: this.#options.ttlSeconds ?? 5,
    });
    if (own === undefined) return this.#forward(bytes, query, overTcp);
    // what is not listed yet must not be said not to exist: askers remember that
    if (!this.#deps.hasSynced()) return serverFailure(query);
    const complete = own.follow === undefined ? own : await this.#follow(own, question.type);
    return encodeAnswer(query, complete, this.#options.zone, overTcp);
  }

  async #forward(bytes: Buffer, query: Packet, overTcp: boolean): Promise<Buffer> {
    try {
      return await this.#deps.forward.ask(bytes, overTcp);
    } catch (error) {
      this.#deps.log.debug("no resolver answered", { name: query.questions?.[0]?.name, error });
      return serverFailure(query);
    }
  }

  /** The addresses of an ExternalName's target, if a resolver knows them; the CNAME is answer enough without. */
  async #follow(own: Answer, type: string): Promise<Answer> {
    if (type !== "A" && type !== "AAAA") return own;
    try {
      const query = encode({ type: "query", id: 1, flags: 0x100, questions: [{ name: own.follow as string, type }] });
      const reply = decode(await this.#deps.forward.ask(query, false));
      return { ...own, answers: [...own.answers, ...((reply.answers ?? []) as unknown as Answer["answers"])] };
    } catch {
      return own;
    }
  }
}

const authoritative = 0x400;
const recursionAvailable = 0x80;
const servfail = 2;
const truncated = 0x200;

const serverFailure = (query: Packet): Buffer =>
  encode({ type: "response", id: query.id, flags: recursionAvailable | servfail, questions: query.questions });

function encodeAnswer(query: Packet, found: Answer, zone: string, overTcp: boolean): Buffer {
  const question = query.questions?.[0];
  const soa = {
    type: "SOA" as const,
    name: zone,
    ttl: 5,
    data: {
      mname: `ns.dns.${zone}`,
      rname: `hostmaster.${zone}`,
      serial: 1,
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: 5,
    },
  };
  const asked = (query.flags ?? 0) & 0x100; // recursion desired is echoed
  const packet = {
    type: "response" as const,
    id: query.id,
    flags: authoritative | recursionAvailable | asked | (found.code === "NXDOMAIN" ? 3 : 0),
    questions: question === undefined ? [] : [question],
    answers: found.answers as unknown as Packet["answers"],
    additionals: found.additionals as unknown as Packet["additionals"],
    authorities: found.answers.length === 0 ? [soa] : [],
  } as Packet;
  const bytes = encode(packet);
  const edns = query.additionals?.find((record) => record.type === "OPT") as { udpPayloadSize?: number } | undefined;
  const limit = overTcp ? 65_535 : Math.max(512, edns?.udpPayloadSize ?? 512);
  if (bytes.length <= limit) return bytes;
  const withoutGlue = encode({ ...packet, additionals: [] });
  if (withoutGlue.length <= limit) return withoutGlue;
  return encode({ ...packet, answers: [], additionals: [], flags: (packet.flags ?? 0) | truncated });
}

function listenUdp(address: string, port: number, responder: Responder): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.once("error", (error) =>
      reject(new Error(`Cannot listen on ${address}:${port}/udp: ${error.message}`, { cause: error })),
    );
    socket.on("message", (bytes, from) => {
      void responder
        .respond(bytes, false)
        .then((reply) => reply !== undefined && socket.send(reply, from.port, from.address, () => {}));
    });
    socket.bind(port, address, () => {
      socket.on("error", () => {}); // a datagram that cannot be sent is its asker's loss
      resolve(socket);
    });
  });
}

function listenTcp(address: string, port: number, responder: Responder): Promise<AsyncDisposable> {
  return new Promise((resolve, reject) => {
    const sockets = new Set<{ destroy(): void }>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.setTimeout(10_000, () => socket.destroy());
      socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
      let received = Buffer.alloc(0);
      socket.on("data", (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
          const query = received.subarray(2, 2 + received.readUInt16BE(0));
          received = received.subarray(2 + query.length);
          void responder
            .respond(query, true)
            .then((reply) => (reply === undefined ? socket.destroy() : socket.write(framed(reply))));
        }
      });
    });
    server.once("error", (error) =>
      reject(new Error(`Cannot listen on ${address}:${port}/tcp: ${error.message}`, { cause: error })),
    );
    server.listen(port, address, () =>
      resolve({
        [Symbol.asyncDispose]: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of sockets) socket.destroy();
          }),
      }),
    );
  });
}
