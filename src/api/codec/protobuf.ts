// Kubernetes' protobuf form of built-in objects: the k8s\0 envelope around messages whose fields stand in the generated facts.
import { defineMessages, type FieldTables, type MessageConverter, type MessageField, type Messages, ProtobufError } from "#base";
import type { JsonObject } from "../scalars.ts";
import { factLines, hasObjectSchema, type KindName, objectSchema, typeNameOfKind } from "../schema/read.ts";
import { DecodeError } from "./errors.ts";
import { decodeJson, encodeJson } from "./json.ts";
import { formatSeconds, parseTime } from "./time.ts";
import { decodeTyped } from "./typed.ts";

const prefix = Buffer.from("k8s\0", "latin1");
const unknownMessage = "k8s.io.apimachinery.pkg.runtime.Unknown";

/** Whether a kind has a protobuf form (custom resources and tables do not). */
export const hasProtobuf = (kind: KindName): boolean => typeNameOfKind(kind) !== undefined;

/** Whether bytes begin as an envelope does. */
export const isProtobuf = (bytes: Uint8Array): boolean => bytes.byteLength >= 4 && prefix.equals(bytes.subarray(0, 4));

/** Writes an object (apiVersion and kind set) in the envelope. Throws `ProtobufError` where the kind has no protobuf form or a value is not of its type. */
export function encodeProtobuf(object: JsonObject): Buffer {
  const { apiVersion, kind } = object;
  const name = typeNameOfKind(kindName(apiVersion, kind));
  if (name === undefined)
    throw new ProtobufError(`Cannot encode "${String(apiVersion)}" "${String(kind)}" as protobuf: the kind is not built in`);
  const raw = codec().encode(name, object);
  return protobufEnvelope(String(apiVersion), String(kind), raw);
}

/** The envelope around a message that is already encoded. */
export function protobufEnvelope(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  return Buffer.concat([
    prefix,
    codec().encode(unknownMessage, { typeMeta: { apiVersion, kind }, raw, contentEncoding: "", contentType: "" }),
  ]);
}

/** What the envelope says it holds. Throws `DecodeError` with upstream's text. */
export function openProtobuf(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Buffer } {
  if (!isProtobuf(bytes))
    throw new DecodeError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  const unknown = decodeMessage(unknownMessage, bytes.subarray(4)) as {
    typeMeta?: { apiVersion?: string; kind?: string };
    raw?: string;
  };
  return {
    apiVersion: unknown.typeMeta?.apiVersion ?? "",
    kind: unknown.typeMeta?.kind ?? "",
    raw: Buffer.from(unknown.raw ?? "", "base64"),
  };
}

/**
 * Reads an object in the envelope, in the shape that upstream's JSON has. Where the envelope does not name the kind (a typed client's body), `expected` does.
 * Throws `DecodeError`.
 */
