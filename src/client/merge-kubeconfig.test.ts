// Merging a cluster into somebody's kubeconfig: theirs stays, ours is replaced, what cannot be read is not touched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "js-yaml";
import { mergeKubeconfig } from "./merge-kubeconfig.ts";

const config = (name: string, server: string): string => `apiVersion: v1
kind: Config
clusters:
- {name: ${name}, cluster: {server: "${server}"}}
users:
- {name: ${name}-admin, user: {token: "t"}}
contexts:
- {name: ${name}, context: {cluster: ${name}, user: ${name}-admin}}
current-context: ${name}
`;

for (const existing of [undefined, "", "\n"])
  test(`where there is ${JSON.stringify(existing)}, ours is all`, () =>
    assert.equal(mergeKubeconfig(existing, config("tiphys", "https://a")), config("tiphys", "https://a")));

test("other clusters, users and contexts stay; the current context is ours", () => {
  const theirs = `${config("work", "https://work")}preferences: {colors: true}\n`;
  const merged = load(mergeKubeconfig(theirs, config("tiphys", "https://a"))) as Record<string, unknown>;
  assert.deepEqual(merged, {
    ...(load(theirs) as object),
    clusters: [
      { name: "work", cluster: { server: "https://work" } },
      { name: "tiphys", cluster: { server: "https://a" } },
    ],
    users: [
      { name: "work-admin", user: { token: "t" } },
      { name: "tiphys-admin", user: { token: "t" } },
    ],
    contexts: [
      { name: "work", context: { cluster: "work", user: "work-admin" } },
      { name: "tiphys", context: { cluster: "tiphys", user: "tiphys-admin" } },
    ],
    "current-context": "tiphys",
  });
});

test("merging again replaces what was ours, and changes nothing else", () => {
  const once = mergeKubeconfig(config("work", "https://work"), config("tiphys", "https://a"));
  assert.equal(mergeKubeconfig(once, config("tiphys", "https://a")), once);
  const { clusters } = load(mergeKubeconfig(once, config("tiphys", "https://b"))) as { clusters: unknown[] };
  assert.deepEqual(clusters, [
    { name: "work", cluster: { server: "https://work" } },
    { name: "tiphys", cluster: { server: "https://b" } },
  ]);
});

for (const [text, message] of [
  ["kind: Pod", /its kind is "Pod"/],
  ["just words", /its kind is "undefined"/],
  ["a: [", /it is not YAML/],
  ["kind: Config\nusers: 7", /"users" is not a list/],
] as const)
  test(`${JSON.stringify(text)} is refused`, () =>
    assert.throws(() => mergeKubeconfig(text, config("tiphys", "https://a")), message));
