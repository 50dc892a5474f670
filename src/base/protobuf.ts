// A table-driven protobuf codec: plain objects to bytes and back, by field tables that are data.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, ProtobufError, type Scalar, scalarOf } from "./protobuf-scalars.ts";
import type { EnumTable, FieldTables, MessageField } from "./protobuf-table.ts";

export interface MessageOptions {
  /** How 64-bit integers are decoded: always bigint, always number (throws beyond 2^53), or number where exact and bigint beyond (default). */
  readonly int64?: "bigint" | "number" | "exact";
  /** How bytes are decoded; both forms are accepted when encoding. Default "buffer". */
  readonly bytes?: "buffer" | "base64";
  /** How enum values are decoded; both forms are accepted when encoding. Default "name" (a number without a name stays a number). */
  readonly enums?: "name" | "number";
  /** Whether zero values of scalars are written: proto3 omits them (default), Kubernetes' proto2 messages write what is there. */
  readonly zeros?: "omit" | "write";
  /** Whether decoding fills in absent scalars, lists and maps with their zero values (default true). Members of a oneof and messages stay absent. */
  readonly fill?: boolean;
  /** Whether repeated numbers are written packed (default true); reading takes both. */
  readonly packed?: boolean;
  /** "container_id" becomes "containerId" in objects. Default false: names as in the tables. */
  readonly camelCase?: boolean;
  /** Largest message taken, in bytes. Default 256 MiB. */
  readonly maxBytes?: number;
  /** Deepest nesting of messages. Default 200. */
  readonly maxDepth?: number;
  /** Messages with a form of their own in objects (quantities, times, ...), by full name. */
  readonly converters?: Readonly<Record<string, MessageConverter>>;
  /** Called for every decoded field with a zero scalar; true drops it. */
  readonly dropZero?: (message: string, field: string) => boolean;
}

/** Turns the plain message (as the field table describes it) into the value that objects carry, and back. */
export interface MessageConverter {
  /** undefined leaves the field out. */
  readonly fromMessage: (message: Record<string, unknown>, codec: Messages) => unknown;
  /** undefined leaves the field out. */
  readonly toMessage: (value: unknown, codec: Messages) => Record<string, unknown> | undefined;
}

/** Encodes and decodes the messages of some field tables. Throws `ProtobufError`. */
export interface Messages {
  encode(message: string, object: object): Buffer;
  decode(message: string, bytes: Uint8Array): Record<string, unknown>;
  has(message: string): boolean;
}

interface Value {
  readonly kind: "scalar" | "enum" | "message";
  readonly type: string;
  readonly wire: WireType;
  readonly scalar: Scalar | undefined;
  readonly enum: EnumTable | undefined;
  readonly converter: MessageConverter | undefined;
}

interface Compiled {
  readonly field: MessageField;
  readonly key: string;
  readonly value: Value;
  /** Of a map. */
  readonly mapKey: Value | undefined;
  readonly siblings: readonly string[];
}

interface CompiledMessage {
  readonly inOrder: readonly Compiled[];
  readonly byNumber: ReadonlyMap<number, Compiled>;
}

/** Makes a codec for all messages of the tables; each message is compiled on first use. */
export function defineMessages(tables: FieldTables, options: MessageOptions = {}): Messages {
  return new TableCodec(tables, options);
}

/** A writer that has held a larger message is not kept. */
const keptWriterBytes = 64 * 1024;

class TableCodec implements Messages {
  readonly #tables: FieldTables;
  readonly #compiled = new Map<string, CompiledMessage>();
  readonly #int64: "bigint" | "number" | "exact";
  readonly #base64: boolean;
  readonly #enumNumbers: boolean;
  readonly #writeZeros: boolean;
  readonly #fill: boolean;
  readonly #packed: boolean;
  readonly #camelCase: boolean;
  readonly #maxBytes: number;
  readonly #maxDepth: number;
  readonly #converters: Readonly<Record<string, MessageConverter>>;
  readonly #dropZero: MessageOptions["dropZero"];
  #writer: BinaryWriter | undefined;

