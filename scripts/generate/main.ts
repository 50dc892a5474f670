// `npm run generate [-- --facts DIR] [--check]`: turns upstream's API documents into our own committed data.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateMessages } from "./messages.ts";
import { generateResources } from "./resources.ts";
import { generateSchemas } from "./schemas.ts";
import { readSwagger } from "./swagger.ts";
import { generateTypes } from "./types.ts";

const root = join(import.meta.dirname, "../..");

function main(argv: readonly string[]): number {
  const facts = argv.includes("--facts") ? argv[argv.indexOf("--facts") + 1] : join(root, "../shared/api");
  if (facts === undefined || !existsSync(join(facts, "swagger-v1.36.json"))) {
    console.error(`Cannot generate: no swagger-v1.36.json in "${facts}"`);
    return 2;
  }
  const swagger = readSwagger(join(facts, "swagger-v1.36.json"));
  const files = new Map<string, string>();
  for (const [name, text] of generateTypes(swagger)) files.set(join("src/api/types", name), text);
  for (const [path, text] of generateMessages(facts)) files.set(path, text);
  for (const [path, text] of generateSchemas(swagger, facts)) files.set(path, text);
  files.set("src/api/resources.ts", generateResources(swagger));

  const check = argv.includes("--check");
  const changed = [...files].filter(
    ([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), "utf8") !== text,
  );
  if (!check) {
    for (const [path, text] of changed) {
      mkdirSync(join(root, path, ".."), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
  console.log(`${files.size} files, ${changed.length} ${check ? "differ" : "written"}`);
  return check && changed.length > 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
