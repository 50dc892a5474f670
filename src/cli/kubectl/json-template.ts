// kubectl's JSON path templates: text with `{.path}`, `{range .path}...{end}` and `{"quoted\n"}` in it.
import { parsePath, valuesAt } from "#api";
import { Failure } from "./failure.ts";
import { compactJson } from "./json-text.ts";

type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "value"; readonly path: NonNullable<ReturnType<typeof parsePath>> }
  | { readonly kind: "range"; readonly path: NonNullable<ReturnType<typeof parsePath>>; readonly body: readonly Part[] };

/** A template as a function of the object. Throws Failure where it cannot be read. */
export function jsonTemplate(text: string): (object: unknown) => string {
  // without braces the whole is a path
  const whole = /[{}]/.test(text) ? text : `{${text.startsWith(".") ? "" : "."}${text}}`;
  const pieces = [...whole.matchAll(/\{((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^{}"'])*)\}|([^{}]+)|([\s\S])/g)];
  const { parts, rest } = readParts(pieces, text);
  if (rest.length > 0) throw new Failure(`error: error parsing jsonpath ${text}, not in range, nothing to end`);
  return (object) => render(parts, object);
}

function readParts(pieces: readonly RegExpMatchArray[], text: string): { parts: Part[]; rest: readonly RegExpMatchArray[] } {
  const parts: Part[] = [];
  for (let at = 0; at < pieces.length; at++) {
    const [, inside, plain] = pieces[at] as RegExpMatchArray; // at < length
    if (plain !== undefined) parts.push({ kind: "text", text: plain });
    else if (inside === undefined) throw new Failure(`error: error parsing jsonpath ${text}, unclosed action`);
    else if (/^\s*end\s*$/.test(inside)) return { parts, rest: pieces.slice(at) };
    else if (/^\s*range\s/.test(inside)) {
      const { parts: body, rest } = readParts(pieces.slice(at + 1), text);
      if (rest.length === 0) throw new Failure(`error: error parsing jsonpath ${text}, unterminated range`);
      parts.push({ kind: "range", path: pathOf(inside.trim().slice("range".length), text), body });
      at = pieces.length - rest.length;
    } else if (/^\s*["']/.test(inside)) parts.push({ kind: "text", text: unquoted(inside.trim()) });
    else parts.push({ kind: "value", path: pathOf(inside, text) });
  }
  return { parts, rest: [] };
}

function pathOf(text: string, template: string): NonNullable<ReturnType<typeof parsePath>> {
  const plain = text.trim().replace(/^[@$]/, "");
  const path = parsePath(plain.startsWith(".") || plain.startsWith("[") || plain === "" ? plain : `.${plain}`);
  if (path === undefined) throw new Failure(`error: error parsing jsonpath ${template}, unrecognized path "${text.trim()}"`);
  return path;
}

const unquoted = (text: string): string =>
  text.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => ({ n: "\n", t: "\t", r: "\r" })[letter] ?? letter);

const render = (parts: readonly Part[], object: unknown): string => parts.map((part) => renderPart(part, object)).join("");

function renderPart(part: Part, object: unknown): string {
  if (part.kind === "text") return part.text;
  const values = valuesAt(object, part.path);
  if (part.kind === "value") return values.map(valueText).join(" ");
  return values
    .flatMap((value) => (Array.isArray(value) && part.path.at(-1)?.kind !== "all" ? value : [value]))
    .map((value) => render(part.body, value))
    .join("");
}

const valueText = (value: unknown): string => (typeof value === "object" ? compactJson(value) : String(value));
