// JSON as the API server reads and writes it: integers stay exact, duplicate keys are reported, errors read as upstream's.
import type { JsonObject, JsonValue } from "../scalars.ts";
import { DecodeError } from "./errors.ts";
import { jsonSyntaxError } from "./json-syntax.ts";

export interface DecodeOptions {
  /** Deepest nesting of lists and objects; upstream's is 10,000. */
  readonly maxDepth?: number;
}

/** What was read, and what was odd about it. */
export interface Decoded {
  /** Integers beyond 2^53 are bigint in this tree; `encodeJson` writes them back. */
  readonly value: JsonValue;
  /** In the order of the document: `duplicate field "spec.replicas"`. */
  readonly problems: readonly string[];
  /** Numbers whose text says more than their value (1.0, 8e1, 1e400), by the object or list that holds them. */
  readonly literals: Literals;
}

export type Literals = ReadonlyMap<object, ReadonlyMap<string, string>>;

const maxProblems = 100;
const noLiterals: Literals = new Map();
const noProblems: readonly string[] = [];
/** What is nested more deeply is not counted by recursion: the stack has an end. */
const countedDepth = 500;

/** Reads one JSON document. Throws `DecodeError` with upstream's text. Bytes that are not UTF-8 become U+FFFD, as upstream. */
export function decodeJson(input: Uint8Array | string, options: DecodeOptions = {}): Decoded {
  const text = typeof input === "string" ? input : Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString("utf8");
  const maxDepth = options.maxDepth ?? 10_000;
  const seen = glance(text);
  let problems: readonly string[] | undefined = seen.depth > Math.min(maxDepth, countedDepth) ? scan(text, maxDepth) : undefined;
  try {
    const parsed = seen.oddNumbers ? parseExactly(text) : { value: JSON.parse(text) as JsonValue, literals: noLiterals };
    // A key that stands twice is in the tree once.
    problems ??= seen.keys === keysIn(parsed.value) ? noProblems : scan(text, maxDepth);
    return { ...parsed, problems };
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw jsonSyntaxError(text);
  }
}

/** Writes a tree as upstream does (no spaces, no newline). bigint becomes a plain integer. */
export function encodeJson(value: unknown): Buffer {
  return Buffer.from(stringifyJson(value), "utf8");
}

/** The same as text. */
export function stringifyJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // V8 refuses bigint; the slow way is taken only then
    if (!(error instanceof TypeError) || !/bigint/i.test(error.message)) throw error;
    return JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? rawJson(String(item)) : item));
  }
}

// in Node since 22, not yet in TypeScript's library
const rawJson = (text: string): unknown => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);

function parseExactly(text: string): { value: JsonValue; literals: Literals } {
  const literals = new Map<object, Map<string, string>>();
  const reviver = function (this: object, key: string, value: unknown, context: { source?: string }): unknown {
    if (typeof value !== "number" || context.source === undefined) return value;
    const { source } = context;
    if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
    const held = literals.get(this) ?? new Map<string, string>();
    literals.set(this, held.set(key, source));
    return value;
  };
  const value = JSON.parse(text, reviver as (key: string, value: unknown) => unknown) as JsonValue;
  return { value, literals };
}

interface Glance {
  /** Keys of all objects, those that stand twice counted twice. */
  readonly keys: number;
  readonly depth: number;
  /** Whether there is a number that JSON.parse would round or reshape. */
  readonly oddNumbers: boolean;
}

// One pass over the characters, before parsing. Nearly every document is in order, so this only counts; `scan` finds out what is wrong.
// It trusts the syntax (JSON.parse checks it) and only has to stay in step with it.
function glance(text: string): Glance {
  const { length } = text;
  let keys = 0;
  let depth = 0;
  let deepest = 0;
  let oddNumbers = false;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at++;
      for (let inner = text.charCodeAt(at); inner !== 0x22 && at < length; inner = text.charCodeAt(at))
        at += inner === 0x5c ? 2 : 1;
    } else if (code === 0x3a) keys++;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > deepest) deepest = depth;
    } else if (code === 0x7d || code === 0x5d) depth--;
    else if (!oddNumbers && (code === 0x2d || (code >= 0x30 && code <= 0x39))) {
      const end = numberEnd(text, at);
      oddNumbers = isOdd(text, at, end);
      at = end - 1;
    }
  }
  return { keys, depth: deepest, oddNumbers };
}

