// Answers into bytes: stored bytes are passed on as they are; other forms are made of the parsed object.
import { type ApiObject, apiError, apiVersionOf, encodeJson, encodeProtobuf, encodeYaml, type JsonObject } from "#api";
import type { Answer } from "../answer.ts";
import type { Entry } from "../cache/entry.ts";
import { parseStored } from "../cache/stored-bytes.ts";
import { type ServedResource, toServed } from "../registry/resource.ts";
import { computedTable } from "../tables/computed.ts";
import { tableOf } from "../tables/table.ts";
import { type Accepted, notAcceptable, type Wanted } from "./accept.ts";
import { typeOfFormat } from "./media-type.ts";

export interface Encoded {
  readonly code: number;
  readonly contentType: string;
  /** Pieces to be sent one after the other; a list has thousands. */
  readonly body: readonly Buffer[];
  readonly headers?: Readonly<Record<string, string>>;
}

const newline = Buffer.from("\n");
const comma = Buffer.from(",");
const open = Buffer.from("{");
const commaOpen = Buffer.from(",{");
const closeList = Buffer.from("]}\n");

export type Encodable = Exclude<Answer, { kind: "watch" | "forward" }>;

export function encode(answer: Encodable, accepted: Wanted): Encoded {
  switch (answer.kind) {
    case "raw":
      return {
        code: answer.code,
        contentType: answer.contentType,
        body: [Buffer.from(answer.body)],
        ...(answer.headers === undefined ? {} : { headers: answer.headers }),
      };
    case "entry":
      return encodeEntry(answer, accepted);
    case "list":
      return encodeList(answer, accepted);
    case "object":
      return encodeComputed(answer.code, answer.object, accepted);
    default:
      return answer satisfies never;
  }
}

export const isStatus = (object: unknown): boolean => (object as { readonly kind?: unknown } | undefined)?.kind === "Status";

function encodeComputed(code: number, object: unknown, accepted: Wanted): Encoded {
  if (accepted.transform === "none" || isStatus(object)) return encodeObject(code, object, accepted);
  const table = accepted.transform === "Table" ? computedTable(object, accepted) : undefined;
  if (table === undefined) throw notAcceptable();
  return encodeObject(code, table, accepted);
}

/** Any object in the format asked for. */
export function encodeObject(code: number, object: unknown, accepted: Accepted): Encoded {
  return { code, contentType: typeOfFormat[accepted.format], body: [objectBytes(object, accepted)] };
}

function objectBytes(object: unknown, accepted: Pick<Accepted, "format" | "pretty">): Buffer {
  switch (accepted.format) {
    case "json":
      return accepted.pretty ? Buffer.from(`${JSON.stringify(object, null, 2)}\n`) : Buffer.concat([encodeJson(object), newline]);
    case "yaml":
      return encodeYaml(object);
    case "protobuf":
      return encodeProtobuf(object as JsonObject);
    default:
      return accepted.format satisfies never;
  }
}

/** What upstream calls the kind inside: "core.ConfigMap". */
const internalName = ({ type }: ServedResource): string =>
  `${type.group === "" ? "core" : (type.group.split(".")[0] as string)}.${type.kind}`;

/** An entry's object in the served version. */
export const servedObject = (resource: ServedResource, entry: Entry): ApiObject => toServed(resource, entry.parse());

/** An entry's JSON in the served version: the stored bytes unless the versions differ. */
export const servedJson = (resource: ServedResource, entry: Entry): Buffer =>
  resource.convert === undefined ? entry.bytes : encodeJson(servedObject(resource, entry));

function encodeEntry(answer: Extract<Answer, { kind: "entry" }>, accepted: Wanted): Encoded {
  const { code, resource, entry } = answer;
  if (accepted.transform === "Table")
    return encodeObject(
      code,
      tableOf(resource, [entry], entry.revision === 0 ? {} : { resourceVersion: String(entry.revision) }, accepted),
      accepted,
    );
  if (accepted.transform === "PartialObjectMetadataList") {
    throw apiError(
      "NotAcceptable",
      `you requested PartialObjectMetadataList, but the requested object is not a list (*${internalName(resource)})`,
    );
  }
  if (accepted.transform !== "none") return encodeObject(code, partialMetadata(entry, accepted.metaVersion), accepted);
  if (accepted.format === "json" && !accepted.pretty)
    return { code, contentType: "application/json", body: [servedJson(resource, entry), newline] };
  return encodeObject(code, servedObject(resource, entry), accepted);
}

export function partialMetadata(entry: Entry, metaVersion: string): object {
  return {
    kind: "PartialObjectMetadata",
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata: (entry.object ?? parseStored(entry.bytes)).metadata,
  };
}

function encodeList(answer: Extract<Answer, { kind: "list" }>, accepted: Wanted): Encoded {
  const { resource, entries, metadata } = answer;
  if (accepted.transform === "Table") return encodeObject(200, tableOf(resource, entries, metadata, accepted), accepted);
  const { type } = resource;
  if (accepted.transform === "PartialObjectMetadata") {
    throw apiError(
      "NotAcceptable",
      `you requested PartialObjectMetadata, but the requested object is a list (*${internalName(resource)}List)`,
    );
  }
  if (accepted.transform !== "none") {
    const items = entries.map((entry) => partialMetadata(entry, accepted.metaVersion));
    return encodeObject(
      200,
      { kind: "PartialObjectMetadataList", apiVersion: `meta.k8s.io/${accepted.metaVersion}`, metadata, items },
      accepted,
    );
  }
  if (accepted.format === "json" && !accepted.pretty)
    return { code: 200, contentType: "application/json", body: listPieces(answer) };
  const items = entries.map((entry) => {
    const object = servedObject(resource, entry);
    if (resource.custom) return object;
    const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
    return rest;
  });
  const list = { kind: `${type.kind}List`, apiVersion: apiVersionOf(type), metadata: plainListMetadata(answer), items };
  return encodeObject(200, list, accepted);
}

/** A list of custom resources always has a token to go on with, if only an empty one. */
export const plainListMetadata = ({ resource, metadata }: Extract<Answer, { kind: "list" }>): object =>
  resource.custom ? { continue: "", ...metadata } : metadata;

/** Header, slices of the stored bytes, end. Items of built-in kinds are listed without kind and apiVersion, as upstream does. */
function listPieces(answer: Extract<Answer, { kind: "list" }>): Buffer[] {
  const { resource, entries } = answer;
  const metadata = plainListMetadata(answer);
  const { type } = resource;
  const pieces: Buffer[] = [
    Buffer.from(
      `{"kind":"${type.kind}List","apiVersion":"${apiVersionOf(type)}","metadata":${JSON.stringify(metadata)},"items":[`,
    ),
  ];
  const skip = resource.cache.form.head.length - '"metadata":{"resourceVersion":'.length;
  const cut = !resource.custom && resource.convert === undefined;
  for (const [index, entry] of entries.entries()) {
    if (index > 0) pieces.push(cut ? commaOpen : comma);
    else if (cut) pieces.push(open);
    pieces.push(cut ? entry.bytes.subarray(skip) : listedJson(resource, entry));
  }
  pieces.push(closeList);
  return pieces;
}

function listedJson(resource: ServedResource, entry: Entry): Buffer {
  if (resource.custom) return servedJson(resource, entry);
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = servedObject(resource, entry);
  return encodeJson(rest);
}
