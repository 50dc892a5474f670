// Runs the bundle beside it, which scripts/bundle made from the sources that stack traces name. Its compiled code is kept in a file of its own.
"use strict";
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { dirname, join } = require("node:path");
const { pathToFileURL } = require("node:url");
const { Script } = require("node:vm");

const root = join(__dirname, "../..");
// the name holds a digest of the text: V8 itself tells compiled code of another text only by its length
const file = join(__dirname, "NAME.js");
const codeFile = join(__dirname, "NAME.code");

const script = new Script(readFileSync(file, "latin1"), {
  filename: file,
  cachedData: existsSync(codeFile) ? readFileSync(codeFile) : undefined,
});
if (process.env.TIPHYS_BUNDLE === "keep code") process.on("exit", () => writeFileSync(codeFile, script.createCachedData()));

const factories = [];
const evaluated = [];
const started = [];
/** The exports of a module, which is evaluated when it is first asked for. */
const get = (number) => (evaluated[number] ??= factories[number]());

script.runInThisContext()({
  factories,
  get,
  later: async (number) => get(number),
  import: (specifier) => import(specifier),
  builtin: process.getBuiltinModule,
  /** A module of the older kind; these may require each other in a circle. */
  commonJs: (number, path, requests, run) => {
    factories[number] = () => {
      const filename = join(root, path);
      const outside = createRequire(filename);
      const inside = (specifier) => {
        const found = requests[specifier];
        return found === undefined ? outside(specifier) : (started[found]?.exports ?? get(found));
      };
      const module = { exports: {}, filename, id: filename, loaded: false, require: Object.assign(inside, outside) };
      started[number] = module;
      run.call(module.exports, module.exports, module.require, module, filename, dirname(filename));
      module.loaded = true;
      return module.exports;
    };
  },
  json: (path) => JSON.parse(readFileSync(join(root, path), "utf8")),
  meta: (path) => ({ url: pathToFileURL(join(root, path)).href, dirname: dirname(join(root, path)) }),
  worker: (name) => pathToFileURL(join(__dirname, name)),
  /** Lets stack traces name the sources. Pairs of a module's first line in the bundle and its path, in order. */
  sources: (starts) => {
    const place = new RegExp(`${RegExp.escape(file)}:(\\d+)`, "g");
    Error.prepareStackTrace = (error, frames) =>
      [String(error), ...frames.map((frame) => `    at ${frame}`)].join("\n").replaceAll(place, (match, line) => {
        const found = starts.findLast(([start]) => start <= Number(line));
        return found === undefined ? match : `${join(root, found[1])}:${Number(line) - found[0] + 1}`;
      });
  },
});
