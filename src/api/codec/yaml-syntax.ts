// Says what is wrong with a YAML text in the words of Go's library, as far as the two parsers see the same fault.
import type { YAMLException } from "js-yaml";
import { DecodeError } from "./errors.ts";

const rules: readonly { readonly pattern: RegExp; readonly text: string; readonly line: "none" | "here" | "before" }[] = [
  { pattern: /unidentified alias "(.*)"/, text: "unknown anchor '$1' referenced", line: "none" },
  {
    pattern: /tab characters|character.*cannot start|end of the stream or a document separator is expected/,
    text: "found character that cannot start any token",
    line: "none",
  },
  {
    pattern: /unexpected end of the stream within a (single|double) quoted scalar/,
    text: "found unexpected end of stream",
    line: "none",
  },
  { pattern: /missed comma between flow collection entries/, text: "did not find expected ',' or ']'", line: "here" },
  { pattern: /unexpected end of the stream within a flow collection/, text: "did not find expected node content", line: "here" },
  {
    pattern: /bad indentation of a mapping entry|mapping values are not allowed|nested mappings are not allowed/,
    text: "mapping values are not allowed in this context",
    line: "here",
  },
  { pattern: /bad indentation of a sequence entry/, text: "did not find expected '-' indicator", line: "here" },
  {
    pattern: /can not read a block mapping entry|can not read an implicit mapping pair/,
    text: "could not find expected ':'",
    line: "here",
  },
  { pattern: /nesting exceeded maxDepth|maxDepth/, text: "exceeded max depth of 1000", line: "none" },
  { pattern: /aliases/, text: "document contains excessive aliasing", line: "none" },
];

/** The error for a text that is not YAML: "yaml: line 2: mapping values are not allowed in this context". */
export function yamlSyntaxError(error: YAMLException, text: string): DecodeError {
  const flow = flowError(error, text);
  if (flow !== undefined) return new DecodeError(`yaml: ${flow}`);
  for (const { pattern, text: template, line } of rules) {
    const match = pattern.exec(error.reason);
    if (match === null) continue;
    const number = (error.mark?.line ?? 0) + 1;
    // Go leaves the number out on the first line
    const where = line === "none" || (number <= 1 && !template.startsWith("did not")) ? "" : `line ${number}: `;
    return new DecodeError(`yaml: ${where}${template.replace("$1", match[1] ?? "")}`);
  }
  return new DecodeError(`yaml: ${error.mark === undefined ? "" : `line ${error.mark.line + 1}: `}${error.reason}`);
}

// an unclosed flow collection: Go names the bracket that is open
function flowError(error: YAMLException, text: string): string | undefined {
  if (!/within a flow collection/.test(error.reason)) return undefined;
  const open: string[] = [];
  for (const char of text) {
    if (char === "{" || char === "[") open.push(char);
    if (char === "}" || char === "]") open.pop();
  }
  const last = open.at(-1);
  const line = `line ${(error.mark?.line ?? 0) + 1}: `;
  if (last === undefined) return undefined;
  if (/[[{,]\s*$/.test(text)) return `${line}did not find expected node content`;
  return `${line}did not find expected ',' or '${last === "{" ? "}" : "]"}'`;
}
