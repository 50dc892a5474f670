// `tiphys etcd ...`: the subcommands beside the server of the same name.
import type { Command } from "commander";
import { defineOptions, type OptionSpecs, type OptionValues } from "#base";
import { addFlags, readFlags } from "../flags.ts";
import { printEnvironment } from "./env.ts";
import { migrate, migrateOptions } from "./migrate.ts";
import { placeOptions } from "./place.ts";
import { printPlan } from "./plan.ts";
import { formOptions, restore, restoreOptions, save, status } from "./snapshot.ts";
import { check, compact, compactOptions } from "./upkeep.ts";

const planOptions = defineOptions({ members: { kind: "integer", default: 3, help: "Members of the etcd cluster" } });

export function addEtcd(root: Command): void {
  const etcd = root.commands.find((command) => command.name() === "etcd");
  if (etcd === undefined) throw new Error("Broken invariant: the program etcd is not registered");
  // --data-dir behind a subcommand is that subcommand's.
  etcd.enablePositionalOptions();

  addAction(etcd.command("env").description("Print the environment of etcdctl, for eval"), placeOptions, printEnvironment);
  addAction(etcd.command("check").description("Hold every row of a stopped store against its checksum"), placeOptions, check);
  addAction(
    etcd.command("compact").description("Forget old revisions of a stopped store and shrink its file"),
    compactOptions,
    compact,
  );
  addAction(etcd.command("plan").description("Show how many members may fail"), planOptions, printPlan);
  addAction(
    etcd.command("migrate").description("Copy a store with all its revisions to another, verified by hash"),
    migrateOptions,
    migrate,
  );

  const snapshot = etcd.command("snapshot").description("Snapshots, as etcdctl's");
  addFileAction(snapshot.command("save").description("Save a snapshot of a store, running or not"), placeOptions, save);
  addFileAction(snapshot.command("status").description("Read all of a snapshot and say what it holds"), formOptions, status);
  addFileAction(snapshot.command("restore").description("Make a data directory from a snapshot"), restoreOptions, restore);
}

type Action<A extends readonly unknown[]> = (...args: A) => void | Promise<void>;

function addAction<const T extends OptionSpecs>(command: Command, specs: T, action: Action<[OptionValues<T>]>): void {
  addFlags(command, specs).action(async () => action(readFlags(specs, command)));
}

function addFileAction<const T extends OptionSpecs>(command: Command, specs: T, action: Action<[string, OptionValues<T>]>): void {
  addFlags(command.argument("<file>", "the snapshot"), specs).action(async (file: string) =>
    action(file, readFlags(specs, command)),
  );
}
