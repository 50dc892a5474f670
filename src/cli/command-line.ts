// Every command with its flags, as data for the program and for the reference page.
import { Command } from "commander";
import { addDebug } from "./debug/connections.ts";
import { addEtcd } from "./etcd/register.ts";
import { addExplain } from "./explain.ts";
import { addImage } from "./image.ts";
import { addKubectl } from "./kubectl/register.ts";
import { addNamespace } from "./namespace.ts";
import { addPrograms } from "./programs.ts";
import { addStatus } from "./status.ts";
import { addToken } from "./token.ts";
import { addUp } from "./up.ts";
import { packageVersion } from "./version.ts";

export function commandLine(): Command {
  const program = new Command("tiphys")
    .description("Kubernetes in one program")
    .version(packageVersion(), "-v, --version", "Print the version")
    .exitOverride()
    // behind a subcommand an option is that subcommand's
    .enablePositionalOptions()
    .showSuggestionAfterError();
  addUp(program);
  addStatus(program);
  addExplain(program);
  addDebug(program);
  addImage(program);
  addToken(program);
  addNamespace(program);
  addPrograms(program);
  addEtcd(program);
  addKubectl(program);
  return program;
}
