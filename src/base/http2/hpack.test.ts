// Header compression against the examples of RFC 7541 appendix C, and what must not be taken.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { fieldBytes } from "./header-fields.ts";
import { CompressionError, HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const read = (decoder: HpackDecoder, hex: string): string =>
  decoder
    .decode(bytes(hex))
    .fields.map(({ name, value }) => `${name}: ${value}`)
    .join("\n");

const first = ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com";
const second = `${first}\ncache-control: no-cache`;
const third = ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value";
const found = "cache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com";
const foundLater = found.replace("20:13:21", "20:13:22");
const cookie = "content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

suite("HPACK reads the examples of RFC 7541", () => {
  const examples: readonly { readonly name: string; readonly blocks: readonly (readonly [string, string])[] }[] = [
    {
      name: "C.2.1, a literal with indexing",
      blocks: [["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header"]],
    },
    { name: "C.2.2, a literal without indexing", blocks: [["040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path"]] },
    { name: "C.2.3, a literal never indexed", blocks: [["1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret"]] },
    { name: "C.2.4, an indexed field", blocks: [["82", ":method: GET"]] },
    {
      name: "C.3, requests without Huffman",
      blocks: [
        ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", first],
        ["8286 84be 5808 6e6f 2d63 6163 6865", second],
        ["8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", third],
      ],
    },
    {
      name: "C.4, requests with Huffman",
      blocks: [
        ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", first],
        ["8286 84be 5886 a8eb 1064 9cbf", second],
        ["8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", third],
      ],
    },
    {
      // its table has 256 bytes, which the client says with a size update: 3fe1 01
      name: "C.6, responses with Huffman and a small table",
      blocks: [
        [
          "3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
          `:status: 302\n${found}`,
        ],
        ["4883 640e ffc1 c0bf", `:status: 307\n${found}`],
        [
          "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
          `:status: 200\n${foundLater}\n${cookie}`,
        ],
      ],
    },
  ];
  for (const { name, blocks } of examples) {
    test(name, () => {
      const decoder = new HpackDecoder(65_536);
      for (const [hex, text] of blocks) assert.equal(read(decoder, hex), text);
    });
  }
});

suite("HPACK refuses", () => {
  const wrong: readonly (readonly [name: string, hex: string])[] = [
    ["index 0", "80"],
    ["an index beyond both tables", "be"],
    ["a name's index beyond both tables", "7f00 0161"],
    ["a number without end", "ffff ffff ffff ffff"],
    ["a string that is longer than the block", "0005 6162"],
    ["a literal without its value", "0001 61"],
    ["a table larger than announced", "3fe2 1f"],
    ["a size update after a field", "82 20"],
    ["Huffman padding of a whole byte", "0001 61 82 1fff"],
    ["Huffman padding of zeros", "0001 61 81 18"],
    ["the end-of-string code", "0001 61 84 ffff ffff"],
  ];
  for (const [name, hex] of wrong) {
    test(name, () => assert.throws(() => new HpackDecoder(65_536).decode(bytes(hex)), CompressionError));
  }
});

test("a field that a smaller table has no room for is forgotten, the oldest first", () => {
  const decoder = new HpackDecoder(65_536);
  read(decoder, "4001 61 0131 4001 62 0132"); // 34 bytes each
  assert.equal(read(decoder, "3f03 be"), "b: 2"); // 34
  assert.throws(() => decoder.decode(bytes("bf")), CompressionError);
});

test("HPACK takes Huffman padding of up to seven ones", () => {
  // "0" is 00000: three ones follow
  assert.equal(read(new HpackDecoder(65_536), "0001 61 81 07"), "a: 0");
});

test("a header list that a few bytes make large is cut, and the table stays in step", () => {
  const decoder = new HpackDecoder(10_000);
  const value = "x".repeat(3000);
  const literal = Buffer.concat([bytes("4001 61 7f b916"), Buffer.from(value)]); // a: 3000 bytes, into the table
  assert.equal(decoder.decode(literal).tooLarge, false);
  const bomb = decoder.decode(Buffer.alloc(60_000, 0xbe));
  assert.equal(bomb.tooLarge, true);
  assert.equal(bomb.fields.length, 3);
  assert.equal(read(decoder, "be"), `a: ${value}`);
});

test("what is said again costs a byte", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(65_536);
  const type = { name: "content-type", value: "application/grpc", repeated: true };
  const status = { name: "grpc-status", value: "0", repeated: true };
  const lengths = [[type], [status], [type, status], [type]].map((fields) => {
    const block = encoder.encode(fields);
    assert.deepEqual(
      decoder.decode(block).fields.map(({ name, value }) => `${name} ${value}`),
      fields.map(({ name, value }) => `${name} ${value}`),
    );
    return block.length;
  });
  assert.deepEqual(lengths, [18, 15, 2, 1]);
});

test("a client that keeps no table is sent none", () => {
  const encoder = new HpackEncoder();
  const field = { name: "grpc-status", value: "0", repeated: true };
  encoder.encode([field]);
  encoder.setTableLimit(0);
  const block = encoder.encode([field]);
  assert.equal(block[0], 0x20, "it hears that its table is empty");
  assert.deepEqual(encoder.encode([field]), block.subarray(1), "once, and then everything is literal");
  assert.equal(read(new HpackDecoder(65_536), block.toString("hex")), "grpc-status: 0");
  assert.equal(fieldBytes(field), 44);
});
