import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Columns } from "./columns.ts";
import { jsonTemplate } from "./json-template.ts";
import { jsonText } from "./json-text.ts";
import { objectWriter } from "./output.ts";
import { sortedBy, sortPath, TablePrinter } from "./tables.ts";

const look = {
  wide: false,
  noHeaders: false,
  withNamespace: false,
  kind: undefined,
  showLabels: false,
  labelColumns: [],
};
const table = {
  columnDefinitions: [{ name: "Name", format: "name" }, { name: "Ready" }, { name: "Node", priority: 1 }],
  rows: [
    { cells: ["a", "1/1", "n1"], object: { metadata: { name: "a", namespace: "x", labels: { "b/tier": "web", app: "y" } } } },
    { cells: ["longer-name", "line\nbreak", "n2"], object: { metadata: { name: "longer-name", namespace: "default" } } },
  ],
};

describe("tables", () => {
  test("columns have a gap of three, at least six characters, and no padding at the end", () => {
    assert.equal(
      new Columns().text([
        ["A", "LONGER", "Z"],
        ["x", "y", ""],
      ]),
      "A     LONGER   Z\nx     y        \n",
    );
  });

  test("columns of later rows are as wide as those before", () => {
    const columns = new Columns();
    columns.text([["long-long-name", "1"]]);
    assert.equal(columns.text([["a", "2"]]), "a                2\n");
  });

  test("a table hides columns that are only for -o wide, and what follows a line break", () => {
    assert.equal(new TablePrinter(look).text(table), "NAME          READY\na             1/1\nlonger-name   line...\n");
  });

  test("namespace, kind and labels are columns when asked for", () => {
    const all = { ...look, wide: true, withNamespace: true, kind: "pod", showLabels: true, labelColumns: ["b/tier"] };
    assert.equal(
      new TablePrinter(all).text(table),
      [
        "NAMESPACE   NAME              READY     NODE   TIER   LABELS\n",
        "x           pod/a             1/1       n1     web    app=y,b/tier=web\n",
        "default     pod/longer-name   line...   n2            <none>\n",
      ].join(""),
    );
  });

  test("the header comes once, and not before the first row", () => {
    const printer = new TablePrinter(look);
    assert.equal(printer.text({ columnDefinitions: table.columnDefinitions, rows: [] }), "");
    assert.match(printer.text({ rows: table.rows }, "ADDED"), /^EVENT\s+NAME\s+READY\nADDED\s+a /);
    assert.match(printer.text({ rows: table.rows }, "MODIFIED"), /^MODIFIED\s+a /);
  });

  test("--sort-by orders numbers as numbers, and what lacks the field first", () => {
    const items = [{ spec: { n: 10 } }, { spec: { n: 9 } }, {}];
    assert.deepEqual(
      sortedBy(items, (item) => item, sortPath("{.spec.n}")),
      [{}, { spec: { n: 9 } }, { spec: { n: 10 } }],
    );
  });
});

describe("objects as text", () => {
  test("JSON has sorted keys, four spaces and Go's escapes", () => {
    assert.equal(
      jsonText({ b: "<&>", a: { c: [], d: {} } }),
      `{\n    "a": {\n        "c": [],\n        "d": {}\n    },\n    "b": "\\u003c\\u0026\\u003e"\n}\n`,
    );
  });

  test("managed fields are left out unless asked for, in lists too", () => {
    const list = { kind: "List", items: [{ metadata: { name: "a", managedFields: [{}] } }] };
    assert.doesNotMatch(objectWriter("yaml")?.(list) ?? "", /managedFields/);
    assert.match(objectWriter("json", true)?.(list) ?? "", /managedFields/);
  });

  test("YAML documents are separated", () => {
    const write = objectWriter("yaml");
    assert.equal(`${write?.({ a: 1 })}${write?.({ b: 2 })}`, "a: 1\n---\nb: 2\n");
  });

  test("an unknown form is refused", () => {
    assert.throws(() => objectWriter("toml"), /unable to match a printer suitable for the output format "toml"/);
  });
});

describe("JSON path templates", () => {
  const object = {
    items: [
      { name: "a", n: 1, on: true },
      { name: "b", n: 2 },
    ],
    "x.y": { z: null },
  };
  const cases: readonly [string, string][] = [
    ["{.items[*].name}", "a b"],
    [".items[0].n", "1"],
    ["n={.items[1].n}!", "n=2!"],
    ['{range .items[*]}{.name}{"\\t"}{.n}{"\\n"}{end}.', "a\t1\nb\t2\n."],
    ["{range .items}{@.name},{end}", "a,b,"],
    ['{.items[?(@.name=="b")].n}', "2"],
    ["{.items[0]}", '{"n":1,"name":"a","on":true}'],
    ["{.items[9].n}{.nothing}", ""],
    ["{.x\\.y.z}", "null"],
  ];
  for (const [template, wanted] of cases)
    test(`${template} gives ${JSON.stringify(wanted)}`, () => assert.equal(jsonTemplate(template)(object), wanted));

  for (const template of ["{.a", "{end}", "{range .a}{.b}", "{.a[}"])
    test(`${template} is refused`, () => assert.throws(() => jsonTemplate(template), /error parsing jsonpath/));
});
