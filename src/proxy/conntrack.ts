// Forgets UDP connections to endpoints that are gone: without a handshake a client would go on talking to nobody for as long as it talks.
import type { Flows, Frontend } from "./model.ts";

/** Arguments of `conntrack`, one list per command. */
export function staleFlows(
  before: ReadonlyMap<string, Flows> | undefined,
  after: ReadonlyMap<string, Flows> | undefined,
): string[][] {
  const commands: string[][] = [];
  for (const [port, old] of before ?? []) {
    const now = after?.get(port);
    for (const frontend of old.frontends) {
      const frontendGone = !now?.frontends.some((other) => sameFrontend(frontend, other));
      for (const endpoint of old.endpoints) {
        if (frontendGone || !now?.endpoints.has(endpoint)) commands.push([...selection(frontend), "--dst-nat", endpoint]);
      }
    }
  }
  for (const [port, now] of after ?? []) {
    const had = before?.get(port)?.endpoints.size ?? 0;
    // Datagrams sent while there was no endpoint may have left an entry without destination NAT.
    if (had === 0 && now.endpoints.size > 0) commands.push(...now.frontends.map(selection));
  }
  return commands;
}

const sameFrontend = (a: Frontend, b: Frontend): boolean => a.kind === b.kind && a.address === b.address && a.port === b.port;

const selection = ({ address, port }: Frontend): string[] => [
  "-D",
  "-f",
  "ipv4",
  "-p",
  "udp",
  ...(address === "" ? [] : ["--orig-dst", address]),
  "--orig-port-dst",
  String(port),
];
