// Scripts for nft, read as nft reads them: from above.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Item, itemId, type Table, type TableContent } from "./items.ts";
import { renderDiff, renderFull, renderTakeover } from "./render.ts";

const table: Table = { name: "ip t", frame: "  map doors { type ipv4_addr : verdict; }\n  chain probe {\n  }\n" };
const chain = (name: string, ...rules: string[]): Item => ({ kind: "chain", name, key: "", value: rules.join("\n") });
const set = (name: string, declaration: string): Item => ({ kind: "set", name, key: "", value: declaration });
const content = (...items: Item[]): TableContent => new Map(items.map((item) => [itemId(item), item]));

test("a full load writes a chain after those that it goes or jumps to, whatever the order of the items", () => {
  for (const verb of ["goto", "jump"]) {
    const script = renderFull(table, content(chain("first", `${verb} last`), chain("last", "accept")));
    assert.ok(script.indexOf("chain last") < script.indexOf("chain first"), script);
  }
});

test("a chain without rules comes, turns and goes without a rule", () => {
  const [empty, full] = [chain("c"), chain("c", "accept")];
  assert.equal(renderDiff(table, [{ before: undefined, after: empty }]), "add chain ip t c\n");
  assert.equal(renderDiff(table, [{ before: full, after: empty }]), "flush chain ip t c\n");
  assert.equal(renderDiff(table, [{ before: empty, after: full }]), "flush chain ip t c\nadd rule ip t c accept\n");
});

test("a takeover keeps what packets have put into dynamic sets, and nothing else", () => {
  const clients = set("clients", "type ipv4_addr; flags dynamic,timeout;");
  const members = set("members", "type ipv4_addr;");
  const found = {
    chains: ["probe", "old"],
    collections: [
      { kind: "map", name: "doors" },
      { kind: "set", name: "clients" },
      { kind: "set", name: "members" },
      { kind: "set", name: "stray" },
    ],
  } as const;
  const script = renderTakeover(table, content(clients, members), found);
  assert.deepEqual(script.split("\n").slice(0, 7), [
    "flush table ip t",
    "flush map ip t doors",
    "flush set ip t members",
    "flush set ip t stray",
    "delete chain ip t old",
    "delete set ip t stray",
    "table ip t {",
  ]);
});
