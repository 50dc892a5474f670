// Options declared once, as data: command-line flags, `--help`, the reference page and the types are derived from the declaration.

export type OptionSpec =
  | {
      readonly kind: "string";
      readonly default?: string;
      readonly help: string;
      readonly choices?: readonly string[];
      readonly placeholder?: string;
    }
  | { readonly kind: "integer"; readonly default?: number; readonly help: string; readonly placeholder?: string }
  | { readonly kind: "boolean"; readonly default: boolean; readonly help: string }
  /** Comma-separated, and may be given several times. */
  | { readonly kind: "list"; readonly default: readonly string[]; readonly help: string; readonly placeholder?: string }
  /** Go's notation ("1h30m"); the value is in milliseconds. */
  | { readonly kind: "duration"; readonly default: number; readonly help: string };

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type ValueOf<S extends OptionSpec> = S extends { kind: "string" }
  ? S extends { default: string }
    ? string
    : string | undefined
  : S extends { kind: "integer" }
    ? S extends { default: number }
      ? number
      : number | undefined
    : S extends { kind: "boolean" }
      ? boolean
      : S extends { kind: "list" }
        ? readonly string[]
        : number;

export type OptionValues<T extends OptionSpecs> = { readonly [K in keyof T]: ValueOf<T[K]> };

export const defineOptions = <const T extends OptionSpecs>(specs: T): T => specs;

export class OptionError extends Error {}

/** "maxPods" -> "max-pods" */
export const flagName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The values of `specs` for the given texts (key -> what the user wrote, absent when not given). Throws OptionError. */
export function readOptions<const T extends OptionSpecs>(
  specs: T,
  given: Readonly<Record<string, string | readonly string[] | boolean | undefined>>,
): OptionValues<T> {
  const values: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(specs)) {
    const text = given[key];
    values[key] = text === undefined ? spec.default : parse(flagName(key), spec, text);
  }
  return values as OptionValues<T>;
}

function parse(flag: string, spec: OptionSpec, text: string | readonly string[] | boolean): unknown {
  const single = Array.isArray(text) ? String(text.at(-1)) : String(text);
  switch (spec.kind) {
    case "string":
      if (spec.choices !== undefined && !spec.choices.includes(single))
        throw new OptionError(`Invalid value "${single}" for --${flag}: choose one of ${spec.choices.join(", ")}`);
      return single;
    case "integer":
      if (!/^-?\d{1,15}$/.test(single))
        throw new OptionError(`Invalid value "${single}" for --${flag}: a whole number is wanted`);
      return Number(single);
    case "boolean":
      if (single !== "true" && single !== "false")
        throw new OptionError(`Invalid value "${single}" for --${flag}: true or false is wanted`);
      return single === "true";
    case "list":
      return (Array.isArray(text) ? text : [single])
        .flatMap((item: string) => item.split(","))
        .filter((item: string) => item !== "");
    case "duration": {
      const milliseconds = parseDuration(single);
      if (milliseconds === undefined)
        throw new OptionError(`Invalid value "${single}" for --${flag}: a duration such as 30s, 5m or 1h30m is wanted`);
      return milliseconds;
    }
    default:
      return spec satisfies never;
  }
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's duration notation in milliseconds; undefined where it is not one. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h)/g)) total += Number(amount) * (unitMs[unit ?? ""] ?? 0);
  return total;
}
