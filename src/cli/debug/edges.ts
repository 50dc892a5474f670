// Who talks to whom: the TCP connections of this host as edges between components, judged by the matrix of docs/connections.md.
import type { Socket } from "./sockets.ts";

/** Which component opens connections to which: a star around the API server, and its store behind it. */
export const matrix: Readonly<Record<string, readonly string[]>> = {
  "kube-apiserver": ["etcd", "kubelet"],
  "kube-controller-manager": ["kube-apiserver"],
  "kube-scheduler": ["kube-apiserver"],
  kubelet: ["kube-apiserver"],
  "kube-proxy": ["kube-apiserver"],
  dns: ["kube-apiserver"],
  "sim-nodes": ["kube-apiserver"],
  etcd: ["etcd"],
};

/** Components by the word of the command line; `tiphys up` is all of them, of which the API server is what others see. */
const components: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.keys(matrix).map((name) => [name, name])),
  up: "kube-apiserver",
};

/** Undefined: no component of a cluster. `words` is the command line of a process. */
export function componentOf(words: readonly string[]): string | undefined {
  if (words[0]?.split("/").at(-1) === "etcd") return "etcd";
  const program = words.findIndex((word) => /(^|\/)(tiphys(\.m?js)?|src\/cli\/main\.ts)$/.test(word));
  return program < 0 ? undefined : components[words[program + 1] ?? ""];
}

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly connections: number;
  /** "outside": one end is no component: clients, webhooks, scrapes, registries. */
  readonly kind: "control state" | "outside" | "extra";
}

/** `componentOfProcess` knows the components that are looked at; all other processes and hosts are "(outside)". */
export function edgesOf(
  sockets: readonly Socket[],
  listeners: readonly Pick<Socket, "local" | "process">[],
  componentOfProcess: (process: number) => string | undefined,
): Edge[] {
  const owners = new Map(sockets.map((socket) => [`${socket.local} ${socket.peer}`, socket.process]));
  const listens = new Set(listeners.map(({ local, process }) => `${process} ${portOf(local)}`));
  const counts = new Map<string, number>();
  const seen = new Set<string>();
  for (const { local, peer, process } of sockets) {
    const other = owners.get(`${peer} ${local}`);
    const isServer = listens.has(`${process} ${portOf(local)}`);
    const [from, to] = isServer ? [other, process] : [process, other];
    const names = [from, to].map((id) => (id === undefined ? undefined : componentOfProcess(id)) ?? outside);
    // both ends of a connection within the host are listed
    const connection = [local, peer].toSorted().join(" ");
    if (seen.has(connection) || names.every((name) => name === outside)) continue;
    seen.add(connection);
    // a process may speak to its own port
    if (from === to) continue;
    const edge = names.join(" ");
    counts.set(edge, (counts.get(edge) ?? 0) + 1);
  }
  return [...counts]
    .map(([edge, connections]) => {
      const [from = "", to = ""] = edge.split(" ");
      return { from, to, connections, kind: kindOf(from, to) };
    })
    .toSorted((one, another) => `${one.from} ${one.to}`.localeCompare(`${another.from} ${another.to}`));
}

const outside = "(outside)";
const portOf = (address: string): string => address.slice(address.lastIndexOf(":") + 1);

function kindOf(from: string, to: string): Edge["kind"] {
  if (from === outside || to === outside) return "outside";
  return matrix[from]?.includes(to) === true ? "control state" : "extra";
}
