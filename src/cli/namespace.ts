// `tiphys ns create NAME`: a namespace, with what keeps it and others apart if asked for.
import type { Command } from "commander";
import { defineOptions } from "#base";
import { createNamespace, defaultDataDir, type Isolation } from "#cluster";
import { connect } from "./connect.ts";
import { addFlags, readFlags } from "./flags.ts";
import { thisMachine } from "./machine.ts";

const createOptions = defineOptions({
  dataDir: { kind: "string", help: "The cluster's data directory", placeholder: "DIR" },
  isolated: {
    kind: "boolean",
    default: false,
    help: "With a network policy (only its own pods and DNS), a quota, default limits of containers and a Pod Security Standard",
  },
  cpu: { kind: "string", default: "4", help: "Processors that the pods of an isolated namespace have", placeholder: "QUANTITY" },
  memory: { kind: "string", default: "8Gi", help: "Memory that they have", placeholder: "QUANTITY" },
  pods: { kind: "integer", default: 50, help: "How many they may be" },
  podSecurity: {
    kind: "string",
    default: "baseline",
    choices: ["privileged", "baseline", "restricted"],
    help: "Pod Security Standard that pods of an isolated namespace must meet; they are warned of what is not restricted",
  },
});

export function addNamespace(program: Command): void {
  const namespace = program.command("ns").description("Namespaces");
  const create = namespace.command("create").argument("<name>").description("Make a namespace; prints what was made");
  addFlags(create, createOptions).action(async (name: string) => {
    const { dataDir, isolated, ...isolation } = readFlags(createOptions, create);
    await using connection = await connect(dataDir ?? defaultDataDir(thisMachine()));
    // the choices are the type's
    const made = await createNamespace(name, isolated ? (isolation as Isolation) : undefined, connection);
    for (const each of made) console.log(`${each} created`);
  });
}
