// /openapi/v2: the document of all groups, custom ones among them, in JSON or protobuf, with its hash as entity tag.
import { createHash } from "node:crypto";
import { openApiV2Document, openApiV2Protobuf } from "#api";
import type { Answer } from "./answer.ts";
import { acceptClauses } from "./http/accept.ts";

/** What custom resources add to the document of version 2. The same object as long as no definition changed. */
export interface CustomPartV2 {
  readonly paths: Readonly<Record<string, object>>;
  readonly definitions: Readonly<Record<string, object>>;
}

interface Prepared {
  readonly custom: CustomPartV2;
  readonly json: Buffer;
  readonly etag: string;
  protobuf: Buffer | undefined;
}

const protobufType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
// the form with "@" is the one that client-go asks for; the answer names the other
const protobufTypes = ["application/com.github.proto-openapi.spec.v2@v1.0+protobuf", protobufType];
const formats: readonly { readonly format: "json" | "protobuf"; readonly types: readonly string[] }[] = [
  { format: "json", types: ["application/json", "*/json", "application/*", "*/*"] },
  { format: "protobuf", types: protobufTypes },
];

/** Answers a request by its Accept and If-None-Match headers. */
export function openApiV2(
  custom: () => Promise<CustomPartV2>,
): (accept: string, ifNoneMatch: string | undefined) => Promise<Answer> {
  let prepared: Prepared | undefined;
  const current = async (): Promise<Prepared> => {
    const part = await custom();
    if (prepared?.custom === part) return prepared;
    const builtIn = await openApiV2Document();
    const json =
      Object.keys(part.definitions).length === 0 ? builtIn : Buffer.from(JSON.stringify(merged(parse(builtIn), part)), "utf8");
    prepared = { custom: part, json, etag: createHash("sha512").update(json).digest("hex").toUpperCase(), protobuf: undefined };
    return prepared;
  };
  return async (accept, ifNoneMatch) => {
    const format = formatOf(accept);
    const vary = { vary: "Accept" };
    if (format === undefined) return { kind: "raw", code: 406, contentType: "", body: "", headers: vary };
    const document = await current();
    const contentType = format === "json" ? "application/json" : protobufType;
    const headers = { ...vary, etag: `"${document.etag}"` };
    if (isKnown(ifNoneMatch, document.etag)) return { kind: "raw", code: 304, contentType, body: "", headers };
    if (format === "json") return { kind: "raw", code: 200, contentType, body: document.json, headers };
    document.protobuf ??= openApiV2Protobuf(parse(document.json));
    return { kind: "raw", code: 200, contentType, body: document.protobuf, headers };
  };
}

const parse = (bytes: Buffer): Record<string, unknown> => JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;

// a definition of a built-in type stays as it is
const merged = (document: Record<string, unknown>, part: CustomPartV2): Record<string, unknown> => ({
  ...document,
  paths: { ...part.paths, ...(document["paths"] as object) },
  definitions: { ...part.definitions, ...(document["definitions"] as object) },
});

function formatOf(accept: string): "json" | "protobuf" | undefined {
  for (const { type } of acceptClauses(accept === "" ? "*/*" : accept)) {
    const found = formats.find(({ types }) => types.includes(type));
    if (found !== undefined) return found.format;
  }
  return undefined;
}

const isKnown = (ifNoneMatch: string | undefined, etag: string): boolean =>
  ifNoneMatch?.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === `"${etag}"`) ?? false;
