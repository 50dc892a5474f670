// The JSON paths of printer columns, selectable fields, scale and kubectl: ".spec.a", ".status.conditions[?(@.type=='Ready')].status", ".items[0]", ".list[*].x".

export type PathStep =
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "all" }
  | { readonly kind: "filter"; readonly path: readonly string[]; readonly value: string };

const stepPattern =
  /^(?:\.([A-Za-z0-9_$-]+)|\['([^']+)'\]|\.?\[(-?\d+)\]|\.?\[\*\]|\.\*|\[\?\(@\.([A-Za-z0-9_.-]+)\s*==\s*(?:"([^"]*)"|'([^']*)')\)\])/;

/** Undefined when the path is not of these forms. Escaped dots (`.metadata.labels.a\.b`) are read as part of a name. */
export function parsePath(text: string): readonly PathStep[] | undefined {
  const steps: PathStep[] = [];
  let rest = text.startsWith("$") ? text.slice(1) : text;
  while (rest !== "" && rest !== ".") {
    const escaped = /^\.((?:[^.[\]\\]|\\.)+)/.exec(rest);
    const match = stepPattern.exec(rest);
    if (escaped?.[0].includes("\\") === true) {
      steps.push({ kind: "field", name: (escaped[1] as string).replace(/\\(.)/g, "$1") });
      rest = rest.slice(escaped[0].length);
      continue;
    }
    if (match === null) return undefined;
    const [whole, field, quoted, index, path, double, single] = match;
    if (field !== undefined || quoted !== undefined) steps.push({ kind: "field", name: (field ?? quoted) as string });
    else if (index !== undefined) steps.push({ kind: "index", index: Number(index) });
    else if (path !== undefined) steps.push({ kind: "filter", path: path.split("."), value: double ?? single ?? "" });
    else steps.push({ kind: "all" });
    rest = rest.slice(whole.length);
  }
  return steps;
}

/** All values that the path finds. */
export function valuesAt(object: unknown, steps: readonly PathStep[]): unknown[] {
  let found: unknown[] = [object];
  for (const step of steps) found = found.flatMap((value) => next(value, step));
  return found;
}

function next(value: unknown, step: PathStep): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  switch (step.kind) {
    case "field":
      return Object.hasOwn(value, step.name) ? [(value as Record<string, unknown>)[step.name]] : [];
    case "index": {
      const item = Array.isArray(value) ? value.at(step.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case "all":
      return Object.values(value);
    case "filter":
      return (Array.isArray(value) ? value : []).filter((item: unknown) => {
        const actual = step.path.reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], item);
        return String(actual) === step.value;
      });
    default:
      return step satisfies never;
  }
}

/** A dotted path as a plain list of names (".spec.replicas"), for writing. */
export const fieldNames = (path: string): readonly string[] => path.replace(/^\./, "").split(".");
