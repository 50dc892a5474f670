// PEM (RFC 7468): base64 between two lines that name what it is.

export interface PemBlock {
  readonly label: string;
  /** Headers such as "Proc-Type: 4,ENCRYPTED" stand before the data. */
  readonly hasHeaders: boolean;
  readonly bytes: Buffer;
}

const [begin, end, dashes] = ["-----BEGIN ", "-----END ", "-----"];

/**
 * All blocks, in order; text around them, and blocks whose data is no base64, are passed over.
 * Reads each character a few times at most, whatever the text: it may be anybody's.
 */
export function readPem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let endAt = -1;
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at)) {
    at += begin.length;
    const line = text.indexOf("\n", at);
    if (endAt < at) endAt = text.indexOf(end, at);
    if (line < 0 || endAt < 0) return blocks;
    const head = text.slice(at, Math.min(line, at + 100)).trimEnd();
    const label = head.slice(0, -dashes.length);
    if (!head.endsWith(dashes) || endAt < line || !text.startsWith(`${label}${dashes}`, endAt + end.length)) continue;
    const { data, hasHeaders } = withoutHeaders(text.slice(line + 1, endAt));
    at = endAt + end.length;
    const compact = data.replace(/[ \t\r\n]/g, "");
    if (compact.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(compact))
      blocks.push({ label, hasHeaders, bytes: Buffer.from(compact, "base64") });
  }
  return blocks;
}

function withoutHeaders(inside: string): { data: string; hasHeaders: boolean } {
  let start = 0;
  for (let next = inside.indexOf("\n"); next >= 0; next = inside.indexOf("\n", start)) {
    if (!inside.slice(start, next).includes(":")) break;
    start = next + 1;
  }
  return { data: inside.slice(start), hasHeaders: start > 0 };
}

export const writePem = (label: string, bytes: Uint8Array): string =>
  [
    `-----BEGIN ${label}-----`,
    ...(Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? []),
    `-----END ${label}-----`,
    "",
  ].join("\n");
