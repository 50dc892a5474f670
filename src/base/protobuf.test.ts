// The table-driven protobuf codec, to the byte.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineMessages, ProtobufError, parseFieldTable } from "./mod.ts";

const tables = parseFieldTable(`kind	name	member	number	type	oneof
rpc	demo.v1.Service	Get		GetRequest -> stream Thing	
rpc	demo.v1.Service	Put		stream Thing -> PutResponse	
field	demo.v1.GetRequest	name	1	string	
field	demo.v1.Thing	name	1	string	
field	demo.v1.Thing	size_bytes	2	int64	
field	demo.v1.Thing	numbers	3	repeated int32	
field	demo.v1.Thing	labels	4	map<string,string>	
field	demo.v1.Thing	color	5	Color	
field	demo.v1.Thing	data	6	bytes	
field	demo.v1.Thing	children	7	repeated Thing	
field	demo.v1.Thing	text	8	string	choice
field	demo.v1.Thing	flag	9	bool	choice
field	demo.v1.Thing	weights	10	map<string,Thing.Weight>	
field	demo.v1.Thing.Weight	grams	1	double	
enum	demo.v1.Thing.Color	RED	0		
enum	demo.v1.Thing.Color	BLUE	1		
`);

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("parseFieldTable()", () => {
  it("reads methods, and knows messages without fields from the methods that use them", () => {
    assert.deepEqual(tables.services.get("demo.v1.Service"), [
      { name: "Get", request: "demo.v1.GetRequest", response: "demo.v1.Thing", requestStream: false, responseStream: true },
      { name: "Put", request: "demo.v1.Thing", response: "demo.v1.PutResponse", requestStream: true, responseStream: false },
    ]);
    assert.deepEqual(tables.messages.get("demo.v1.PutResponse"), []);
  });

  it("resolves a type name from the innermost scope out", () => {
    const fields = tables.messages.get("demo.v1.Thing") ?? [];
    assert.equal(fields.find(({ name }) => name === "color")?.type, "demo.v1.Thing.Color");
    assert.equal(fields.find(({ name }) => name === "children")?.type, "demo.v1.Thing");
  });

  it("reads the short shape of four columns", () => {
    const short = parseFieldTable(
      "message\tfield\tnumber\ttype\na.B\tx\t1\trepeated string\na.B\ty\t2\tmap<string,a.C>\na.C\tz\t1\tbool\n",
    );
    assert.deepEqual(short.messages.get("a.B"), [
      { number: 1, name: "x", repeated: true, type: "string" },
      { number: 2, name: "y", repeated: false, mapKey: "string", type: "a.C" },
    ]);
  });
});

