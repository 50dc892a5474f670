// `version`: of this program and of the server.
import { encodeYaml } from "#api";
import { defineOptions } from "#base";
import { packageVersion } from "../version.ts";
import { defineCommand } from "./command.ts";
import { Failure } from "./failure.ts";
import { fetchObject } from "./session.ts";

const options = defineOptions({
  client: { kind: "boolean", default: false, help: "Do not ask the server" },
  output: { kind: "string", help: "json or yaml", placeholder: "FORM" },
});

export const version = defineCommand({
  name: "version",
  usage: "",
  summary: "Show the versions of this program and of the server",
  options,
  short: { output: "o" },
  run: async ({ session, options }) => {
    const { output } = options;
    if (output !== undefined && output !== "json" && output !== "yaml")
      throw new Failure("error: --output must be 'yaml' or 'json'");
    const clientVersion = { gitVersion: `tiphys kubectl ${packageVersion()}` };
    const serverVersion = options.client
      ? undefined
      : await fetchObject<{ gitVersion: string }>(await session.client(), { method: "GET", path: "/version", query: {} });
    const all = { clientVersion, ...(serverVersion === undefined ? {} : { serverVersion }) };
    const server = serverVersion === undefined ? "" : `Server Version: ${serverVersion.gitVersion}\n`;
    const text = `Client Version: ${clientVersion.gitVersion}\n${server}`;
    session.terminal.out(
      output === "json" ? `${JSON.stringify(all, undefined, 2)}\n` : output === "yaml" ? encodeYaml(all).toString() : text,
    );
    return undefined;
  },
});
