// PEM (RFC 7468): base64 between two lines that name what it is.

export interface PemBlock {
  readonly label: string;
  /** Headers such as "Proc-Type: 4,ENCRYPTED" stand before the data. */
  readonly hasHeaders: boolean;
  readonly bytes: Buffer;
}

const form = /-----BEGIN ([^\r\n-]*(?:-[^\r\n-]+)*)-----[ \t]*\r?\n([\s\S]*?)-----END \1-----/g;
const header = /^[^:\n]+:[^\n]*\n/;

/** All blocks, in order; text around them, and blocks whose data is no base64, are passed over. */
export function readPem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [, label = "", inside = ""] of text.matchAll(form)) {
    let data = inside;
    while (header.test(data)) data = data.replace(header, "");
    const compact = data.replace(/[ \t\r\n]/g, "");
    if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) continue;
    blocks.push({ label, hasHeaders: data.length !== inside.length, bytes: Buffer.from(compact, "base64") });
  }
  return blocks;
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
