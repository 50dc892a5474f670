// Asks the host's resolvers what the cluster does not know (a border module: it opens sockets).
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import type { Clock } from "#base";

export interface Forwarder {
  /** The resolver's answer as it came, with the asker's id. Throws when none answers. */
  ask(query: Buffer, overTcp: boolean): Promise<Buffer>;
}

const timeoutMs = 2000;

/** Each server is tried in turn. "10.0.0.1", "10.0.0.1:5353" or "[::1]:53". */
export function forwarder(servers: readonly string[], clock: Clock): Forwarder {
  return {
    ask: async (query, overTcp) => {
      let failure: unknown = new Error("no resolver is configured");
      for (const server of servers) {
        const { host, port } = endpoint(server);
        try {
          return await (overTcp ? askTcp : askUdp)(query, host, port, clock);
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    },
  };
}

function endpoint(server: string): { host: string; port: number } {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(server);
  if (bracketed !== null) return { host: bracketed[1] as string, port: Number(bracketed[2] ?? 53) };
  const [host = "", port] = server.split(":").length > 2 ? [server] : server.split(":");
  return { host, port: Number(port ?? 53) };
}

function askUdp(query: Buffer, host: string, port: number, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const done = (act: () => void): void => {
      timer.cancel();
      socket.close();
      act();
    };
    const timer = clock.after(timeoutMs, () =>
      done(() => reject(new Error(`resolver ${host} did not answer within ${timeoutMs} ms`))),
    );
    socket.on("error", (error) => done(() => reject(error)));
    // an answer to another question (or a forged one) must not pass
    socket.on(
      "message",
      (answer) => answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0) && done(() => resolve(answer)),
    );
    socket.connect(port, host, () => socket.send(query));
  });
}

function askTcp(query: Buffer, host: string, port: number, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    const timer = clock.after(timeoutMs, () =>
      socket.destroy(new Error(`resolver ${host} did not answer within ${timeoutMs} ms`)),
    );
    let received = Buffer.alloc(0);
    socket.on("connect", () => socket.write(framed(query)));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => {
      timer.cancel();
      reject(new Error(`resolver ${host} closed the connection`));
    });
  });
}

/** DNS over TCP: a length in front. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
