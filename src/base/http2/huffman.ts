// The Huffman code of header strings, RFC 7541 appendix B: read only, since nothing that we send is long enough to be worth it.

/** Bits of the code of each byte; the last one is EOS, which must not occur. The codes follow: shorter first, among equals in order. */
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22,
  23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22,
  21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26,
  27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26,
  26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const endOfString = 256;

/** Two entries a node: the next node for bit 0 and bit 1, or ~symbol. */
let tree: Int16Array | undefined;

function makeTree(): Int16Array {
  const nodes = new Int16Array(2 * endOfString);
  let used = 1;
  let code = 0;
  let codeBits = 0;
  const symbols = lengths.map((bits, symbol) => ({ bits, symbol })).sort((a, b) => a.bits - b.bits || a.symbol - b.symbol);
  for (const { bits, symbol } of symbols) {
    code <<= bits - codeBits;
    codeBits = bits;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const way = 2 * node + ((code >>> bit) & 1);
      if (nodes[way] === 0) nodes[way] = used++;
      node = nodes[way] as number; // set just now
    }
    nodes[2 * node + (code & 1)] = ~symbol;
    code++;
  }
  return nodes;
}

/** As latin1. Undefined: not a Huffman string (EOS in it, or an end that is not a short run of ones). */
export function huffmanText(bytes: Uint8Array, start: number, end: number): string | undefined {
  tree ??= makeTree();
  const text: number[] = [];
  let node = 0;
  let pending = 0;
  let ones = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number; // in bounds
    for (let bit = 7; bit >= 0; bit--) {
      const set = (byte >>> bit) & 1;
      const next = tree[2 * node + set] as number; // every inner node has both
      if (next >= 0) {
        node = next;
        pending++;
        ones &&= set === 1;
        continue;
      }
      if (~next === endOfString) return undefined;
      text.push(~next);
      node = 0;
      pending = 0;
      ones = true;
    }
  }
  return pending < 8 && ones ? Buffer.from(text).toString("latin1") : undefined;
}
