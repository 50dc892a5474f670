// Names in X.509: who a certificate is for (a distinguished name), and the other names it goes by.
import { type Address, addressText, parseAddress } from "../addresses.ts";
import {
  context,
  DerError,
  element,
  elementsOf,
  expect,
  objectIdentifier,
  readObjectIdentifier,
  readText,
  sequence,
  setOf,
  tags,
  text,
} from "./der.ts";

/** The parts of a subject that a certificate carries over from a request (those that Go's pkix.Name knows). */
export interface DistinguishedName {
  readonly commonName?: string;
  readonly organizations?: readonly string[];
  readonly others?: Readonly<Partial<Record<OtherPart, readonly string[]>>>;
}

type OtherPart = "country" | "organizationalUnit" | "locality" | "province" | "street" | "postalCode" | "serialNumber";

/** In the order in which they are written. */
const parts = [
  ["country", "2.5.4.6"],
  ["organization", "2.5.4.10"],
  ["organizationalUnit", "2.5.4.11"],
  ["locality", "2.5.4.7"],
  ["province", "2.5.4.8"],
  ["street", "2.5.4.9"],
  ["postalCode", "2.5.4.17"],
  ["commonName", "2.5.4.3"],
  ["serialNumber", "2.5.4.5"],
] as const;

/** Of several common names the last counts, as in Go; parts that are not listed above are dropped. */
export function readName(der: Buffer): DistinguishedName {
  const found = new Map<string, string[]>();
  for (const relative of elementsOf(expect(elementsOf(der)[0], tags.sequence, "name").content))
    for (const attribute of elementsOf(expect(relative, tags.set, "relative name").content)) {
      const [type, value] = elementsOf(expect(attribute, tags.sequence, "attribute").content);
      if (type === undefined || value === undefined) throw new DerError("syntax error: attribute is incomplete");
      const id = readObjectIdentifier(expect(type, tags.objectIdentifier, "attribute type"));
      const name = parts.find(([, known]) => known === id)?.[0];
      const content = readText(value);
      if (name === undefined || content === undefined) continue;
      found.set(name, [...(found.get(name) ?? []), content]);
    }
  const { commonName, organization, ...others } = Object.fromEntries(found);
  return { commonName: commonName?.at(-1) ?? "", organizations: organization ?? [], others };
}

/** All values of one kind stand in one set, as Go writes them. */
export function writeName({ commonName = "", organizations = [], others = {} }: DistinguishedName): Buffer {
  const values = { ...others, organization: organizations, commonName: commonName === "" ? [] : [commonName] };
  return sequence(
    ...parts.flatMap(([part, id]) => {
      const given: readonly string[] = values[part] ?? [];
      return given.length === 0 ? [] : [setOf(given.map((value) => sequence(objectIdentifier(id), text(value))))];
    }),
  );
}

export interface AlternativeNames {
  readonly dns: readonly string[];
  /** As text: "10.0.0.1", "fd00::1". */
  readonly addresses: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
}

export const noNames: AlternativeNames = { dns: [], addresses: [], emails: [], uris: [] };

export const isEmptyNames = (names: AlternativeNames): boolean => Object.values(names).every((list) => list.length === 0);

/** Addresses and DNS names told apart. */
export const namesOf = (names: readonly string[]): AlternativeNames => ({
  ...noNames,
  dns: names.filter((name) => parseAddress(name) === undefined),
  addresses: names.filter((name) => parseAddress(name) !== undefined),
});

const general = { email: context(1, false), dns: context(2, false), uri: context(6, false), address: context(7, false) };

/** The content of the extension; kinds of names that Kubernetes has no use for are passed over. */
export function readAlternativeNames(der: Buffer): AlternativeNames {
  const entries = elementsOf(expect(elementsOf(der)[0], tags.sequence, "subject alternative names").content);
  const texts = (tag: number): string[] => entries.filter((entry) => entry.tag === tag).map(({ content }) => asciiOf(content));
  return {
    dns: texts(general.dns),
    emails: texts(general.email),
    uris: texts(general.uri),
    addresses: entries.filter(({ tag }) => tag === general.address).map(({ content }) => textOfOctets(content)),
  };
}

export function writeAlternativeNames(names: AlternativeNames): Buffer {
  const texts = (tag: number, values: readonly string[]): Buffer[] =>
    values.map((value) => element(tag, Buffer.from(value, "latin1")));
  return sequence(
    ...texts(general.dns, names.dns),
    ...texts(general.email, names.emails),
    ...names.addresses.map((address) => element(general.address, octetsOf(address))),
    ...texts(general.uri, names.uris),
  );
}

function asciiOf(content: Buffer): string {
  if (content.some((octet) => octet >= 0x80)) throw new DerError("structure error: IA5String contains invalid character");
  return content.toString("latin1");
}

function octetsOf(address: string): Buffer {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new Error(`Cannot write the address "${address}" into a certificate: it is no IP address`);
  return Buffer.from(parsed.value.toString(16).padStart(parsed.family === 4 ? 8 : 32, "0"), "hex");
}

function textOfOctets(octets: Buffer): string {
  if (octets.length !== 4 && octets.length !== 16)
    throw new DerError(`structure error: cannot parse IP address of length ${octets.length}`);
  const address: Address = { family: octets.length === 4 ? 4 : 6, value: BigInt(`0x${octets.toString("hex")}`) };
  return addressText(address);
}
