// JSON Patch (RFC 6902), copy-on-write, as lax as upstream's: a missing value is null, replacing a missing key adds it.
import { own } from "#base";
import { deepEqual } from "./deep-equal.ts";
import { type ApiError, apiError, badRequest } from "./errors.ts";

export interface JsonPatchOperation {
  readonly op?: string;
  readonly path?: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** Operations that one patch may have. */
export const maxJsonPatchOperations = 10_000;
/** Bytes that the "copy" operations of one patch may add up to: the limit of a request's body. */
const maxCopiedBytes = 3 * 1024 * 1024;

/** What upstream answers for a patch that cannot be applied. */
const rejected = (): ApiError => apiError("Invalid", "the server rejected our request due to an error in our request", {});

const goType = (value: unknown): string =>
  Array.isArray(value) ? "array" : value === null ? "null" : typeof value === "boolean" ? "bool" : typeof value;

/** Reads a decoded body as a patch. Throws BadRequest or RequestEntityTooLarge with upstream's texts. `unknownFields` are for field validation ("[0].extra"). */
export function readJsonPatch(body: unknown): { operations: readonly JsonPatchOperation[]; unknownFields: readonly string[] } {
  if (body === null) return { operations: [], unknownFields: [] };
  const undecodable = (problem: string): ApiError => badRequest(`error decoding patch: json: cannot unmarshal ${problem}`);
  if (!Array.isArray(body)) throw undecodable(`${goType(body)} into Go value of type []handlers.jsonPatchOp`);
  if (body.length > maxJsonPatchOperations)
    throw apiError(
      "RequestEntityTooLarge",
      `Request entity too large: The allowed maximum operations in a JSON patch is ${maxJsonPatchOperations}, got ${body.length}`,
    );
  const unknownFields: string[] = [];
  for (const [i, operation] of body.entries()) {
    if (operation === null) continue;
    if (typeof operation !== "object" || Array.isArray(operation))
      throw undecodable(`${goType(operation)} into Go value of type handlers.jsonPatchOp`);
    for (const key of Object.keys(operation)) {
      if (key === "op" || key === "path" || key === "from") {
        const value = (operation as Record<string, unknown>)[key];
        if (value !== null && typeof value !== "string")
          throw undecodable(`${goType(value)} into Go struct field jsonPatchOp.${key} of type string`);
      } else if (key !== "value") unknownFields.push(`[${i}].${key}`);
    }
  }
  return { operations: body.map((operation) => operation ?? {}), unknownFields };
}

type Container = Record<string, unknown> | unknown[];
const isContainer = (value: unknown): value is Container => typeof value === "object" && value !== null;
const decodeKey = (key: string): string => (key.includes("~") ? key.replaceAll("~1", "/").replaceAll("~0", "~") : key);

/** Index into a list, negative ones from the end; undefined where it is no index or out of range. */
function indexOf(key: string, length: number): number | undefined {
  if (!/^[+-]?[0-9]+$/.test(key)) return undefined;
  const index = Number(key);
  const at = index < 0 ? index + length : index;
  return at >= 0 && at < length ? at : undefined;
}

function read(container: Container, key: string): unknown {
  if (!Array.isArray(container)) return own(container, key);
  const index = indexOf(key, container.length);
  if (index === undefined) throw rejected();
  return container[index];
}

/** The keys of a pointer. A pointer without its leading slash loses its first part, as upstream. */
function keysOf(path: unknown): string[] {
  if (typeof path !== "string") throw rejected();
  const parts = path.split("/");
  if (parts.length < 2) throw rejected();
  return parts.slice(1).map(decodeKey);
}

/** One document under change: containers are copied once, on the way to a change. */
class Draft {
  root: unknown;
  readonly #own = new WeakSet<object>();

  constructor(root: unknown) {
    this.root = root;
  }

  #mutable(container: Container): Container {
    if (this.#own.has(container)) return container;
    const copy: Container = Array.isArray(container) ? [...container] : { ...container };
    this.#own.add(copy);
    return copy;
  }

