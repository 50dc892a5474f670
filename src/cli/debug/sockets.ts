// Reads what `ss` (iproute2) says of the host's TCP sockets.

export interface Socket {
  /** "127.0.0.1:6443"; addresses of IPv4 are written as such, whatever the socket's family. */
  readonly local: string;
  readonly peer: string;
  readonly process: number;
}

const line = /^(\S+) +\d+ +\d+ +(\S+) +(\S+) +users:\(\((.*)\)\)/;

/** Of `ss -Htnp` and `ss -Htlnp`: sockets in this state, of processes that the caller may see. */
export function readSockets(output: string, state: "ESTAB" | "LISTEN"): Socket[] {
  return output.split("\n").flatMap((text) => {
    const [, found, local = "", peer = "", users = ""] = line.exec(text) ?? [];
    if (found !== state) return [];
    const process = /pid=(\d+)/.exec(users)?.[1];
    return process === undefined ? [] : [{ local: plain(local), peer: plain(peer), process: Number(process) }];
  });
}

/** "[::ffff:10.0.0.1]:80" and "10.0.0.1%eth0:80" are 10.0.0.1:80. */
const plain = (address: string): string => address.replace(/^\[::ffff:([\d.]+)\]/i, "$1").replace(/%[^:\]]+/, "");
