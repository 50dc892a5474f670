// What was typed behind `tiphys kubectl`, read as kubectl reads it: flags may stand anywhere, switches join (`-it`) and need no value.
import { flagName, type OptionSpec, type OptionSpecs } from "#base";
import { Failure } from "./failure.ts";

export interface Flags {
  readonly specs: OptionSpecs;
  /** One-letter forms, by key. */
  readonly short: Readonly<Record<string, string>>;
  /** What a flag means that stands without `=value`, by key; switches mean "true". */
  readonly bare: Readonly<Record<string, string>>;
}

export interface Words {
  /** What is not a flag, in order. */
  readonly plain: readonly string[];
  /** How many of `plain` stood before `--`; undefined without one. */
  readonly beforeDashes: number | undefined;
  /** Every value that was given, by key, as typed. */
  readonly given: Readonly<Record<string, readonly string[]>>;
}

/** Throws Failure with kubectl's words for a flag that is not there or lacks its value. */
export function readWords(words: readonly string[], flags: Flags): Words {
  const byName = new Map(Object.keys(flags.specs).map((key) => [flagName(key), key]));
  const byLetter = new Map(Object.entries(flags.short).map(([key, letter]) => [letter, key]));
  const bareOf = (key: string): string | undefined =>
    flags.bare[key] ?? ((flags.specs[key] as OptionSpec).kind === "boolean" ? "true" : undefined);
  const plain: string[] = [];
  const given: Record<string, string[]> = {};
  let beforeDashes: number | undefined;
  let at = 0;
  const add = (key: string, value: string): void => {
    given[key] ??= [];
    given[key].push(value);
  };
  const valueFor = (key: string, shown: string): string => {
    const value = bareOf(key) ?? words[at++];
    if (value === undefined) throw new Failure(`error: flag needs an argument: ${shown}`);
    return value;
  };
  const readLong = (word: string): void => {
    const [, name = "", value] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    const key = byName.get(name);
    if (key === undefined) throw new Failure(`error: unknown flag: --${name}`);
    add(key, value ?? valueFor(key, `--${name}`));
  };
  const readShort = (word: string): void => {
    for (let letters = word.slice(1); letters !== ""; ) {
      const letter = letters[0] as string; // not empty
      const key = byLetter.get(letter);
      if (key === undefined) throw new Failure(`error: unknown shorthand flag: '${letter}' in -${letters}`);
      const rest = letters.slice(1);
      const joined = rest.startsWith("=") ? rest.slice(1) : bareOf(key) === undefined && rest !== "" ? rest : undefined;
      add(key, joined ?? valueFor(key, `'${letter}' in -${letters}`));
      letters = joined === undefined ? rest : "";
    }
  };

  while (at < words.length) {
    const word = words[at++] as string; // at < length
    if (word === "--") {
      beforeDashes = plain.length;
      plain.push(...words.slice(at));
      break;
    }
    if (word.startsWith("--")) readLong(word);
    else if (word.startsWith("-") && word !== "-") readShort(word);
    else plain.push(word);
  }
  return { plain, beforeDashes, given };
}
