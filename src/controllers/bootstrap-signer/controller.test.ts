import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { configMaps, type Secret, secrets } from "#api";
import { createWorld } from "../testing/world.ts";
import { bootstrapSignerController } from "./controller.ts";
import { planSignatures } from "./plan.ts";

const nowMs = Date.UTC(2026, 0, 1);
const base64 = (text: string): string => Buffer.from(text).toString("base64");
function token(id: string, fields: Record<string, string> = {}): Secret {
  const all = { "token-id": id, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true", ...fields };
  return {
    metadata: { namespace: "kube-system", name: `bootstrap-token-${id}` },
    type: "bootstrap.kubernetes.io/token",
    data: Object.fromEntries(Object.entries(all).map(([name, value]) => [name, base64(value)])),
  };
}
const info = (data: Record<string, string>) => ({ metadata: { namespace: "kube-public", name: "cluster-info" }, data });

/** As RFC 7515 says, and as kubeadm checks it. */
function isSigned(signature: string | undefined, content: string, id: string, secret: string): boolean {
  const [head = "", middle, tail] = (signature ?? "").split(".");
  const expected = createHmac("sha256", secret)
    .update(`${head}.${Buffer.from(content).toString("base64url")}`)
    .digest("base64url");
  assert.deepEqual(JSON.parse(Buffer.from(head, "base64url").toString()), { alg: "HS256", kid: id });
  return middle === "" && tail === expected;
}

describe("the description of the cluster is signed", () => {
  test("with every token that is meant for it", () => {
    const tokens = [
      token("abcdef"),
      token("unused", { "usage-bootstrap-signing": "false" }),
      token("ended0", { expiration: "2025-12-31T23:59:59Z" }),
      token("broken", { expiration: "tomorrow" }),
      token("renamed", { "token-id": "other0" }),
      token("empty0", { "token-secret": "" }),
    ];
    const { data } = planSignatures(info({ kubeconfig: "k", other: "o", "jws-kubeconfig-gone00": "old" }), tokens, nowMs);
    assert.deepEqual(Object.keys(data ?? {}).toSorted(), ["jws-kubeconfig-abcdef", "kubeconfig", "other"]);
    assert.ok(isSigned(data?.["jws-kubeconfig-abcdef"], "k", "abcdef", "0123456789abcdef"));
  });

  test("once", () => {
    const { data = {} } = planSignatures(info({ kubeconfig: "k" }), [token("abcdef")], nowMs);
    assert.equal(planSignatures(info(data), [token("abcdef")], nowMs).data, undefined);
  });

  test("not at all while it says nothing", () => {
    assert.deepEqual(planSignatures(info({}), [token("abcdef")], nowMs), { data: undefined, againAtMs: undefined });
  });
});

test("a signature comes with its token and goes when the token ends", async () => {
  await using world = createWorld();
  world.api.put(configMaps, info({ kubeconfig: "k" }));
  world.run(bootstrapSignerController(world.context));
  await world.settle();
  const keys = () => Object.keys(world.api.peek(configMaps, info({}).metadata)?.data ?? {});
  assert.deepEqual(keys(), ["kubeconfig"]);
  world.api.put(secrets, token("abcdef", { expiration: "2026-01-01T01:00:00Z" }));
  await world.settle();
  assert.deepEqual(keys(), ["kubeconfig", "jws-kubeconfig-abcdef"]);
  await world.pass(3_601_000);
  assert.deepEqual(keys(), ["kubeconfig"]);
});