export function decodeProtobuf(bytes: Uint8Array, expected?: KindName): JsonObject {
  const { apiVersion, kind, raw } = openProtobuf(bytes);
  const asked = kind === "" && expected !== undefined ? expected : kindName(apiVersion, kind);
  const name = typeNameOfKind(asked);
  if (name === undefined)
    throw new DecodeError(
      `no kind "${kind}" is registered for version "${apiVersion}" in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  const object = decodeMessage(name, raw) as JsonObject;
  const apiVersionText = asked.group === "" ? asked.version : `${asked.group}/${asked.version}`;
  return decodeTyped(objectSchema(name), { apiVersion: apiVersionText, kind: asked.kind, ...object }).object;
}

/** One frame of a protobuf watch: four bytes of length (big-endian), then a WatchEvent around the object's envelope (`encodeProtobuf`). */
export function protobufWatchFrame(type: string, envelope: Uint8Array): Buffer {
  const event = codec().encode("WatchEventFrame", { type, object: { raw: envelope } });
  const frame = Buffer.allocUnsafe(4 + event.byteLength);
  frame.writeUInt32BE(event.byteLength, 0);
  event.copy(frame, 4);
  return frame;
}

/** Reads the frames that are complete, and says how many bytes they took. */
export function readProtobufWatchFrames(bytes: Buffer): { events: { type: string; object: JsonObject }[]; taken: number } {
  const events: { type: string; object: JsonObject }[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (at + 4 + length > bytes.length) break;
    const frame = decodeMessage("WatchEventFrame", bytes.subarray(at + 4, at + 4 + length)) as {
      type?: string;
      object?: { raw?: string };
    };
    events.push({ type: frame.type ?? "", object: decodeProtobuf(Buffer.from(frame.object?.raw ?? "", "base64")) });
    at += 4 + length;
  }
  return { events, taken: at };
}

function decodeMessage(name: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    return codec().decode(name, bytes);
  } catch (error) {
    if (error instanceof ProtobufError) throw new DecodeError(error.message);
    throw error;
  }
}

function kindName(apiVersion: unknown, kind: unknown): KindName {
  const text = typeof apiVersion === "string" ? apiVersion : "";
  const slash = text.indexOf("/");
  return {
    group: slash === -1 ? "" : text.slice(0, slash),
    version: text.slice(slash + 1),
    kind: typeof kind === "string" ? kind : "",
  };
}

// --- the tables: generated facts, and the messages that have a form of their own in JSON

const field = (number: number, name: string, type: string, repeated = false): MessageField => ({ number, name, type, repeated });
const meta = "k8s.io.apimachinery.pkg.apis.meta.v1.";
const extensions = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.";
const jsonSchemaProps = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
const quantity = "k8s.io.apimachinery.pkg.api.resource.Quantity";
const intOrString = "k8s.io.apimachinery.pkg.util.intstr.IntOrString";
const rawExtension = "k8s.io.apimachinery.pkg.runtime.RawExtension";
const stringLists = [
  `${meta}Verbs`,
  "k8s.io.api.authentication.v1.ExtraValue",
  "k8s.io.api.authorization.v1.ExtraValue",
  "k8s.io.api.certificates.v1.ExtraValue",
];

const timestamp = [field(1, "seconds", "int64"), field(2, "nanos", "int32")];
const handWritten: Readonly<Record<string, readonly MessageField[]>> = {
  [unknownMessage]: [
    field(1, "typeMeta", "TypeMeta"),
    field(2, "raw", "bytes"),
    field(3, "contentEncoding", "string"),
    field(4, "contentType", "string"),
  ],
  TypeMeta: [field(1, "apiVersion", "string"), field(2, "kind", "string")],
  WatchEventFrame: [field(1, "type", "string"), field(2, "object", "RawBytes")],
  RawBytes: [field(1, "raw", "bytes")],
  [quantity]: [field(1, "string", "string")],
  [intOrString]: [field(1, "type", "int64"), field(2, "intVal", "int32"), field(3, "strVal", "string")],
  [`${meta}Time`]: timestamp,
  [`${meta}MicroTime`]: timestamp,
  [`${meta}FieldsV1`]: [field(1, "raw", "bytes")],
  [rawExtension]: [field(1, "raw", "bytes")],
  [`${extensions}JSON`]: [field(1, "raw", "bytes")],
  [`${extensions}JSONSchemaPropsOrArray`]: [field(1, "schema", jsonSchemaProps), field(2, "jSONSchemas", jsonSchemaProps, true)],
  [`${extensions}JSONSchemaPropsOrBool`]: [field(1, "allows", "bool"), field(2, "schema", jsonSchemaProps)],
  [`${extensions}JSONSchemaPropsOrStringArray`]: [field(1, "schema", jsonSchemaProps), field(2, "property", "string", true)],
  ...Object.fromEntries(stringLists.map((name) => [name, [field(1, "items", "string", true)]])),
};

const rawJson: MessageConverter = {
  fromMessage: ({ raw }) => {
    if (typeof raw !== "string" || raw === "") return null;
    const bytes = Buffer.from(raw, "base64");
    return isProtobuf(bytes) ? decodeProtobuf(bytes) : decodeJson(bytes).value;
  },
  toMessage: (value) => (value === null ? undefined : { raw: encodeJson(value) }),
};
const timeMessage = (text: unknown, keepNanos: boolean): Record<string, unknown> | undefined => {
  if (text === null) return undefined;
  const { seconds, nanos } = parseTime(String(text), keepNanos ? "2006-01-02T15:04:05.000000Z07:00" : undefined);
  // upstream writes whole seconds for Time and whole microseconds for MicroTime
  return { seconds, nanos: keepNanos ? Math.floor(nanos / 1000) * 1000 : 0 };
};
const isZeroTime = (message: Record<string, unknown>): boolean =>
  Number(message.seconds ?? 0) === 0 && Number(message.nanos ?? 0) === 0;
const stringList: MessageConverter = {
  fromMessage: ({ items }) => items ?? [],
  toMessage: (value) => (value === null ? undefined : { items: value }),
};

const converters: Readonly<Record<string, MessageConverter>> = {
  [quantity]: {
    fromMessage: (message) => message.string ?? "0",
    toMessage: (value) => (value === null ? undefined : { string: String(value) }),
  },
  [intOrString]: {
    fromMessage: (message) => (Number(message.type ?? 0) === 1 ? (message.strVal ?? "") : (message.intVal ?? 0)),
    toMessage: (value) =>
      value === null
        ? undefined
        : typeof value === "string"
          ? { type: 1, intVal: 0, strVal: value }
          : { type: 0, intVal: value, strVal: "" },
  },
  [`${meta}Time`]: {
    fromMessage: (message) => (isZeroTime(message) ? null : formatSeconds(Number(message.seconds ?? 0))),
    toMessage: (value) => timeMessage(value, false),
  },
  [`${meta}MicroTime`]: {
    fromMessage: (message) =>
      isZeroTime(message)
        ? null
        : `${formatSeconds(Number(message.seconds ?? 0)).slice(0, -1)}.${String(Math.floor(Number(message.nanos ?? 0) / 1000)).padStart(6, "0")}Z`,
    toMessage: (value) => timeMessage(value, true),
  },
  [`${meta}FieldsV1`]: rawJson,
  [rawExtension]: rawJson,
  [`${extensions}JSON`]: rawJson,
  [`${extensions}JSONSchemaPropsOrArray`]: {
    fromMessage: (message) => message.schema ?? message.jSONSchemas ?? null,
    toMessage: (value) => (value === null ? undefined : Array.isArray(value) ? { jSONSchemas: value } : { schema: value }),
  },
  [`${extensions}JSONSchemaPropsOrBool`]: {
    fromMessage: (message) => message.schema ?? message.allows ?? false,
    toMessage: (value) =>
      value === null ? undefined : typeof value === "boolean" ? { allows: value } : { allows: true, schema: value },
  },
  [`${extensions}JSONSchemaPropsOrStringArray`]: {
    fromMessage: (message) => message.schema ?? message.property ?? [],
    toMessage: (value) => (value === null ? undefined : Array.isArray(value) ? { property: value } : { schema: value }),
  },
  ...Object.fromEntries(stringLists.map((name) => [name, stringList])),
};

const leafTypes: Readonly<Record<string, string>> = {
  quantity,
  intOrString,
  time: `${meta}Time`,
  microTime: `${meta}MicroTime`,
  boolean: "bool",
  anyObject: rawExtension,
  any: `${extensions}JSON`,
};

let made: Messages | undefined;

// made on first use: most processes of a cluster in one process never speak protobuf
function codec(): Messages {
  made ??= defineMessages(tables, { int64: "exact", bytes: "base64", zeros: "write", fill: false, packed: false, converters });
  return made;
}

const generated = new Map<string, readonly MessageField[]>();

const tables: FieldTables = {
  messages: {
    has: (name) => Object.hasOwn(handWritten, name) || generated.has(name) || hasObjectSchema(name),
    get: (name) => (Object.hasOwn(handWritten, name) ? handWritten[name] : (generated.get(name) ?? fieldsOf(name))),
  },
  enums: { has: () => false, get: () => undefined },
  services: new Map(),
};

function fieldsOf(name: string): readonly MessageField[] | undefined {
  if (!hasObjectSchema(name)) return undefined;
  const own: MessageField[] = [];
  const embedded = new Map<number, { rest: readonly number[]; row: MessageField }[]>();
  for (const line of factLines(name)) {
    const [first, ...rest] = line.numbers;
    if (first === undefined) continue;
    const row = typeField(line.name, rest.at(-1) ?? first, line.type, line.protobuf);
    if (rest.length === 0) own.push(row);
    else embedded.set(first, [...(embedded.get(first) ?? []), { rest, row }]);
  }
  for (const [number, rows] of embedded) own.push(embed(name, number, rows));
  generated.set(name, own);
  return own;
}

// a struct that Go embeds is a message in protobuf and nothing in JSON
function embed(owner: string, number: number, rows: readonly { rest: readonly number[]; row: MessageField }[]): MessageField {
  const name = `${owner}#${number}`;
  const own: MessageField[] = [];
  const deeper = new Map<number, { rest: readonly number[]; row: MessageField }[]>();
  for (const { rest, row } of rows) {
    const [first = 0, ...more] = rest;
    if (more.length === 0) own.push(row);
    else deeper.set(first, [...(deeper.get(first) ?? []), { rest: more, row }]);
  }
  for (const [inner, innerRows] of deeper) own.push(embed(name, inner, innerRows));
  generated.set(name, own);
  return { number, name, type: name, repeated: false, inline: true };
}

function typeField(name: string, number: number, type: string, protobuf: string | undefined): MessageField {
  if (protobuf !== undefined) {
    const map = /^map<string,(.*)>$/.exec(protobuf);
    return map === null ? field(number, name, protobuf) : { ...field(number, name, map[1] ?? ""), mapKey: "string" };
  }
  const plain = (text: string): string => leafTypes[text] ?? text;
  if (type.startsWith("{}")) return { ...field(number, name, plain(type.slice(2))), mapKey: "string" };
  if (type.startsWith("[]")) return field(number, name, plain(type.slice(2)), true);
  return field(number, name, plain(type));
}
