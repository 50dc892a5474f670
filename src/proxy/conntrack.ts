// Forgets UDP connections to endpoints that are gone: without a handshake a client would go on talking to nobody for as long as it talks.
import type { Command, Log } from "#base";
import type { Flows, Frontend, ServiceRules } from "./model.ts";

/** Collects what is to be forgotten, and forgets it when the rules are in: earlier, the next packet would bring it back. */
export class StaleFlows {
  readonly #run: Command;
  readonly #log: Log;
  readonly #commands: string[][] = [];
  #conntrackMissing = false;

  constructor(run: Command, log: Log) {
    this.#run = run;
    this.#log = log;
  }

  add(before: ServiceRules | undefined, after: ServiceRules | undefined): void {
    this.#commands.push(...staleFlows(before?.flows, after?.flows));
  }

  async forget(): Promise<void> {
    for (const command of this.#commands.splice(0)) await this.#forget(command);
  }

  async #forget(args: readonly string[]): Promise<void> {
    if (this.#conntrackMissing) return;
    try {
      const result = await this.#run("conntrack", args);
      // It ends with 1 where there was nothing to delete.
      if (result.code !== 0 && !result.stderr.includes("0 flow entries"))
        this.#log.warn("cannot forget connections", { args: args.join(" "), error: result.stderr.trim() });
    } catch (error) {
      this.#conntrackMissing = true;
      this.#log.warn("cannot forget connections to endpoints that are gone: conntrack does not run", { error });
    }
  }
}

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
