// `tiphys kubectl`: finds the command, reads its flags, runs it, and says what went wrong in kubectl's words.
import { flagName, OptionError, type OptionSpecs, readOptions } from "#base";
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { describeError, Failure } from "./failure.ts";
import { globalFlags, globalShort } from "./global-flags.ts";
import { Session, type Terminal } from "./session.ts";
import { readWords, type Words } from "./words.ts";

/** Runs one command line and resolves to its exit code. Never rejects. */
export async function runKubectl(argv: readonly string[], terminal: Terminal): Promise<number> {
  let session: Session | undefined;
  try {
    const { command, rest } = choose(argv);
    if (command === undefined) {
      terminal.out(overview());
      return 0;
    }
    const specs: OptionSpecs = { ...globalFlags, ...command.options };
    const words = read(command, rest, specs);
    const options = readOptions(specs, words.given) as ReturnType<typeof readOptions<typeof globalFlags>>;
    if (options.help) {
      terminal.out(help(command));
      return 0;
    }
    session = new Session(options, terminal);
    return (await command.run({ session, words, options })) ?? 0;
  } catch (error) {
    if (terminal.signal.aborted) return 130;
    const message = error instanceof OptionError ? `error: ${error.message}` : describeError(error, session?.server);
    terminal.error(message.endsWith("\n") ? message : `${message}\n`);
    return error instanceof Failure ? error.exitCode : 1;
  } finally {
    await session?.[Symbol.asyncDispose]();
  }
}

function read(command: Command, rest: readonly string[], specs: OptionSpecs): Words {
  try {
    return readWords(rest, { specs, short: { ...globalShort, ...command.short }, bare: command.bare });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`${error.message}\nSee 'tiphys kubectl ${command.name} --help' for usage.`);
  }
}

/** The command with the most words of its name: "create service clusterip". Global flags may stand before and between them. */
function choose(argv: readonly string[]): { command: Command | undefined; rest: readonly string[] } {
  const places: number[] = [];
  let command: Command | undefined;
  let taken: readonly number[] = [];
  for (let at = nextPlain(argv, 0); at !== undefined; at = nextPlain(argv, at + 1)) {
    places.push(at);
    const name = places.map((place) => argv[place]).join(" ");
    const found = commands.find((one) => one.name === name || one.aliases.includes(name));
    if (found !== undefined) [command, taken] = [found, [...places]];
    else if (!commands.some((one) => [one.name, ...one.aliases].some((other) => other.startsWith(`${name} `)))) break;
  }
  if (command !== undefined) return { command, rest: argv.filter((_, index) => !taken.includes(index)) };
  const [first = argv.length] = places;
  const name = argv[first] ?? "help";
  if (name === "help") return { command: undefined, rest: [] };
  const known = commands.filter((one) => one.name.startsWith(`${name} `)).map((one) => one.name);
  if (known.length > 0) throw new Failure(`error: "tiphys kubectl ${name}" needs one more word: ${known.join(", ")}`);
  throw new Failure(
    `error: unknown command "${name}" for "tiphys kubectl", which has ${[...new Set(commands.map((one) => one.name.split(" ")[0]))].join(", ")}: use the real kubectl for the rest (docs/kubectl.md says how to get it)`,
  );
}

/** Where the next word stands that is no global flag and no value of one. */
function nextPlain(argv: readonly string[], from: number): number | undefined {
  for (let end = from + 1; end <= argv.length; end++) {
    if (argv[end - 1] === "--") return undefined;
    try {
      if (readWords(argv.slice(from, end), { specs: globalFlags, short: globalShort, bare: {} }).plain.length > 0) return end - 1;
    } catch (error) {
      const lacksValue = error instanceof Failure && error.message.startsWith("error: flag needs an argument");
      if (!lacksValue) return undefined;
    }
  }
  return undefined;
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return `tiphys kubectl is a small kubectl for a machine that has none. Its commands:

${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("")}
Flags of a command: tiphys kubectl COMMAND --help. For everything else use the real kubectl: it works unchanged with this cluster.
`;
}

function help(command: Command): string {
  const lines = (specs: OptionSpecs, short: Readonly<Record<string, string>>): string =>
    Object.entries(specs)
      .map(([key, spec]) => {
        const letter = short[key] === undefined ? "    " : `-${short[key]}, `;
        const value = spec.kind === "boolean" ? "" : ` ${("placeholder" in spec && spec.placeholder) || spec.kind.toUpperCase()}`;
        return `  ${letter}--${flagName(key)}${value}\n        ${spec.help}\n`;
      })
      .join("");
  return `${command.summary}

Usage: tiphys kubectl ${command.name} ${command.usage}

${lines(command.options, command.short)}
Flags of every command:
${lines(globalFlags, globalShort)}`;
}