  constructor(tables: FieldTables, options: MessageOptions) {
    this.#tables = tables;
    this.#int64 = options.int64 ?? "exact";
    this.#base64 = options.bytes === "base64";
    this.#enumNumbers = options.enums === "number";
    this.#writeZeros = options.zeros === "write";
    this.#fill = options.fill ?? true;
    this.#packed = options.packed ?? true;
    this.#camelCase = options.camelCase ?? false;
    this.#maxBytes = options.maxBytes ?? 256 * 1024 * 1024;
    this.#maxDepth = options.maxDepth ?? 200;
    this.#converters = options.converters ?? {};
    this.#dropZero = options.dropZero;
  }

  has(message: string): boolean {
    return this.#tables.messages.has(message);
  }

  encode(message: string, object: object): Buffer {
    // Its buffer is used again; a converter that encodes meanwhile, or a message that fails half-way, finds none and makes one.
    const writer = this.#writer ?? new BinaryWriter();
    this.#writer = undefined;
    this.#write(writer, message, object as Record<string, unknown>, 0);
    const bytes = writer.finish();
    if (bytes.byteLength <= keptWriterBytes) this.#writer = writer;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  decode(message: string, bytes: Uint8Array): Record<string, unknown> {
    if (bytes.byteLength > this.#maxBytes)
      throw new ProtobufError(`Cannot decode "${message}": ${bytes.byteLength} bytes exceed the limit of ${this.#maxBytes}`);
    const reader = new BinaryReader(bytes);
    try {
      return this.#read(reader, message, reader.len, 0);
    } catch (error) {
      if (error instanceof ProtobufError) throw error;
      throw new ProtobufError(`Cannot decode "${message}": ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }

  #compile(message: string): CompiledMessage {
    const known = this.#compiled.get(message);
    if (known !== undefined) return known;
    const fields = this.#tables.messages.get(message);
    if (fields === undefined) throw new ProtobufError(`Cannot find message "${message}": the field tables do not have it`);
    const name = (field: MessageField): string =>
      this.#camelCase ? field.name.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase()) : field.name;
    const inOrder = fields
      .map(
        (field): Compiled => ({
          field,
          key: name(field),
          value: this.#valueOf(message, field.type),
          mapKey: field.mapKey === undefined ? undefined : this.#valueOf(message, field.mapKey),
          siblings:
            field.oneof === undefined ? [] : fields.filter((other) => other.oneof === field.oneof && other !== field).map(name),
        }),
      )
      .sort((a, b) => a.field.number - b.field.number);
    const compiled = { inOrder, byNumber: new Map(inOrder.map((entry) => [entry.field.number, entry])) };
    this.#compiled.set(message, compiled);
    return compiled;
  }

  #valueOf(message: string, type: string): Value {
    const scalar = scalarOf(type);
    if (scalar !== undefined) return { kind: "scalar", type, wire: scalar.wire, scalar, enum: undefined, converter: undefined };
    const enumTable = this.#tables.enums.get(type);
    if (enumTable !== undefined) {
      return { kind: "enum", type, wire: WireType.Varint, scalar: undefined, enum: enumTable, converter: undefined };
    }
    if (!this.#tables.messages.has(type)) {
      throw new ProtobufError(`Cannot use type "${type}" of message "${message}": the field tables do not have it`);
    }
    return {
      kind: "message",
      type,
      wire: WireType.LengthDelimited,
      scalar: undefined,
      enum: undefined,
      converter: this.#converters[type],
    };
  }

  #write(writer: BinaryWriter, message: string, object: Record<string, unknown>, depth: number): void {
    if (depth > this.#maxDepth) throw new ProtobufError(`Cannot encode "${message}": nested deeper than ${this.#maxDepth}`);
    for (const entry of this.#compile(message).inOrder) {
      const { field, key, value: type } = entry;
      if (field.inline === true) {
        writer.tag(field.number, WireType.LengthDelimited).fork();
        this.#write(writer, type.type, object, depth + 1);
        writer.join();
        continue;
      }
      const value = object[key];
      if (value === undefined || value === null) continue;
      try {
        if (entry.mapKey !== undefined) this.#writeMap(writer, entry, entry.mapKey, value, depth);
        else if (!field.repeated) {
          if (this.#writeZeros || field.oneof !== undefined || !isZero(type, value))
            this.#writeField(writer, field.number, type, value, depth);
        } else if (!Array.isArray(value)) throw new ProtobufError(`a list is expected, not ${describe(value)}`);
        else if (this.#packed && type.wire !== WireType.LengthDelimited) {
          if (value.length === 0) continue;
          writer.tag(field.number, WireType.LengthDelimited).fork();
          for (const item of value) this.#writeValue(writer, type, item, depth);
          writer.join();
        } else for (const item of value) this.#writeField(writer, field.number, type, item, depth, true);
      } catch (error) {
        throw inField("encode", message, key, error);
      }
    }
  }

  #writeMap(writer: BinaryWriter, entry: Compiled, mapKey: Value, map: unknown, depth: number): void {
    if (typeof map !== "object" || map === null || Array.isArray(map))
      throw new ProtobufError(`an object is expected, not ${describe(map)}`);
    // keys in byte order, as gogo-protobuf writes them, so that equal objects have equal bytes
    const pairs = Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of pairs) {
      writer.tag(entry.field.number, WireType.LengthDelimited).fork();
      this.#writeField(writer, 1, mapKey, mapKey.type === "string" ? key : mapKey.type === "bool" ? key === "true" : key, depth);
      this.#writeField(writer, 2, entry.value, value, depth, true);
      writer.join();
    }
  }

  #writeField(writer: BinaryWriter, number: number, type: Value, value: unknown, depth: number, inList = false): void {
    if (type.converter !== undefined) {
      const message = type.converter.toMessage(value, this);
      if (message === undefined && !inList) return;
      writer.tag(number, WireType.LengthDelimited).fork();
      this.#write(writer, type.type, message ?? {}, depth + 1);
      writer.join();
      return;
    }
    writer.tag(number, type.wire);
    if (type.kind !== "message") {
      this.#writeValue(writer, type, value, depth);
      return;
    }
    if ((typeof value !== "object" && !inList) || Array.isArray(value))
      throw new ProtobufError(`an object is expected, not ${describe(value)}`);
    writer.fork();
    this.#write(writer, type.type, (value ?? {}) as Record<string, unknown>, depth + 1);
    writer.join();
  }

  #writeValue(writer: BinaryWriter, type: Value, value: unknown, _depth: number): void {
    if (type.kind === "enum") {
      const number = typeof value === "number" ? value : type.enum?.numbers.get(String(value));
      if (number === undefined) throw new ProtobufError(`"${String(value)}" is not a value of ${type.type}`);
      writer.int32(number);
      return;
    }
    type.scalar?.write(writer, value);
  }

  #read(reader: BinaryReader, message: string, end: number, depth: number): Record<string, unknown> {
    if (depth > this.#maxDepth) throw new ProtobufError(`Cannot decode "${message}": nested deeper than ${this.#maxDepth}`);
    const compiled = this.#compile(message);
    const object: Record<string, unknown> = {};
    if (this.#fill) this.#fillIn(compiled, object);
    while (reader.pos < end) {
      const [number, wire] = reader.tag();
      const entry = compiled.byNumber.get(number);
      if (entry === undefined) {
        reader.skip(wire, number);
        continue;
      }
      try {
        this.#readField(reader, message, entry, wire, object, depth);
      } catch (error) {
        throw inField("decode", message, entry.key, error);
      }
    }
    if (reader.pos !== end) throw new ProtobufError(`Cannot decode "${message}": a field runs over the end of the message`);
    return object;
  }

  #fillIn(compiled: CompiledMessage, object: Record<string, unknown>): void {
    for (const { field, key, mapKey, value } of compiled.inOrder) {
      if (mapKey !== undefined) object[key] = {};
      else if (field.repeated) object[key] = [];
      else if (field.oneof === undefined && value.kind !== "message") object[key] = this.#zeroOf(value);
    }
  }

  #zeroOf(value: Value): unknown {
    if (value.kind === "enum") return this.#enumNumbers ? 0 : (value.enum?.names.get(0) ?? 0);
    if (value.type === "bytes") return this.#base64 ? "" : Buffer.alloc(0);
    return this.#int64 === "bigint" && value.scalar?.wide === true ? 0n : value.scalar?.zero;
  }

