// Field selectors: "metadata.name=a,status.phase!=Running" (k8s.io/apimachinery/pkg/fields).
import { badRequest } from "./errors.ts";

export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** All must hold. */
export type FieldSelector = readonly FieldRequirement[];

/** Splits at commas that no backslash protects. */
function terms(text: string): string[] {
  const found: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === ",") {
      found.push(text.slice(start, i));
      start = i + 1;
    }
  }
  if (text !== "") found.push(text.slice(start));
  return found;
}

function unescapeValue(text: string): string {
  let value = "";
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character === "\\") {
      const escaped = text[++i];
      if (escaped === undefined) throw badRequest(`invalid field selector: invalid escape sequence: \\`);
      if (escaped !== "\\" && escaped !== "," && escaped !== "=")
        throw badRequest(`invalid field selector: invalid escape sequence: \\${escaped}`);
      value += escaped;
    } else if (character === "," || character === "=") {
      throw badRequest(`invalid field selector: unescaped character in value: ${character}`);
    } else value += character;
  }
  return value;
}

/** Parses a field selector. Throws BadRequest with upstream's text. Whether a field may be selected on is the resource's business. */
export function parseFieldSelector(text: string): FieldSelector {
  const selector: FieldRequirement[] = [];
  for (const term of terms(text)) {
    if (term === "") continue;
    const found = split(term);
    if (found === undefined) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const requirement: FieldRequirement = {
      field: found.field,
      operator: found.operator === "!=" ? "!=" : "=",
      value: unescapeValue(found.value),
    };
    if (requirement.field === "" && requirement.value === "") continue;
    selector.push(requirement);
  }
  return selector;
}

function split(term: string): { field: string; operator: string; value: string } | undefined {
  for (let i = 0; i < term.length; i++)
    for (const operator of ["!=", "==", "="])
      if (term.startsWith(operator, i)) return { field: term.slice(0, i), operator, value: term.slice(i + operator.length) };
  return undefined;
}

const escapeValue = (value: string): string => value.replace(/[\\,=]/g, (character) => `\\${character}`);

export const fieldSelectorText = (selector: FieldSelector): string =>
  selector.map(({ field, operator, value }) => `${field}${operator}${escapeValue(value)}`).join(",");

/** `valueOfField` gives a field's value ("" when unset). */
export function fieldSelectorMatches(selector: FieldSelector, valueOfField: (field: string) => string): boolean {
  for (const { field, operator, value } of selector) if ((valueOfField(field) === value) !== (operator === "=")) return false;
  return true;
}