function keysIn(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += keysIn(item);
  else {
    const object = value as JsonObject;
    for (const key in object) {
      const inner = object[key];
      count++;
      if (typeof inner === "object" && inner !== null) count += keysIn(inner);
    }
  }
  return count;
}

interface Frame {
  /** Keys seen so far; undefined in a list. */
  readonly keys: Set<string> | undefined;
  key: string;
  index: number;
}

/** Keys that stand twice. Throws DecodeError for what is nested too deeply. */
function scan(text: string, maxDepth: number): string[] {
  const problems: string[] = [];
  const stack: Frame[] = [];
  let frame: Frame | undefined;
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      const end = stringEnd(text, at);
      if (end === -1) break;
      if (expectKey && frame?.keys !== undefined) {
        const key = keyOf(text, at, end);
        frame.key = key;
        if (frame.keys.has(key)) {
          if (problems.length < maxProblems) problems.push(`duplicate field "${pathOf(stack)}"`);
        } else frame.keys.add(key);
        expectKey = false;
      }
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      if (stack.length >= maxDepth) throw new DecodeError("exceeded max depth");
      frame = { keys: code === 0x7b ? new Set() : undefined, key: "", index: 0 };
      stack.push(frame);
      expectKey = code === 0x7b;
    } else if (code === 0x7d || code === 0x5d) {
      stack.pop();
      frame = stack.at(-1);
      expectKey = false;
    } else if (code === 0x2c) {
      if (frame?.keys !== undefined) expectKey = true;
      else if (frame !== undefined) frame.index++;
    }
  }
  return problems;
}

/**
 * Puts problems ("unknown field ...", "duplicate field ...") in the order in which the document has them.
 * What is inside an unknown field, or repeats it, is not reported: upstream skips it unread.
 */
export function inDocumentOrder(text: string, problems: readonly string[]): string[] {
  const seen = new Map<string, number>();
  const position = new Map<string, number>();
  eachKey(text, (path, at) => {
    const count = (seen.get(path) ?? 0) + 1;
    seen.set(path, count);
    if (count === 1) position.set(`unknown field "${path}"`, at);
    if (count === 2) position.set(`duplicate field "${path}"`, at);
  });
  const at = (problem: string): number => position.get(problem) ?? Number.MAX_SAFE_INTEGER;
  const unknown = problems
    .filter((problem) => problem.startsWith("unknown field "))
    .map((problem) => problem.slice("unknown field ".length + 1, -1));
  const skipped = (problem: string): boolean => {
    if (!problem.startsWith("duplicate field ")) return false;
    const path = problem.slice("duplicate field ".length + 1, -1);
    return unknown.some((start) => path === start || path.startsWith(`${start}.`) || path.startsWith(`${start}[`));
  };
  return problems.filter((problem) => !skipped(problem)).sort((a, b) => at(a) - at(b));
}

function eachKey(text: string, visit: (path: string, at: number) => void): void {
  const stack: Frame[] = [];
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const frame = stack.at(-1);
    if (code === 0x22) {
      const end = stringEnd(text, at);
      if (end === -1) break;
      if (expectKey && frame !== undefined) {
        frame.key = keyOf(text, at, end);
        visit(pathOf(stack), at);
        expectKey = false;
      }
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      stack.push({ keys: code === 0x7b ? new Set() : undefined, key: "", index: 0 });
      expectKey = code === 0x7b;
    } else if (code === 0x7d || code === 0x5d) {
      stack.pop();
      expectKey = false;
    } else if (code === 0x2c && frame !== undefined) {
      if (frame.keys !== undefined) expectKey = true;
      else frame.index++;
    }
  }
}

function pathOf(stack: readonly Frame[]): string {
  let path = "";
  for (const frame of stack) path += frame.keys === undefined ? `[${frame.index}]` : path === "" ? frame.key : `.${frame.key}`;
  return path;
}

/** Index of the closing quote, -1 without one. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}

function keyOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  if (!raw.includes("\\")) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

function numberEnd(text: string, start: number): number {
  let end = start + 1;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (!((code >= 0x30 && code <= 0x39) || code === 0x2e || code === 0x65 || code === 0x45 || code === 0x2b || code === 0x2d))
      break;
  }
  return end;
}

function isOdd(text: string, start: number, end: number): boolean {
  if (end - start > 15) return true;
  for (let at = start + 1; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x2e || code === 0x65 || code === 0x45) return true;
  }
  return false;
}