  #readField(
    reader: BinaryReader,
    message: string,
    entry: Compiled,
    wire: WireType,
    object: Record<string, unknown>,
    depth: number,
  ): void {
    const { field, key, value } = entry;
    if (entry.mapKey !== undefined) {
      if (wire !== WireType.LengthDelimited) throw new ProtobufError(`wire type ${wire} is wrong for a map`);
      const [mapKey, mapValue] = this.#readMapEntry(reader, message, entry, entry.mapKey, depth);
      object[key] ??= {};
      const map = object[key] as Record<string, unknown>;
      setOwn(map, mapKey, mapValue);
      return;
    }
    if (field.repeated) {
      object[key] ??= [];
      const list = object[key] as unknown[];
      if (wire === WireType.LengthDelimited && value.wire !== WireType.LengthDelimited) {
        const end = this.#length(reader);
        while (reader.pos < end) list.push(this.#readScalar(reader, value));
        if (reader.pos !== end) throw new ProtobufError("a packed list runs over its end");
        return;
      }
      if (wire !== value.wire) throw new ProtobufError(`wire type ${wire} is wrong for ${value.type}`);
      list.push(this.#readValue(reader, value, depth));
      return;
    }
    if (wire !== value.wire) throw new ProtobufError(`wire type ${wire} is wrong for ${value.type}`);
    const result = this.#readValue(reader, value, depth);
    if (field.inline === true) {
      Object.assign(object, result);
      return;
    }
    for (const sibling of entry.siblings) delete object[sibling];
    if (result === undefined || (this.#dropZero !== undefined && isZero(value, result) && this.#dropZero(message, key)))
      delete object[key];
    else object[key] = result;
  }

  #readMapEntry(reader: BinaryReader, message: string, entry: Compiled, mapKey: Value, depth: number): [string, unknown] {
    const end = this.#length(reader);
    let key = mapKey.type === "string" ? "" : mapKey.type === "bool" ? "false" : "0";
    let value: unknown;
    while (reader.pos < end) {
      const [number, wire] = reader.tag();
      if (number === 1 && wire === mapKey.wire) key = String(this.#readScalar(reader, mapKey));
      else if (number === 2 && wire === entry.value.wire) value = this.#readValue(reader, entry.value, depth);
      else reader.skip(wire, number);
    }
    if (reader.pos !== end) throw new ProtobufError(`Cannot decode "${message}": a map entry runs over its end`);
    if (value === undefined)
      value = entry.value.kind === "message" ? (entry.value.converter?.fromMessage({}, this) ?? {}) : this.#zeroOf(entry.value);
    return [key, value];
  }

  #length(reader: BinaryReader): number {
    const length = reader.uint32();
    const end = reader.pos + length;
    if (end > reader.len) throw new ProtobufError("the message is cut short");
    return end;
  }

  #readValue(reader: BinaryReader, value: Value, depth: number): unknown {
    if (value.kind !== "message") return this.#readScalar(reader, value);
    const object = this.#read(reader, value.type, this.#length(reader), depth + 1);
    return value.converter === undefined ? object : value.converter.fromMessage(object, this);
  }

  #readScalar(reader: BinaryReader, value: Value): unknown {
    if (value.kind === "enum") {
      const number = reader.int32();
      return this.#enumNumbers ? number : (value.enum?.names.get(number) ?? number);
    }
    const result = value.scalar?.read(reader);
    if (value.scalar?.wide === true) return this.#integer(result as bigint | string);
    if (!(result instanceof Uint8Array)) return result;
    // a copy: the result must not keep a large message alive
    return this.#base64
      ? Buffer.from(result.buffer, result.byteOffset, result.byteLength).toString("base64")
      : Buffer.from(result);
  }

  #integer(value: bigint | string): bigint | number {
    const integer = BigInt(value);
    if (this.#int64 === "bigint") return integer;
    const number = Number(integer);
    if (Number.isSafeInteger(number)) return number;
    if (this.#int64 === "exact") return integer;
    throw new ProtobufError(`${integer} does not fit a number exactly`);
  }
}

function isZero(type: Value, value: unknown): boolean {
  if (type.kind === "message") return false;
  if (type.kind === "enum") return value === 0 || type.enum?.names.get(0) === value;
  if (type.type === "bytes") return (value as { length: number }).length === 0;
  if (type.type === "double" || type.type === "float") return Object.is(value, 0);
  return value === "" || value === 0 || value === false || value === 0n;
}

function inField(action: "encode" | "decode", message: string, key: string, error: unknown): ProtobufError {
  const text = error instanceof Error ? error.message : String(error);
  if (text.startsWith("Cannot ")) return error as ProtobufError;
  return new ProtobufError(`Cannot ${action} "${message}": field "${key}": ${text}`, { cause: error });
}

// an own property even where the key is "__proto__"
function setOwn(map: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}
