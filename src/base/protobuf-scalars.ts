// The scalar types of protobuf: how each is written, read, and what its zero is.
import { type BinaryReader, type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A message that cannot be read or written; the text says which field of which message. */
export class ProtobufError extends Error {
  override readonly name = "ProtobufError";
}

export interface Scalar {
  readonly wire: WireType;
  /** Of 64 bits: read as bigint or text. */
  readonly wide: boolean;
  readonly zero: unknown;
  /** Throws `ProtobufError` for a value of another type. */
  readonly write: (writer: BinaryWriter, value: unknown) => void;
  readonly read: (reader: BinaryReader) => unknown;
}

const { Varint, Bit32, Bit64, LengthDelimited } = WireType;

type Narrow = "int32" | "sint32" | "uint32" | "fixed32" | "sfixed32" | "double" | "float";
type Wide = "int64" | "sint64" | "uint64" | "fixed64" | "sfixed64";

const narrow = (name: Narrow, wire: WireType): Scalar => ({
  wire,
  wide: false,
  zero: 0,
  write: (writer, value) => void writer[name](toNumber(value)),
  read: (reader) => reader[name](),
});
const wide = (name: Wide, wire: WireType): Scalar => ({
  wire,
  wide: true,
  zero: 0,
  write: (writer, value) => {
    // The same bytes without a bigint.
    if ((name === "int64" || name === "uint64") && typeof value === "number" && value >>> 0 === value) writer.uint32(value);
    else writer[name](toInteger(value));
  },
  read: (reader) => reader[name](),
});

const scalars: Readonly<Record<string, Scalar>> = {
  string: {
    wire: LengthDelimited,
    wide: false,
    zero: "",
    read: (reader) => reader.string(),
    write: (writer, value) => {
      if (typeof value !== "string") throw new ProtobufError(`a string is expected, not ${describe(value)}`);
      writer.string(value);
    },
  },
  bytes: {
    wire: LengthDelimited,
    wide: false,
    zero: undefined,
    write: (writer, value) => void writer.bytes(toBytes(value)),
    read: (reader) => reader.bytes(),
  },
  bool: {
    wire: Varint,
    wide: false,
    zero: false,
    read: (reader) => reader.bool(),
    write: (writer, value) => {
      if (typeof value !== "boolean") throw new ProtobufError(`a boolean is expected, not ${describe(value)}`);
      writer.bool(value);
    },
  },
  double: narrow("double", Bit64),
  float: narrow("float", Bit32),
  int32: narrow("int32", Varint),
  sint32: narrow("sint32", Varint),
  uint32: narrow("uint32", Varint),
  fixed32: narrow("fixed32", Bit32),
  sfixed32: narrow("sfixed32", Bit32),
  int64: wide("int64", Varint),
  sint64: wide("sint64", Varint),
  uint64: wide("uint64", Varint),
  fixed64: wide("fixed64", Bit64),
  sfixed64: wide("sfixed64", Bit64),
};

/** The scalar type of this name; undefined for messages and enums. */
export const scalarOf = (type: string): Scalar | undefined => (Object.hasOwn(scalars, type) ? scalars[type] : undefined);

function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return Buffer.from(value, "base64");
  throw new ProtobufError(`bytes or base64 text are expected, not ${describe(value)}`);
}

function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string" && /^-?\d+$/.test(value)) return Number(value);
  throw new ProtobufError(`a number is expected, not ${describe(value)}`);
}

function toInteger(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  throw new ProtobufError(`an integer is expected, not ${describe(value)}`);
}

/** A value as an error message names it. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return typeof value === "string" ? `"${value.slice(0, 64)}"` : String(value);
}
