// Turns declared options into commander's flags and what the user wrote back into values.
import { type Command, Option } from "commander";
import { flagName, type OptionSpec, type OptionSpecs, type OptionValues, readOptions } from "#base";

/** Adds a flag per option. `short` gives one-letter forms, by key. */
export function addFlags(command: Command, specs: OptionSpecs, short: Readonly<Record<string, string>> = {}): Command {
  for (const [key, spec] of Object.entries(specs)) command.addOption(toOption(key, spec, short[key]));
  return command;
}

function toOption(key: string, spec: OptionSpec, short: string | undefined): Option {
  const name = `${short === undefined ? "" : `-${short}, `}--${flagName(key)}`;
  const help =
    spec.default === undefined || spec.kind === "list" || spec.default === false
      ? spec.help
      : `${spec.help} (default ${spec.kind === "duration" ? `${Number(spec.default) / 1000}s` : String(spec.default)})`;
  if (spec.kind === "boolean") return new Option(`${name} [value]`, help).preset("true");
  const placeholder =
    "placeholder" in spec && spec.placeholder !== undefined
      ? spec.placeholder
      : {
          string: spec.kind === "string" && spec.choices !== undefined ? spec.choices.join("|") : "TEXT",
          integer: "N",
          list: "LIST",
          duration: "DURATION",
        }[spec.kind];
  const option = new Option(`${name} <${placeholder}>`, help);
  if (spec.kind === "list") option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  return option;
}

/** What commander collected, as typed values. Throws OptionError. */
export const readFlags = <const T extends OptionSpecs>(specs: T, command: Command): OptionValues<T> =>
  readOptions(specs, command.opts<Record<string, string | string[] | boolean | undefined>>());

/** commander reads `-o=json` as "=json": written with a space it is what was meant. What follows `--` is not ours. */
export function normaliseArguments(argv: readonly string[]): string[] {
  const end = argv.indexOf("--") < 0 ? argv.length : argv.indexOf("--");
  const ours = argv.slice(0, end).flatMap((argument) => {
    const match = /^(-[a-zA-Z])=(.*)$/.exec(argument);
    return match === null ? [argument] : [match[1] as string, match[2] as string];
  });
  return [...ours, ...argv.slice(end)];
}
