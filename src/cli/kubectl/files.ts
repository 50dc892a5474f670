// The objects of `-f`: files, directories, standard input; JSON and YAML, several documents, lists.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { decodeJson, decodeYamlDocuments, type ResourceType } from "#api";
import { defineOptions } from "#base";
import { Failure } from "./failure.ts";
import type { AnyObject, Session } from "./session.ts";

export const fileFlags = defineOptions({
  filename: { kind: "list", default: [], help: "Files, directories, or - for standard input", placeholder: "FILES" },
  recursive: { kind: "boolean", default: false, help: "Directories inside directories too" },
});

export const fileShort = { filename: "f", recursive: "R" } as const;

export interface FileOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
}

export interface FileObject {
  readonly type: ResourceType;
  /** Undefined for an object of the cluster. */
  readonly namespace: string | undefined;
  /** With its namespace in it. */
  readonly object: AnyObject;
  readonly source: string;
}

/** All objects, in order, each with its resource; throws Failure for what is not an object. */
export async function readObjects(session: Session, options: FileOptions): Promise<FileObject[]> {
  const found: FileObject[] = [];
  for (const { source, text } of await readTexts(session, options))
    for (const object of objectsIn(text, source)) found.push(await placed(session, object, source));
  if (found.length === 0) throw new Failure("error: no objects passed to the command");
  return found;
}

async function placed(session: Session, object: AnyObject, source: string): Promise<FileObject> {
  const type = await session.typeOf(object, source);
  if (!type.namespaced) return { type, namespace: undefined, object, source };
  const { namespace } = object.metadata;
  const asked = session.options.namespace;
  if (namespace !== undefined && asked !== undefined && asked !== namespace)
    throw new Failure(
      `error: the namespace from the provided object "${namespace}" does not match the namespace "${asked}". You must pass '--namespace=${namespace}' to perform this operation.`,
    );
  const own = namespace ?? (await session.namespace());
  return { type, namespace: own, object: { ...object, metadata: { ...object.metadata, namespace: own } }, source };
}

interface Source {
  readonly source: string;
  readonly text: string;
}

const endings = /\.(json|yaml|yml)$/;

async function readTexts({ terminal }: Session, { filename, recursive }: FileOptions): Promise<Source[]> {
  const found: Source[] = [];
  const read = async (path: string): Promise<void> => {
    found.push({ source: path, text: (await terminal.files.read(path)).toString("utf8") });
  };
  const readDirectory = async (path: string): Promise<void> => {
    for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inner = join(path, entry.name);
      if (statSync(inner).isDirectory()) {
        if (recursive) await readDirectory(inner);
      } else if (endings.test(entry.name)) await read(inner);
    }
  };
  for (const path of filename) {
    if (path === "-") found.push({ source: "STDIN", text: await readAll(terminal.input) });
    else if (/^https?:/.test(path))
      throw new Failure(`error: cannot read "${path}": tiphys kubectl reads files only; fetch it first, or use the real kubectl`);
    else {
      const stat = await terminal.files.stat(path);
      if (stat === undefined) throw new Failure(`error: the path "${path}" does not exist`);
      const before = found.length;
      if (stat.kind === "directory") await readDirectory(path);
      else await read(path);
      if (found.length === before)
        throw new Failure(`error: error reading [${path}]: recognized file extensions are [.json .yaml .yml]`);
    }
  }
  return found;
}

async function readAll(input: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString("utf8");
}

/** The objects of one text; a List is its items. */
export function objectsIn(text: string, source: string): AnyObject[] {
  let documents: unknown[];
  try {
    documents = /^\s*\{/.test(text) ? [decodeJson(text).value] : decodeYamlDocuments(text).map(({ value }) => value);
  } catch (error) {
    throw new Failure(`error: error parsing ${source}: ${(error as Error).message}`);
  }
  return documents.flatMap((document) => checked(document, source));
}

function checked(value: unknown, source: string): AnyObject[] {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Failure(
      `error: error validating "${source}": error validating data: invalid object to validate; if you choose to ignore these errors, turn validation off with --validate=false`,
    );
  const object = value as { apiVersion?: unknown; kind?: unknown; items?: unknown; metadata?: unknown };
  const missing = [
    ...(object.apiVersion === undefined || object.apiVersion === "" ? ["apiVersion not set"] : []),
    ...(object.kind === undefined || object.kind === "" ? ["kind not set"] : []),
  ];
  if (missing.length > 0) {
    const list = missing.length === 1 ? missing[0] : `[${missing.join(", ")}]`;
    throw new Failure(
      `error: error validating "${source}": error validating data: ${list}; if you choose to ignore these errors, turn validation off with --validate=false`,
    );
  }
  if (/List$/.test(String(object.kind)) && Array.isArray(object.items))
    return object.items.flatMap((item: unknown) =>
      checked(
        object.kind === "List" ? item : { ...listed(object as { apiVersion: string; kind: string }), ...(item as object) },
        source,
      ),
    );
  return [{ ...object, metadata: object.metadata ?? {} } as AnyObject];
}

/** What the items of a typed list leave out. */
const listed = ({ apiVersion, kind }: { apiVersion: string; kind: string }) => ({ apiVersion, kind: kind.replace(/List$/, "") });
