// The rules that a reader relies on, held by a machine: who imports whom, what touches the outside, what must not be in the tree.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { borders, rooms } from "../src/rooms.ts";

const root = join(import.meta.dirname, "..");
const sources = globSync("src/**/*.ts", { cwd: root }).sort();
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const isTest = (file: string): boolean => /\.(test|prop\.test)\.ts$/.test(file) || file.includes("/testing/");
const isBorder = (file: string): boolean => borders.some((border) => file.startsWith(border));
const importsOf = (text: string): string[] =>
  [
    ...text.matchAll(
      /^\s*(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']|^import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm,
    ),
  ].map((m) => m[1] ?? m[2] ?? m[3] ?? "");

test("every directory of src is a room that src/rooms.ts names", () => {
  const found = new Set(sources.filter((file) => file.split("/").length > 2).map((file) => file.split("/")[1]));
  assert.deepEqual([...found].sort(), Object.keys(rooms).sort());
});

test("rooms import each other only through front doors, and only those that src/rooms.ts allows", () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const room = file.split("/")[1] ?? "";
    if (rooms[room] === undefined) continue;
    for (const specifier of importsOf(read(file))) {
      if (specifier.startsWith("#")) {
        const other = specifier.slice(1);
        if (other !== room && !rooms[room].mayImport.includes(other))
          wrong.push(`${file} imports ${specifier}: room "${room}" may import ${rooms[room].mayImport.join(", ")}`);
        if (other === room) wrong.push(`${file} imports its own front door: use a relative path`);
      } else if (specifier.startsWith(".")) {
        const target = join(file, "..", specifier);
        if (target !== "package.json" && !target.startsWith(`src/${room}/`))
          wrong.push(`${file} imports ${specifier}: reach other rooms by their front door (#room)`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test("modules do not import each other in a circle: each is read after those that it needs", () => {
  const valueImport = /^(?:import|export)\b(?! type\b)[^"';]*?\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"/gm;
  const next = new Map(
    sources.map((file) => {
      const found = [...read(file).matchAll(valueImport)].map((match) => match[1] ?? match[2] ?? "");
      const files = found.map((specifier) =>
        specifier.startsWith("#")
          ? `src/${specifier.slice(1)}/mod.ts`
          : specifier.startsWith(".")
            ? join(file, "..", specifier)
            : "",
      );
      return [file, files.filter((target) => target.endsWith(".ts"))];
    }),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, above: readonly string[]): void => {
    if (above.includes(file)) circles.push([...above.slice(above.indexOf(file)), file].join(" -> "));
    else if (!done.has(file)) {
      for (const target of next.get(file) ?? []) visit(target, [...above, file]);
      done.add(file);
    }
  };
  for (const file of sources) visit(file, []);
  assert.deepEqual(circles, []);
});

test("time, randomness, files, sockets and processes are arguments outside the border modules (D8)", () => {
  const forbidden: [RegExp, string][] = [
    [/\bDate\.now\(|\bnew Date\(\)/, "use the injected Clock"],
    [/(?<![\w.])set(Timeout|Interval)\(/, "use Clock.after"],
    [/\bMath\.random\(|\bcrypto\.random\w*\(|\brandomUUID\b|\brandomBytes\b/, "use the injected Random"],
    [/\bperformance\.now\(/, "use Clock.monotonic"],
    [
      /from "node:(fs|fs\/promises|net|tls|http|https|http2|dgram|child_process|worker_threads|sqlite|os)"/,
      "take Files, Processes or a transport as an argument",
    ],
    [/\bprocess\.(env|exit|cwd|hrtime)\b/, "take it as an option"],
  ];
  const wrong: string[] = [];
  for (const file of sources.filter((name) => !isTest(name) && !isBorder(name))) {
    read(file)
      .split("\n")
      .forEach((line, index) => {
        if (/^\s*(\/\/|\*|\/\*)/.test(line) || /^import type /.test(line)) return;
        if (/^import \{ (isIP(v[46])?(, )?)+ \} from "node:net"/.test(line)) return; // pure functions
        for (const [pattern, advice] of forbidden)
          if (pattern.test(line)) wrong.push(`${file}:${index + 1}: ${line.trim()}: ${advice}`);
      });
  }
  assert.deepEqual(wrong, []);
});

test("each border module that src/rooms.ts names exists", () => {
  for (const border of borders)
    assert.ok(
      sources.some((file) => file.startsWith(border)),
      `${border} is gone: remove it from src/rooms.ts`,
    );
});

test("each file opens with a sentence on its job", () => {
  const wrong = sources.filter((file) => !isTest(file) && !/^(#!.*\n)?(\/\/|\/\*\*?) ?\S/.test(read(file)));
  assert.deepEqual(wrong, []);
});

test("each room has a README of about ten lines", () => {
  for (const room of Object.keys(rooms)) {
    const text = read(`src/${room}/README.md`);
    const lines = text.split("\n").filter((line) => line.trim() !== "").length;
    assert.ok(lines >= 4 && lines <= 40, `src/${room}/README.md has ${lines} lines`);
  }
});

test("no test waits for real time to pass", () => {
  const wrong = globSync(["src/**/*.test.ts", "test/sim/**/*.test.ts"], { cwd: root }).filter((file) =>
    /\bsetTimeout\(|\bsleep\(systemClock/.test(read(file)),
  );
  assert.deepEqual(wrong, []);
});

test("no skip without a reason", () => {
  const wrong = globSync(["src/**/*.test.ts", "test/**/*.test.ts"], { cwd: root }).filter(
    (file) => file !== "test/tidy.test.ts" && /skip: true\b|test\.skip\(|\.todo\(/.test(read(file)),
  );
  assert.deepEqual(wrong, []);
});
