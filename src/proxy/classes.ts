// How a new connection finds its endpoint: one chain and one map per number of endpoints, whatever the number of Services (design.md D12).
import type { Backend } from "./service-ports.ts";
import type { RuleSet } from "./rules.ts";

/**
 * By what the frontend is known, and which endpoints it means: `short` frontends are those of externalTrafficPolicy Local as seen from inside the
 * cluster, where all endpoints serve.
 */
export type Family = "" | "nodeport-" | "short-" | "short-nodeport-";

export interface FrontendClass {
  readonly family: Family;
  readonly masquerade: boolean;
  readonly stickySeconds: number | undefined;
}

const byPort = (family: Family): boolean => family.endsWith("nodeport-");
const keyOf = (family: Family): string => (byPort(family) ? "ip protocol . th dport" : "ip daddr . ip protocol . th dport");
const keyType = (family: Family): string => (byPort(family) ? "inet_proto . inet_service" : "ipv4_addr . inet_proto . inet_service");

/** Packets with this bit are masqueraded on their way out; upstream's bit. */
export const masqueradeBit = 0x4000;
/** Marks that name a sticky endpoint lie here, out of the way of others' marks. */
const stickyMarks = 0x5400_0000;

/** Adds chain, map and elements; returns the verdict that sends a packet there. `endpoints` is not empty. */
export function sendTo(rules: RuleSet, cls: FrontendClass, frontend: string, endpoints: readonly Backend[]): string {
  return cls.stickySeconds === undefined ? random(rules, cls, frontend, endpoints) : sticky(rules, cls, cls.stickySeconds, frontend, endpoints);
}

function random(rules: RuleSet, { family, masquerade }: FrontendClass, frontend: string, endpoints: readonly Backend[]): string {
  const count = endpoints.length;
  const key = keyOf(family);
  const map = `${family}endpoints-${count}`;
  const elements = collection(rules, map, `typeof ${key} . numgen random mod ${count} : ip daddr . th dport`);
  endpoints.forEach((endpoint, slot) => {
    elements.set(`${frontend} . ${slot}`, text(endpoint));
  });
  const chain = `${family}${masquerade ? "external" : "service"}-${count}`;
  if (!rules.chains.has(chain)) {
    const dnat = `dnat ip to ${key} . numgen random mod ${count} map @${map}`;
    rules.chains.set(chain, { rules: masquerade ? ["jump mark-for-masquerade", dnat] : [dnat] });
  }
  return `goto ${chain}`;
}

/**
 * Session affinity: a map remembers, per client and frontend, the mark that names the endpoint. A known client's mark is looked up and its time begins anew;
 * an unknown client, or one whose endpoint has gone, gets a random mark. An endpoint's mark follows from its address, so that others' departure changes nothing.
 */
function sticky(rules: RuleSet, { family, masquerade }: FrontendClass, seconds: number, frontend: string, endpoints: readonly Backend[]): string {
  const count = endpoints.length;
  const key = keyOf(family);
  const choices = collection(rules, `${family}sticky-${count}`, `typeof ${key} . numgen random mod ${count} : meta mark`);
  const targets = collection(rules, `${family}sticky-endpoints`, `type ${keyType(family)} . mark : ipv4_addr . inet_service`);
  marksOf(endpoints, masquerade).forEach((mark, slot) => {
    choices.set(`${frontend} . ${slot}`, mark);
    targets.set(`${frontend} . ${mark}`, text(endpoints[slot] as Backend)); // one mark per endpoint
  });
  const chain = `${family}sticky-${seconds}-${count}`;
  if (!rules.chains.has(chain)) {
    const client = "ip saddr . ip daddr . ip protocol . th dport";
    const rest = `update @affinity { ${client} timeout ${seconds}s : meta mark } dnat ip to ${key} . meta mark map @${family}sticky-endpoints`;
    rules.chains.set(chain, { rules: [`meta mark set ${client} map @affinity ${rest}`, `meta mark set ${key} . numgen random mod ${count} map @${family}sticky-${count} ${rest}`] });
  }
  return `goto ${chain}`;
}

/** nft's way of writing a mark; the bit that asks for masquerading is part of it. */
function marksOf(endpoints: readonly Backend[], masquerade: boolean): readonly string[] {
  const taken = new Set<number>();
  return endpoints.map(({ ip, port }) => {
    let hash = 0x811c9dc5;
    for (const character of `${ip}:${port}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x0100_0193) >>> 0;
    let mark = hash & 0x00ff_ffff & ~masqueradeBit;
    while (taken.has(mark)) mark = (mark + 1) & 0x00ff_ffff & ~masqueradeBit;
    taken.add(mark);
    return `0x${(stickyMarks | mark | (masquerade ? masqueradeBit : 0)).toString(16).padStart(8, "0")}`;
  });
}

const text = ({ ip, port }: Backend): string => `${ip} . ${port}`;

function collection(rules: RuleSet, name: string, declaration: string): Map<string, string> {
  const existing = rules.collections.get(name);
  if (existing !== undefined) return existing.elements;
  const elements = new Map<string, string>();
  rules.collections.set(name, { kind: "map", declaration, elements });
  return elements;
}
