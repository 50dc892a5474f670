// Label selectors: the text form of the query string, the object form of specs, and matching (k8s.io/apimachinery/pkg/labels).
import { own } from "#base";
import { badRequest } from "./errors.ts";
import { isLabelKey, isLabelValue } from "./names.ts";
import type { LabelSelector } from "./types/mod.ts";

export type SelectorOperator = "in" | "notin" | "=" | "==" | "!=" | "exists" | "!" | "gt" | "lt";

export interface Requirement {
  readonly key: string;
  readonly operator: SelectorOperator;
  /** Sorted. */
  readonly values: readonly string[];
}

/** All requirements must hold. Empty: everything matches; "nothing": nothing does. */
export type Selector = readonly Requirement[] | "nothing";

export type Labels = Readonly<Record<string, string>>;

export const everything: Selector = [];
export const nothing: Selector = "nothing";

const int64 = (text: string): bigint | undefined => {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return value >= -(2n ** 63n) && value < 2n ** 63n ? value : undefined;
};

function requirementMatches(requirement: Requirement, labels: Labels): boolean {
  const value = own(labels, requirement.key);
  switch (requirement.operator) {
    case "=":
    case "==":
    case "in":
      return value !== undefined && requirement.values.includes(value);
    case "!=":
    case "notin":
      return value === undefined || !requirement.values.includes(value);
    case "exists":
      return value !== undefined;
    case "!":
      return value === undefined;
    case "gt":
    case "lt": {
      const actual = value === undefined ? undefined : int64(value);
      const wanted = int64(requirement.values[0] ?? "");
      if (actual === undefined || wanted === undefined) return false;
      return requirement.operator === "gt" ? actual > wanted : actual < wanted;
    }
    default:
      return requirement.operator satisfies never;
  }
}

const noLabels: Labels = {};

export function selectorMatches(selector: Selector, labels: Labels | undefined): boolean {
  if (selector === "nothing") return false;
  for (const requirement of selector) if (!requirementMatches(requirement, labels ?? noLabels)) return false;
  return true;
}

/** Canonical text, as upstream writes a selector into `status.selector` and logs. */
export function selectorText(selector: Selector): string {
  if (selector === "nothing") return "";
  return selector
    .map((requirement) => {
      const { key, operator, values } = requirement;
      switch (operator) {
        case "exists":
          return key;
        case "!":
          return `!${key}`;
        case "in":
        case "notin":
          return `${key} ${operator} (${[...values].sort().join(",")})`;
        case "gt":
          return `${key}>${values[0]}`;
        case "lt":
          return `${key}<${values[0]}`;
        default:
          return `${key}${operator}${values[0] ?? ""}`;
      }
    })
    .join(",");
}

/** The selector of an object's `spec.selector`. An absent selector matches nothing, an empty one everything (as upstream). */
export function labelSelector(selector: LabelSelector | undefined): Selector {
  if (selector === undefined || selector === null) return nothing;
  const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: "in",
    values: [value],
  }));
  const operators: Readonly<Record<string, SelectorOperator>> = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!" };
  for (const expression of selector.matchExpressions ?? []) {
    const operator = operators[expression.operator];
    if (operator === undefined) throw new Error(`"${expression.operator}" is not a valid label selector operator`);
    requirements.push({ key: expression.key, operator, values: [...(expression.values ?? [])].sort() });
  }
  return requirements.sort(byKey);
}

/** The selector of a plain map (Service, ReplicationController): every pair must be there; an empty map matches nothing when `emptyMatches` is false. */
export const setSelector = (set: Labels): Selector =>
  Object.keys(set)
    .sort()
    .map((key): Requirement => ({ key, operator: "=", values: [set[key] ?? ""] }));

const byKey = (a: Requirement, b: Requirement): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

// The text form. Upstream's grammar: requirements separated by commas; `=`, `==`, `!=`, `in (..)`, `notin (..)`, `<`, `>`, `key`, `!key`.

type TokenKind = "identifier" | "in" | "notin" | "=" | "==" | "!=" | "!" | "<" | ">" | "(" | ")" | "," | "end";
interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const space = /[ \t\r\n]/;
const special = new Set(["=", "!", "(", ")", ",", ">", "<"]);
const symbols = new Set(["=", "==", "!=", "!", "<", ">", "(", ")", ","]);

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const characters = [...text];
  let i = 0;
  while (i < characters.length) {
    const character = characters[i] as string;
    if (space.test(character)) {
      i++;
    } else if (special.has(character)) {
      const two = character + (characters[i + 1] ?? "");
      if (two === "==" || two === "!=") {
        tokens.push({ kind: two, text: two });
        i += 2;
      } else {
        tokens.push({ kind: symbols.has(character) ? (character as TokenKind) : "identifier", text: character });
        i++;
      }
    } else {
      let word = "";
      while (i < characters.length && !space.test(characters[i] as string) && !special.has(characters[i] as string))
        word += characters[i++];
      tokens.push({ kind: word === "in" || word === "notin" ? word : "identifier", text: word });
    }
  }
  tokens.push({ kind: "end", text: "" });
  return tokens;
}

/** Inside values and keys the words "in" and "notin" are ordinary names. */
const asValue = (token: Token): Token =>
  token.kind === "in" || token.kind === "notin" ? { kind: "identifier", text: token.text } : token;

