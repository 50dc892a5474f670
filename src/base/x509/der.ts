// DER, the encoding of everything in X.509: reading with its strict rules (X.690), and writing.

/** One element: `tag` is the whole identifier octet, `bytes` the whole encoding, `content` what is inside. */
export interface Element {
  readonly tag: number;
  readonly bytes: Buffer;
  readonly content: Buffer;
}

/** Bytes that are not what they should be; the words are Go's, which API servers show to their users. */
export class DerError extends Error {
  constructor(problem: string) {
    super(`asn1: ${problem}`);
  }
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Tag of a context-specific field: [0] constructed is 0xa0, primitive 0x80. */
export const context = (number: number, constructed = true): number => (constructed ? 0xa0 : 0x80) | number;

/** The element at the start; what follows it is not looked at. Indefinite and non-minimal lengths are refused. */
export function readElement(bytes: Buffer): Element {
  const tag = bytes[0];
  const first = bytes[1];
  if (tag === undefined || first === undefined) throw new DerError("syntax error: data truncated");
  if ((tag & 0x1f) === 0x1f) throw new DerError("structure error: tags of more than one octet are not supported");
  let [length, start] = [first, 2];
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0) throw new DerError("syntax error: indefinite length found (not DER)");
    if (octets > 4) throw new DerError("structure error: length too large");
    start += octets;
    if (start > bytes.length) throw new DerError("syntax error: truncated tag or length");
    length = bytes.readUIntBE(2, octets);
    if (bytes[2] === 0) throw new DerError("structure error: superfluous leading zeros in length");
    if (length < 0x80) throw new DerError("structure error: non-minimal length");
  }
  if (start + length > bytes.length) throw new DerError("syntax error: data truncated");
  return { tag, bytes: bytes.subarray(0, start + length), content: bytes.subarray(start, start + length) };
}

/** The one element that these bytes are. */
export function readOnly(bytes: Buffer): Element {
  const element = readElement(bytes);
  if (element.bytes.length !== bytes.length) throw new DerError("syntax error: trailing data");
  return element;
}

/** The elements one after the other in a content. */
export function elementsOf(content: Buffer): Element[] {
  const found: Element[] = [];
  for (let rest = content; rest.length > 0; rest = rest.subarray((found.at(-1) as Element).bytes.length))
    found.push(readElement(rest)); // at least two bytes long, so the loop ends
  return found;
}

/** Checks the tag of an element that must be there. */
export function expect(element: Element | undefined, tag: number, what: string): Element {
  if (element === undefined) throw new DerError(`syntax error: ${what} is missing`);
  if (element.tag !== tag) throw new DerError(`structure error: tags don't match: ${what}`);
  return element;
}

/** "2.5.4.3" */
export function readObjectIdentifier({ content }: Element): string {
  const numbers: number[] = [];
  let value = 0;
  for (const [index, octet] of content.entries()) {
    value = value * 128 + (octet & 0x7f);
    if (value > 0x7fffffff) throw new DerError("structure error: base 128 integer too large");
    if (octet >= 0x80) {
      if (index === content.length - 1) throw new DerError("syntax error: truncated base 128 integer");
      continue;
    }
    if (numbers.length === 0) {
      const root = Math.min(2, Math.floor(value / 40));
      numbers.push(root, value - 40 * root);
    } else numbers.push(value);
    value = 0;
  }
  if (numbers.length === 0) throw new DerError("syntax error: zero length OBJECT IDENTIFIER");
  return numbers.join(".");
}

/** The octets of a BIT STRING that fills them. */
export function readBitString(element: Element): Buffer {
  if (element.content[0] !== 0) throw new DerError("syntax error: invalid padding bits in BIT STRING");
  return element.content.subarray(1);
}

/** Text of the string types that names are made of; undefined for what is no text. */
export function readText({ tag, content }: Element): string | undefined {
  switch (tag) {
    case tags.utf8String: {
      const text = content.toString("utf8");
      if (!Buffer.from(text, "utf8").equals(content)) throw new DerError("structure error: invalid UTF-8 string");
      return text;
    }
    case tags.printableString:
    case tags.t61String:
    case tags.ia5String:
      return content.toString("latin1");
    case tags.bmpString:
      if (content.length % 2 !== 0) throw new DerError("structure error: invalid BMPString");
      return Buffer.from(content).swap16().toString("utf16le");
    default:
      return undefined;
  }
}

export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const octets = content.length < 0x80 ? [] : [...Buffer.from(content.length.toString(16).padStart(8, "0"), "hex")];
  while (octets[0] === 0) octets.shift();
  const length = octets.length === 0 ? [content.length] : [0x80 | octets.length, ...octets];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(tags.sequence, ...parts);
/** DER sorts the members of a set by their encoding. */
export const setOf = (parts: readonly Buffer[]): Buffer => element(tags.set, ...[...parts].sort(Buffer.compare));
export const boolean = (value: boolean): Buffer => element(tags.boolean, Buffer.from([value ? 0xff : 0]));
export const octetString = (content: Uint8Array): Buffer => element(tags.octetString, content);
export const bitString = (content: Uint8Array, unusedBits = 0): Buffer =>
  element(tags.bitString, Buffer.from([unusedBits]), content);

/** A number that is not negative, from its octets. */
export function unsignedInteger(octets: Uint8Array): Buffer {
  let start = 0;
  while (start < octets.length - 1 && octets[start] === 0) start++;
  const content = octets.subarray(start);
  return element(tags.integer, ...((content[0] ?? 0x80) >= 0x80 ? [Buffer.from([0]), content] : [content]));
}

export function objectIdentifier(text: string): Buffer {
  const [root = 0, second = 0, ...rest] = text.split(".").map(Number);
  const octets = [root * 40 + second, ...rest].flatMap((value) => {
    const groups = [value & 0x7f];
    for (let left = value >>> 7; left > 0; left >>>= 7) groups.unshift(0x80 | (left & 0x7f));
    return groups;
  });
  return element(tags.objectIdentifier, Buffer.from(octets));
}

/** PrintableString where its few characters do, as Go writes names, else UTF8String. */
export const text = (value: string): Buffer =>
  element(/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? tags.printableString : tags.utf8String, Buffer.from(value, "utf8"));

/** UTCTime until 2049, as RFC 5280 wants it. Parts of seconds are dropped. */
export function time(atMs: number): Buffer {
  const digits = new Date(atMs)
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replace(/[-:T]/g, "");
  const year = Number(digits.slice(0, 4));
  return year >= 1950 && year < 2050
    ? element(tags.utcTime, Buffer.from(digits.slice(2)))
    : element(tags.generalizedTime, Buffer.from(digits));
}
