// What a command is: its flags as data, and what it does.
import type { OptionSpecs, OptionValues } from "#base";
import type { GlobalOptions } from "./global-flags.ts";
import type { Session } from "./session.ts";
import type { Words } from "./words.ts";

export interface Invocation<Options> {
  readonly session: Session;
  readonly words: Words;
  readonly options: Options & GlobalOptions;
}

export interface Command {
  /** One word or more: "create service clusterip". */
  readonly name: string;
  readonly aliases: readonly string[];
  /** Behind the name: "TYPE [NAME...]". */
  readonly usage: string;
  readonly summary: string;
  readonly options: OptionSpecs;
  readonly short: Readonly<Record<string, string>>;
  /** What a flag means without a value. */
  readonly bare: Readonly<Record<string, string>>;
  /** Resolves to the exit code; undefined is 0. */
  run(invocation: Invocation<Readonly<Record<string, unknown>>>): Promise<number | undefined>;
}

interface Declared<T extends OptionSpecs> {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly usage: string;
  readonly summary: string;
  readonly options: T;
  readonly short?: Readonly<Partial<Record<keyof T & string, string>>>;
  readonly bare?: Readonly<Partial<Record<keyof T & string, string>>>;
  readonly run: (invocation: Invocation<OptionValues<T>>) => Promise<number | undefined>;
}

/** A command with the types of its options. */
export function defineCommand<const T extends OptionSpecs>({ short, bare, aliases = [], run, ...rest }: Declared<T>): Command {
  return {
    ...rest,
    aliases,
    short: { ...(short as Readonly<Record<string, string>> | undefined) },
    bare: { ...(bare as Readonly<Record<string, string>> | undefined) },
    // the caller reads the options by `rest.options`, which is what T is made of
    run: (invocation) => run(invocation as unknown as Invocation<OptionValues<T>>),
  };
}
