// `node scripts/flags.ts`: writes docs/reference/flags.md from the declared options; flags.test.ts holds the page to them.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command, Option } from "commander";
import { commandLine } from "../src/cli/command-line.ts";

export const page = join(import.meta.dirname, "../docs/reference/flags.md");

export const flagsPage = (): string => `# Flags

Every command of \`bin/tiphys\` and its flags, made from their declarations by \`node scripts/flags.ts\`. Lists are comma-separated and may be given several times; durations are written as in Go
(\`1h30m\`). Components have upstream's flag names where upstream has the flag.
${sections(commandLine(), "tiphys").join("")}`;

function sections(command: Command, path: string): string[] {
  return command.commands.flatMap((each) => {
    const name = `${path} ${each.name()}`;
    const words = [name, ...each.registeredArguments.map((argument) => `<${argument.name()}>`)].join(" ");
    const rows = each.options.map(row);
    const table = rows.length === 0 ? "" : `\n| flag | default | meaning |\n| --- | --- | --- |\n${rows.join("")}`;
    return [`\n## ${words}\n\n${each.description()}.\n${table}`, ...sections(each, name)];
  });
}

function row({ flags, description }: Option): string {
  const [, meaning = description, standard = ""] = /^(.*) \(default ([^()]*)\)$/.exec(description) ?? [];
  return `| ${[code(flags), standard === "" ? "" : code(standard), meaning].map(escaped).join(" | ")} |\n`;
}

const code = (text: string): string => `\`${text}\``;
const escaped = (text: string): string => text.replaceAll("|", "\\|");

if (import.meta.main) {
  mkdirSync(dirname(page), { recursive: true });
  writeFileSync(page, flagsPage());
}