  /** The container that holds the last key, for reading. */
  find(keys: readonly string[]): Container {
    let container: unknown = this.root;
    for (let i = 0; i < keys.length - 1; i++) {
      if (!isContainer(container)) throw rejected();
      container = read(container, keys[i] as string);
    }
    if (!isContainer(container)) throw rejected();
    return container;
  }

  /** The same, its way copied, for writing. */
  open(keys: readonly string[]): Container {
    this.find(keys);
    let container = this.#mutable(this.root as Container);
    this.root = container;
    for (let i = 0; i < keys.length - 1; i++) {
      const key = Array.isArray(container) ? (indexOf(keys[i] as string, container.length) as number) : (keys[i] as string);
      const inner = this.#mutable((container as Record<string | number, unknown>)[key] as Container);
      define(container, key, inner);
      container = inner;
    }
    return container;
  }
}

/** Sets a key as data, whatever its name: "__proto__" is an ordinary key of JSON. */
function define(container: Container, key: string | number, value: unknown): void {
  if (key === "__proto__") Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
  else (container as Record<string | number, unknown>)[key] = value;
}

function add(draft: Draft, keys: readonly string[], value: unknown): void {
  const container = draft.open(keys);
  const key = keys.at(-1) as string;
  if (!Array.isArray(container)) {
    define(container, key, value);
    return;
  }
  if (key === "-") {
    container.push(value);
    return;
  }
  const index = indexOf(key, container.length + 1);
  if (index === undefined) throw rejected();
  container.splice(index, 0, value);
}

function remove(draft: Draft, keys: readonly string[]): void {
  const key = keys.at(-1) as string;
  const seen = draft.find(keys);
  if (Array.isArray(seen)) {
    const index = indexOf(key, seen.length);
    if (index === undefined) throw rejected();
    (draft.open(keys) as unknown[]).splice(index, 1);
  } else {
    if (!Object.hasOwn(seen, key)) throw rejected();
    delete (draft.open(keys) as Record<string, unknown>)[key];
  }
}

function replace(draft: Draft, keys: readonly string[], value: unknown): void {
  const key = keys.at(-1) as string;
  const seen = draft.find(keys);
  read(seen, key);
  const container = draft.open(keys);
  define(container, Array.isArray(container) ? (indexOf(key, container.length) as number) : key, value);
}

function test(draft: Draft, path: string, value: unknown): void {
  const actual =
    path === ""
      ? draft.root
      : (() => {
          const keys = keysOf(path);
          return read(draft.find(keys), keys.at(-1) as string);
        })();
  if (actual === undefined || actual === null ? value !== null && value !== undefined : !deepEqual(actual, value))
    throw rejected();
}

/** The document after the patch; the given one is not changed, untouched parts are shared. Throws Invalid (422) with upstream's one sentence. */
export function applyJsonPatch<T>(document: T, operations: readonly JsonPatchOperation[]): T {
  const draft = new Draft(document);
  let copied = 0;
  for (const operation of operations) {
    const value = operation.value === undefined ? null : operation.value;
    const { path } = operation;
    if (typeof path !== "string") throw rejected();
    switch (operation.op) {
      case "add":
        add(draft, keysOf(path), value);
        break;
      case "remove":
        remove(draft, keysOf(path));
        break;
      case "replace":
        if (path !== "") replace(draft, keysOf(path), value);
        else if (isContainer(value)) draft.root = value;
        else throw rejected();
        break;
      case "move": {
        const from = keysOf(operation.from);
        const moved = read(draft.find(from), from.at(-1) as string);
        remove(draft, from);
        add(draft, keysOf(path), moved);
        break;
      }
      case "copy": {
        const from = keysOf(operation.from);
        const found = read(draft.find(from), from.at(-1) as string) ?? null;
        const text = JSON.stringify(found);
        copied += text.length;
        if (copied > maxCopiedBytes) throw rejected();
        add(draft, keysOf(path), JSON.parse(text));
        break;
      }
      case "test":
        test(draft, path, value);
        break;
      default:
        throw rejected();
    }
  }
  return draft.root as T;
}
