// Runs the bundle beside it. V8's compiled code is kept in a file; stack traces name the sources.
"use strict";
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

// the name holds a digest of the text: V8 itself tells compiled code of another text only by its length
const file = join(__dirname, "NAME.js");
const codeFile = join(__dirname, "NAME.code");

const script = new Script(readFileSync(file, "latin1"), {
  filename: file,
  cachedData: existsSync(codeFile) ? readFileSync(codeFile) : undefined,
});
if (process.env.TIPHYS_BUNDLE === "keep code") process.on("exit", () => writeFileSync(codeFile, script.createCachedData()));

let map;
function sourceOf(line, column) {
  if (map === undefined) {
    const { SourceMap } = require("node:module");
    map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")));
  }
  const { originalSource, originalLine, originalColumn } = map.findEntry(line - 1, column - 1);
  return originalSource === undefined
    ? undefined
    : `${join(__dirname, originalSource)}:${originalLine + 1}:${originalColumn + 1}`;
}

const place = new RegExp(`${RegExp.escape(file)}:(\\d+):(\\d+)`, "g");
Error.prepareStackTrace = (error, frames) =>
  [String(error), ...frames.map((frame) => `    at ${frame}`)]
    .join("\n")
    .replaceAll(place, (found, line, column) => sourceOf(Number(line), Number(column)) ?? found);

script.runInThisContext()(require, module, exports, __dirname);
