// `tiphys token create`: a bootstrap token by which new nodes join.
import { resolve } from "node:path";
import type { Command } from "commander";
import { defineOptions, systemFiles } from "#base";
import { createBootstrapToken, defaultDataDir } from "#cluster";
import { connect } from "./connect.ts";
import { addFlags, readFlags } from "./flags.ts";
import { system, thisMachine } from "./machine.ts";

const createOptions = defineOptions({
  dataDir: { kind: "string", help: "The cluster's data directory", placeholder: "DIR" },
  ttl: { kind: "duration", default: 24 * 3_600_000, help: "How long the token lets nodes in; 0: for ever" },
  server: { kind: "string", help: "Where nodes reach the API server (default: where this command does)", placeholder: "URL" },
  bootstrapKubeconfig: {
    kind: "string",
    help: "Write a kubeconfig with the token to this file, for a kubelet's --bootstrap-kubeconfig",
    placeholder: "FILE",
  },
});

export function addToken(program: Command): void {
  const token = program.command("token").description("Bootstrap tokens, by which new nodes join");
  const create = token.command("create").description("Make a token, and see that nodes may join with it; prints it");
  addFlags(create, createOptions).action(async () => {
    const { dataDir, ttl, server, bootstrapKubeconfig } = readFlags(createOptions, create);
    await using connection = await connect(dataDir ?? defaultDataDir(thisMachine()));
    const { client, config } = connection;
    const caCertificate = config.ca?.toString() ?? "";
    const made = await createBootstrapToken(
      { ttlMs: ttl, server: server ?? config.server, caCertificate },
      { ...system, client },
    );
    if (bootstrapKubeconfig !== undefined) await systemFiles.writeAtomic(resolve(bootstrapKubeconfig), made.kubeconfig, 0o600);
    console.log(made.token);
  });
}
