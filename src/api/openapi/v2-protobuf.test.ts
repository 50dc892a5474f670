// The protobuf form of the OpenAPI document says what the JSON form says.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openApiV2Document, openApiV2Protobuf } from "../mod.ts";
import { openApiV2Messages } from "./v2-protobuf.ts";

describe("openApiV2Protobuf()", () => {
  it("carries every path and every definition of the built-in document", async () => {
    const json = JSON.parse(String(await openApiV2Document())) as { paths: object; definitions: object };
    const decoded = openApiV2Messages().decode("Document", openApiV2Protobuf(json)) as {
      swagger: string;
      paths: { path: { name: string }[] };
      definitions: { additional_properties: { name: string }[] };
    };
    assert.equal(decoded.swagger, "2.0");
    assert.deepEqual(
      decoded.paths.path.map(({ name }) => name),
      Object.keys(json.paths),
    );
    assert.deepEqual(
      decoded.definitions.additional_properties.map(({ name }) => name),
      Object.keys(json.definitions),
    );
  });

  it("writes schemas by the field numbers of gnostic's openapi.v2, values of any type as YAML", () => {
    const schema = {
      description: "d",
      type: "object",
      required: ["a"],
      properties: { a: { type: "string", enum: ["x"], default: "x", maxLength: 3 }, b: { $ref: "#/definitions/B" } },
      additionalProperties: { type: "array", items: { type: "integer", format: "int64" } },
      "x-kubernetes-map-type": "atomic",
    };
    const bytes = openApiV2Protobuf({ swagger: "2.0", definitions: { A: schema } });
    const text = (number: number, value: string): Buffer => field(number, Buffer.from(value));
    const any = (value: string): Buffer => text(2, `${value}\n`);
    const expected = Buffer.concat([
      text(4, "d"),
      text(19, "a"),
      field(
        21,
        field(
          1,
          Buffer.concat([
            field(22, text(1, "array")),
            field(23, field(1, Buffer.concat([text(2, "int64"), field(22, text(1, "integer"))]))),
          ]),
        ),
      ),
      field(22, text(1, "object")),
      field(
        25,
        Buffer.concat([
          field(
            1,
            Buffer.concat([
              text(1, "a"),
              field(
                2,
                Buffer.concat([
                  field(5, any('"x"')),
                  Buffer.from([11 << 3, 3]),
                  field(20, any('"x"')),
                  field(22, text(1, "string")),
                ]),
              ),
            ]),
          ),
          field(1, Buffer.concat([text(1, "b"), field(2, text(1, "#/definitions/B"))])),
        ]),
      ),
      field(31, Buffer.concat([text(1, "x-kubernetes-map-type"), field(2, any('"atomic"'))])),
    ]);
    assert.deepEqual(
      bytes,
      Buffer.concat([
        text(1, "2.0"),
        field(8, Buffer.alloc(0)),
        field(9, field(1, Buffer.concat([text(1, "A"), field(2, expected)]))),
        field(13, Buffer.alloc(0)),
      ]),
    );
  });
});

/** A field whose value is a text or a message; short enough for one byte of length but for the outer ones. */
function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(value.length), value]);
}

function varint(value: number): Buffer {
  return value < 128 ? Buffer.from([value]) : Buffer.from([(value & 127) | 128, value >> 7]);
}