describe("Messages", () => {
  const messages = defineMessages(tables);
  const full = {
    name: "n",
    size_bytes: 5_000_000_000,
    numbers: [1, -2, 3],
    labels: { b: "2", a: "1" },
    color: "BLUE",
    data: Buffer.from([1, 2]),
    children: [{ name: "c" }],
    flag: false,
    weights: { x: { grams: 1.5 } },
  };

  it("writes fields in the order of their numbers, maps in the order of their keys, and packs numbers", () => {
    assert.equal(
      messages.encode("demo.v1.Thing", { numbers: [1, 300], name: "n", labels: { b: "2", a: "1" } }).toString("hex"),
      "0a016e" + "1a0301ac02" + "22060a0161120131" + "22060a0162120132",
    );
  });

  it("reads back what it wrote, filling in zero values", () => {
    const decoded = messages.decode("demo.v1.Thing", messages.encode("demo.v1.Thing", full));
    const empty = {
      name: "",
      size_bytes: 0,
      numbers: [],
      labels: {},
      color: "RED",
      data: Buffer.alloc(0),
      children: [],
      weights: {},
    };
    assert.deepEqual(decoded, { ...full, children: [{ ...empty, name: "c" }] });
  });

  it("omits zero values as proto3 does, except for the chosen member of a oneof", () => {
    assert.equal(
      messages.encode("demo.v1.Thing", { name: "", size_bytes: 0, color: "RED", flag: false }).toString("hex"),
      "4800",
    );
  });

  it("writes zero values where it is told to", () => {
    assert.equal(
      defineMessages(tables, { zeros: "write" }).encode("demo.v1.Thing", { name: "", size_bytes: 0 }).toString("hex"),
      "0a001000",
    );
  });

  it("accepts repeated numbers packed and unpacked", () => {
    assert.deepEqual(messages.decode("demo.v1.Thing", hex("1a 02 01 02 18 03")).numbers, [1, 2, 3]);
  });

  it("keeps only the last member of a oneof", () => {
    const decoded = messages.decode("demo.v1.Thing", hex("42 01 61 48 01"));
    assert.equal(decoded.text, undefined);
    assert.equal(decoded.flag, true);
  });

  it("skips fields it does not know", () => {
    assert.equal(messages.decode("demo.v1.Thing", hex("0a 01 6e 9a 06 03 61 62 63")).name, "n");
  });

  it("decodes 64-bit integers exactly: number where it fits, bigint beyond, or as told", () => {
    const bytes = messages.encode("demo.v1.Thing", { size_bytes: 2n ** 60n + 1n });
    assert.equal(messages.decode("demo.v1.Thing", bytes).size_bytes, 2n ** 60n + 1n);
    assert.equal(messages.decode("demo.v1.Thing", messages.encode("demo.v1.Thing", { size_bytes: -1 })).size_bytes, -1);
    assert.equal(
      defineMessages(tables, { int64: "bigint" }).decode("demo.v1.Thing", messages.encode("demo.v1.Thing", { size_bytes: 7 }))
        .size_bytes,
      7n,
    );
    assert.throws(
      () => defineMessages(tables, { int64: "number" }).decode("demo.v1.Thing", bytes),
      /field "size_bytes": 1152921504606846977 does not fit a number exactly/,
    );
  });

  it("offers camelCase names, enum numbers and base64 as options", () => {
    const other = defineMessages(tables, { camelCase: true, enums: "number", bytes: "base64", fill: false });
    assert.deepEqual(other.decode("demo.v1.Thing", other.encode("demo.v1.Thing", { sizeBytes: 1, color: 1, data: "AQI=" })), {
      sizeBytes: 1,
      color: 1,
      data: "AQI=",
    });
  });

  it("keeps a map key __proto__ as a key", () => {
    const decoded = messages.decode(
      "demo.v1.Thing",
      messages.encode("demo.v1.Thing", { labels: JSON.parse('{"__proto__":"x"}') as object }),
    );
    assert.deepEqual(Object.entries(decoded.labels as object), [["__proto__", "x"]]);
  });

  it("refuses a message that is cut short, runs over, nests too deep or is too large", () => {
    assert.throws(() => messages.decode("demo.v1.Thing", hex("0a 05 6e")), ProtobufError);
    assert.throws(() => messages.decode("demo.v1.Thing", hex("3a 7f 0a")), /cut short/);
    assert.throws(() => messages.decode("demo.v1.Thing", hex("0d 00 00 00 00")), /wire type 5 is wrong for string/);
    let nested: Record<string, unknown> = {};
    for (let i = 0; i < 210; i++) nested = { children: [nested] };
    assert.throws(() => messages.encode("demo.v1.Thing", nested), /nested deeper than 200/);
    const deep = defineMessages(tables, { maxDepth: 1000 }).encode("demo.v1.Thing", nested);
    assert.throws(() => messages.decode("demo.v1.Thing", deep), /nested deeper than 200/);
    assert.throws(
      () => defineMessages(tables, { maxBytes: 1 }).decode("demo.v1.Thing", hex("0a 01 6e")),
      /3 bytes exceed the limit of 1/,
    );
  });

  it("names message, field and value when a value is of the wrong type", () => {
    assert.throws(() => messages.encode("demo.v1.Thing", { name: 5 }), {
      message: 'Cannot encode "demo.v1.Thing": field "name": a string is expected, not 5',
    });
    assert.throws(() => messages.encode("demo.v1.Thing", { color: "GREEN" }), {
      message: 'Cannot encode "demo.v1.Thing": field "color": "GREEN" is not a value of demo.v1.Thing.Color',
    });
    assert.throws(() => messages.encode("demo.v1.None", {}), /Cannot find message "demo.v1.None"/);
  });
});
