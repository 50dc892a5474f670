// What commands that write have in common: --dry-run, --field-manager, --validate and -o.
import { defineOptions } from "#base";
import type { WriteOptions } from "#client";
import { Failure } from "./failure.ts";

export const dryRunFlags = defineOptions({
  dryRun: {
    kind: "string",
    default: "none",
    help: "client: only show; server: the server checks all and writes nothing",
    placeholder: "none|client|server",
  },
  output: { kind: "string", help: "json, yaml, name or jsonpath=TEMPLATE", placeholder: "FORM" },
});

export const writeFlags = defineOptions({
  ...dryRunFlags,
  fieldManager: { kind: "string", help: "Who is noted as the manager of the fields", placeholder: "NAME" },
  validate: {
    kind: "string",
    default: "strict",
    help: "Unknown fields: strict (or true), warn, ignore (or false)",
    placeholder: "HOW",
  },
});

export const writeShort = { output: "o" } as const;
/** Without a value `--dry-run` means client, `--validate` strict. */
export const writeBare = { dryRun: "client", validate: "strict" } as const;
export const dryRunBare = { dryRun: "client" } as const;

export type DryRun = "none" | "client" | "server";

export function readDryRun({ dryRun }: { readonly dryRun: string }): DryRun {
  if (dryRun === "none" || dryRun === "client" || dryRun === "server") return dryRun;
  throw new Failure(`error: Invalid dry-run value (${dryRun}). Must be "none", "server", or "client".`);
}

/** " (dry run)": what is said behind the deed. */
export const dryRunNote = (dryRun: DryRun): string =>
  dryRun === "none" ? "" : dryRun === "client" ? " (dry run)" : " (server dry run)";

const validations: Readonly<Record<string, NonNullable<WriteOptions["fieldValidation"]>>> = {
  strict: "Strict",
  true: "Strict",
  warn: "Warn",
  ignore: "Ignore",
  false: "Ignore",
};

export function readValidation({ validate }: { readonly validate: string }): NonNullable<WriteOptions["fieldValidation"]> {
  const found = validations[validate.toLowerCase()];
  if (found === undefined)
    throw new Failure(`error: invalid --validate "${validate}": strict (or true), warn or ignore (or false) is wanted`);
  return found;
}
