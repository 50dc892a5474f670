// Field tables of protobuf messages as data, and how their text form is read.

export interface MessageField {
  readonly number: number;
  readonly name: string;
  /** A scalar ("string", "int64", ...) or the full name of a message or enum; of a map, its values. */
  readonly type: string;
  readonly repeated: boolean;
  /** Of a map: the type of its keys. */
  readonly mapKey?: string;
  readonly oneof?: string;
  /** The fields of this message stand in the parent object itself (a struct that Go embeds). */
  readonly inline?: boolean;
}

export interface EnumTable {
  readonly numbers: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
}

export interface MethodTable {
  readonly name: string;
  readonly request: string;
  readonly response: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/** What the codec needs of a map; a table may make its entries on first use. */
export interface Lookup<T> {
  get(name: string): T | undefined;
  has(name: string): boolean;
}

/** Tables read from text: everything is there. */
export interface ParsedTables extends FieldTables {
  readonly messages: ReadonlyMap<string, readonly MessageField[]>;
  readonly enums: ReadonlyMap<string, EnumTable>;
}

export interface FieldTables {
  readonly messages: Lookup<readonly MessageField[]>;
  readonly enums: Lookup<EnumTable>;
  /** By full service name ("runtime.v1.RuntimeService"). */
  readonly services: ReadonlyMap<string, readonly MethodTable[]>;
}

const scalarTypes = new Set([
  "string",
  "bytes",
  "bool",
  "double",
  "float",
  "int32",
  "int64",
  "uint32",
  "uint64",
  "sint32",
  "sint64",
  "fixed32",
  "fixed64",
  "sfixed32",
  "sfixed64",
]);

// messages of protobuf itself that tables refer to without describing them
const wellKnown = `field	google.protobuf.Timestamp	seconds	1	int64
field	google.protobuf.Timestamp	nanos	2	int32
field	google.protobuf.Any	type_url	1	string
field	google.protobuf.Any	value	2	bytes`;

interface Rows {
  readonly fields: Map<string, { name: string; number: number; type: string; oneof: string }[]>;
  readonly enums: Map<string, [string, number][]>;
  readonly methods: Map<string, [string, string][]>;
}

/**
 * Reads a table in one of two shapes, told apart by the columns: `message field number type` and
 * `kind name member number type oneof` with kind field, enum or rpc. A line of titles is skipped. Type names are resolved as protobuf does: from the innermost scope out.
 */
export function parseFieldTable(tsv: string): ParsedTables {
  const rows: Rows = { fields: new Map(), enums: new Map(), methods: new Map() };
  for (const line of [...wellKnown.split("\n"), ...tsv.split("\n")]) readLine(line, rows);
  const resolve = (scope: string, type: string): string => resolveType(scope, type, rows);
  const services = new Map<string, readonly MethodTable[]>();
  for (const [service, methods] of rows.methods) {
    services.set(
      service,
      methods.map(([name, signature]) => {
        const [request = "", response = ""] = signature.split(" -> ");
        const bare = (type: string): string => resolve(service, type.replace(/^stream /, ""));
        return {
          name,
          request: bare(request),
          response: bare(response),
          requestStream: request.startsWith("stream "),
          responseStream: response.startsWith("stream "),
        };
      }),
    );
  }
  const messages = new Map<string, readonly MessageField[]>();
  // resolving declares messages without fields on the way, and the loop reaches them too
  for (const [message, fields] of rows.fields)
    messages.set(
      message,
      fields.map((field) => toField(message, field, resolve)),
    );
  const enums = new Map<string, EnumTable>();
  for (const [name, values] of rows.enums)
    enums.set(name, {
      numbers: new Map(values),
      names: new Map([...values].reverse().map(([value, number]) => [number, value])),
    });
  return { messages, enums, services };
}

function readLine(line: string, rows: Rows): void {
  const columns = line.split("\t");
  const [kind = "", name = "", member = "", number = "", type = "", oneof = ""] = columns;
  if (kind === "" || kind === "message" || (kind === "kind" && name === "name")) return;
  if (columns.length === 4) push(rows.fields, kind, { name, number: Number(member), type: number, oneof: "" });
  else if (kind === "field") push(rows.fields, name, { name: member, number: Number(number), type, oneof });
  else if (kind === "enum") push(rows.enums, name, [member, Number(number)]);
  else if (kind === "rpc") push(rows.methods, name, [member, type]);
  else throw new Error(`Cannot read field table: a row of kind "${kind}"`);
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function toField(
  message: string,
  row: { name: string; number: number; type: string; oneof: string },
  resolve: (scope: string, type: string) => string,
): MessageField {
  const base = { number: row.number, name: row.name, ...(row.oneof === "" ? {} : { oneof: row.oneof }) };
  const map = /^map<\s*([^,\s]+)\s*,\s*([^>\s]+)\s*>$/.exec(row.type);
  if (map !== null) return { ...base, repeated: false, mapKey: map[1] ?? "string", type: resolve(message, map[2] ?? "") };
  if (row.type.startsWith("repeated "))
    return { ...base, repeated: true, type: resolve(message, row.type.slice("repeated ".length)) };
  return { ...base, repeated: false, type: resolve(message, row.type) };
}

function resolveType(scope: string, type: string, rows: Rows): string {
  if (scalarTypes.has(type)) return type;
  for (let prefix = scope; ; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf(".")))) {
    const full = prefix === "" ? type : `${prefix}.${type}`;
    if (rows.fields.has(full) || rows.enums.has(full)) return full;
    if (prefix === "") break;
  }
  const full = type.includes(".") ? type : `${scope.slice(0, scope.lastIndexOf("."))}.${type}`;
  // a message without fields has no row: it is known only from where it is used
  rows.fields.set(full, []);
  return full;
}