class Unparsable extends Error {}

/** Parses "a=b,c in (d,e),!f". Throws BadRequest with upstream's text. */
export function parseSelector(text: string): Selector {
  try {
    return parse(tokenize(text)).sort(byKey);
  } catch (error) {
    if (error instanceof Unparsable) throw badRequest(error.message);
    throw error;
  }
}

function parse(tokens: readonly Token[]): Requirement[] {
  let at = 0;
  const peek = (): Token => asValue(tokens[Math.min(at, tokens.length - 1)] as Token);
  const peekOperator = (): Token => tokens[Math.min(at, tokens.length - 1)] as Token;
  const next = (): Token => {
    const token = peek();
    at++;
    return token;
  };
  const requirements: Requirement[] = [];
  for (;;) {
    const token = peek();
    if (token.kind === "identifier" || token.kind === "!") {
      try {
        requirements.push(parseRequirement({ peek, peekOperator, next }));
      } catch (error) {
        throw new Unparsable(`unable to parse requirement: ${(error as Error).message}`);
      }
      const after = next();
      if (after.kind === "end") return requirements;
      if (after.kind !== ",") throw new Unparsable(`found '${after.text}', expected: ',' or 'end of string'`);
      const following = peek();
      if (following.kind !== "identifier" && following.kind !== "!")
        throw new Unparsable(`found '${following.text}', expected: identifier after ','`);
    } else if (token.kind === "end") {
      return requirements;
    } else {
      throw new Unparsable(`found '${token.text}', expected: !, identifier, or 'end of string'`);
    }
  }
}

interface Cursor {
  peek(): Token;
  peekOperator(): Token;
  next(): Token;
}

function parseRequirement(cursor: Cursor): Requirement {
  let negated = false;
  let token = cursor.next();
  if (token.kind === "!") {
    negated = true;
    token = cursor.next();
  }
  if (token.kind !== "identifier") throw new Unparsable(`found '${token.text}', expected: identifier`);
  const key = token.text;
  const keyErrors = isLabelKey(key);
  if (keyErrors.length > 0) throw new Unparsable(`<nil>: Invalid value: ${JSON.stringify(key)}: ${keyErrors.join("; ")}`);
  const ahead = cursor.peek();
  if (negated) return { key, operator: "!", values: [] };
  if (ahead.kind === "end" || ahead.kind === ",") return { key, operator: "exists", values: [] };
  const symbol = cursor.peekOperator();
  cursor.next();
  switch (symbol.kind) {
    case "in":
    case "notin":
      return checked({ key, operator: symbol.kind, values: parseValues(cursor) });
    case "=":
    case "==":
    case "!=":
      return checked({ key, operator: symbol.kind, values: [parseExactValue(cursor)] });
    case ">":
    case "<":
      return checked({ key, operator: symbol.kind === ">" ? "gt" : "lt", values: [parseExactValue(cursor)] });
    default:
      throw new Unparsable(`found '${symbol.text}', expected: in, notin, =, ==, !=, gt, lt`);
  }
}

function parseExactValue(cursor: Cursor): string {
  const ahead = cursor.peek();
  if (ahead.kind === "end" || ahead.kind === ",") return "";
  const token = cursor.next();
  if (token.kind !== "identifier") throw new Unparsable(`found '${token.text}', expected: identifier`);
  return token.text;
}

function parseValues(cursor: Cursor): string[] {
  const open = cursor.next();
  if (open.kind !== "(") throw new Unparsable(`found '${open.text}' expected: '('`);
  const values = new Set<string>();
  const first = cursor.peek();
  if (first.kind !== "identifier" && first.kind !== ",") {
    const close = cursor.next();
    if (close.kind !== ")") throw new Unparsable(`found '${close.text}', expected: ',', ')' or identifier`);
    return [""];
  }
  for (;;) {
    const token = cursor.next();
    if (token.kind === "identifier") {
      values.add(token.text);
      const ahead = cursor.peek();
      if (ahead.kind === ",") continue;
      if (ahead.kind === ")") break;
      throw new Unparsable(`found '${ahead.text}', expected: ',' or ')'`);
    }
    if (token.kind === ",") {
      if (values.size === 0) values.add("");
      const ahead = cursor.peek();
      if (ahead.kind === ")") {
        values.add("");
        break;
      }
      if (ahead.kind === ",") {
        cursor.next();
        values.add("");
      }
      continue;
    }
    throw new Unparsable(`found '${token.text}', expected: ',', or identifier`);
  }
  const close = cursor.next();
  if (close.kind !== ")") throw new Unparsable(`found '${close.text}', expected: ')'`);
  return [...values].sort();
}

function checked(requirement: Requirement): Requirement {
  const { key, operator, values } = requirement;
  if (operator === "gt" || operator === "lt")
    for (const [i, value] of values.entries())
      if (int64(value) === undefined)
        throw new Unparsable(
          `values[${i}]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
        );
  for (const [i, value] of values.entries()) {
    const errors = isLabelValue(value);
    if (errors.length > 0)
      throw new Unparsable(`values[${i}][${key}]: Invalid value: ${JSON.stringify(value)}: ${errors.join("; ")}`);
  }
  return requirement;
}
