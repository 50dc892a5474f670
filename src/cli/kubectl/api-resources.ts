// `api-resources`: what the server has.
import { apiVersionOf, qualified } from "#api";
import { defineOptions } from "#base";
import { Columns } from "./columns.ts";
import { defineCommand } from "./command.ts";
import { preferred } from "./discovery.ts";
import { Failure } from "./failure.ts";

const options = defineOptions({
  apiGroup: { kind: "string", help: "Only those of this group", placeholder: "GROUP" },
  namespaced: { kind: "boolean", default: true, help: "Only those in namespaces; =false: only the others" },
  verbs: { kind: "list", default: [], help: "Only those with all of these verbs", placeholder: "VERBS" },
  categories: { kind: "list", default: [], help: "Only those in all of these categories", placeholder: "CATEGORIES" },
  sortBy: { kind: "string", default: "", help: "name or kind", placeholder: "FIELD" },
  noHeaders: { kind: "boolean", default: false, help: "No names above the columns" },
  output: { kind: "string", default: "", help: "wide or name", placeholder: "FORM" },
});

export const apiResources = defineCommand({
  name: "api-resources",
  usage: "",
  summary: "Show the kinds that the server has",
  options,
  short: { output: "o" },
  run: async ({ session, words, options }) => {
    const { apiGroup, verbs, categories, sortBy, output } = options;
    if (!["", "wide", "name"].includes(output)) throw new Failure(`error: --output ${output} is not available`);
    if (!["", "name", "kind"].includes(sortBy)) throw new Failure("error: --sort-by accepts only name or kind");
    const scope = "namespaced" in words.given ? options.namespaced : undefined;
    const all = preferred(await session.resources()).filter(
      (type) =>
        type.verbs.length > 0 &&
        (apiGroup === undefined || type.group === apiGroup) &&
        (scope === undefined || type.namespaced === scope) &&
        verbs.every((verb) => type.verbs.includes(verb)) &&
        categories.every((category) => type.categories.includes(category)),
    );
    const key = (type: (typeof all)[number]): [string, string] =>
      sortBy === "kind" ? [type.kind, ""] : sortBy === "name" ? [type.plural, ""] : [type.group, type.plural];
    const sorted = [...all].sort((a, b) => compare(key(a), key(b)));
    if (output === "name") {
      session.terminal.out(sorted.map((type) => `${qualified(type)}\n`).join(""));
      return undefined;
    }
    const isWide = output === "wide";
    const header = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", ...(isWide ? ["VERBS", "CATEGORIES"] : [])];
    const rows = sorted.map((type) => [
      type.plural,
      type.shortNames.join(","),
      apiVersionOf(type),
      String(type.namespaced),
      type.kind,
      ...(isWide ? [[...type.verbs].sort().join(","), type.categories.join(",")] : []),
    ]);
    session.terminal.out(new Columns().text(options.noHeaders ? rows : [header, ...rows]));
    return undefined;
  },
});

function compare(a: readonly [string, string], b: readonly [string, string]): number {
  const [one, other] = a[0] === b[0] ? [a[1], b[1]] : [a[0], b[0]];
  return one < other ? -1 : one > other ? 1 : 0;
}
