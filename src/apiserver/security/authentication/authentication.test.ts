// Who a request comes from: certificates, static tokens, service account tokens and what ends them.
import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { test } from "node:test";
import { type ApiError, type ApiObject, nodes, pods, type ServiceAccount, secrets, serviceAccounts } from "#api";
import { seededRandom, VirtualClock } from "#base";
import { newServiceAccountKey } from "../pki/pki.ts";
import { FakeObjects } from "../testing/objects.ts";
import { bearerToken, createAuthenticator } from "./authenticator.ts";
import { bootstrapTokens } from "./bootstrap-tokens.ts";
import { isSignedBy, readClaims, signToken, tokenKey } from "./jwt.ts";
import { reviewToken } from "./reviews.ts";
import { ServiceAccountTokens } from "./service-account-tokens.ts";
import { parseStaticTokens } from "./static-tokens.ts";
import { requestToken } from "./token-request.ts";

const key = tokenKey(await newServiceAccountKey());
const issuer = "https://kubernetes.default.svc";

const isUnauthorized = (error: unknown): boolean => (error as ApiError).code === 401;

function world() {
  const objects = new FakeObjects();
  const clock = new VirtualClock();
  const account = objects.put<ServiceAccount>(serviceAccounts, { metadata: { namespace: "ns", name: "default" } });
  const deps = { reader: objects, clock, random: seededRandom(1), key, issuer, audiences: [issuer] };
  const serviceAccountTokens = new ServiceAccountTokens({ reader: objects, clock, keys: [key], issuer, audiences: [issuer] });
  const tokens = {
    staticTokens: parseStaticTokens('secret,alice,1,"dev,ops"\n'),
    serviceAccounts: serviceAccountTokens,
    audiences: [issuer],
  };
  const token = (spec: object = {}): string =>
    (requestToken(deps, account, { metadata: {}, spec } as ApiObject) as unknown as { status: { token: string } }).status.token;
  const error = (text: string): string | undefined => {
    const result = serviceAccountTokens.check(text);
    return result !== undefined && "error" in result ? result.error : undefined;
  };
  return { objects, clock, account, deps, tokens, token, error };
}

test("a requested token authenticates as its service account", () => {
  const { tokens, token, account } = world();
  const user = createAuthenticator(tokens).authenticate({ authorization: `Bearer ${token()}` });
  const { extra, ...rest } = user as unknown as { extra?: Record<string, string[]> };
  assert.deepEqual(rest, {
    name: "system:serviceaccount:ns:default",
    uid: account.metadata.uid,
    groups: ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"],
  });
  assert.match(extra?.["authentication.kubernetes.io/credential-id"]?.[0] ?? "", /^JTI=[0-9a-f-]{36}$/);
});

const bootstrapSecret = {
  "token-id": "abcdef",
  "token-secret": "0123456789abcdef",
  "usage-bootstrap-authentication": "true",
};

for (const [what, change, groups] of [
  ["is all there", {}, ["system:bootstrappers", "system:authenticated"]],
  [
    "brings groups",
    { "auth-extra-groups": "system:bootstrappers:b,system:bootstrappers:a:x" },
    ["system:bootstrappers", "system:bootstrappers:a:x", "system:bootstrappers:b", "system:authenticated"],
  ],
  ["ends a second later", { expiration: "2026-01-01T00:00:01Z" }, ["system:bootstrappers", "system:authenticated"]],
  ["ends now", { expiration: "2026-01-01T00:00:00Z" }, undefined],
  ["has an end that is no time", { expiration: "tomorrow" }, undefined],
  ["has another secret part", { "token-secret": "0123456789abcdee" }, undefined],
  ["has a longer secret part", { "token-secret": "0123456789abcdef0" }, undefined],
  ["has another id inside", { "token-id": "abcdeg" }, undefined],
  ["is not for authentication", { "usage-bootstrap-authentication": "yes" }, undefined],
  ["wants a group that is none of newcomers", { "auth-extra-groups": "system:masters" }, undefined],
] as const)
  test(`a bootstrap token whose secret ${what} ${groups === undefined ? "lets nobody in" : "lets a newcomer in"}`, () => {
    const { objects, clock, tokens } = world();
    const data = Object.fromEntries(
      Object.entries({ ...bootstrapSecret, ...change }).map(([name, text]) => [name, Buffer.from(text).toString("base64")]),
    );
    const metadata = { namespace: "kube-system", name: "bootstrap-token-abcdef" };
    objects.put(secrets, { metadata, type: "bootstrap.kubernetes.io/token", data });
    const credentials = { authorization: "Bearer abcdef.0123456789abcdef" };
    const authenticator = createAuthenticator({ ...tokens, bootstrapTokens: bootstrapTokens(objects, clock) });
    if (groups === undefined) assert.throws(() => authenticator.authenticate(credentials), isUnauthorized);
    else assert.deepEqual(authenticator.authenticate(credentials), { name: "system:bootstrap:abcdef", groups });
    assert.throws(() => createAuthenticator(tokens).authenticate(credentials), isUnauthorized, "only where it is switched on");
    objects.put(secrets, { metadata, type: "Opaque", data });
    assert.throws(() => authenticator.authenticate(credentials), isUnauthorized, "only with the type");
  });

test("a token ends with what it is bound to, and with its account", async () => {
  const { objects, clock, token, error } = world();
  objects.put(pods, {
    metadata: { namespace: "ns", name: "p" },
    spec: { serviceAccountName: "default", nodeName: "n", containers: [] },
  });
  objects.put(secrets, { metadata: { namespace: "ns", name: "s" } });
  objects.put(nodes, { metadata: { name: "n" }, spec: {} });
  const bound = Object.fromEntries(
    ["Pod", "Secret", "Node"].map((kind) => [
      kind,
      token({ boundObjectRef: { kind, apiVersion: "v1", name: kind === "Node" ? "n" : kind.toLowerCase()[0] } }),
    ]),
  );
  const free = token();
  for (const text of [...Object.values(bound), free]) assert.equal(error(text), undefined);
  await objects.remove(secrets, { namespace: "ns", name: "s" });
  assert.equal(error(bound.Secret ?? ""), "service account token has been invalidated");
  objects.put(pods, {
    metadata: { namespace: "ns", name: "p", deletionTimestamp: new Date(clock.now()).toISOString() },
    spec: { containers: [] },
  });
  assert.equal(error(bound.Pod ?? ""), undefined, "a pod that shuts down can still talk");
  await clock.advance(61_000);
  assert.equal(error(bound.Pod ?? ""), "service account token has been invalidated");
  await objects.remove(nodes, { name: "n" });
  assert.equal(error(bound.Node ?? ""), "service account token has been invalidated");
  await objects.remove(serviceAccounts, { namespace: "ns", name: "default" });
  assert.equal(error(free), 'serviceaccounts "default" not found');
  const again = objects.put(serviceAccounts, { metadata: { namespace: "ns", name: "default" } });
  assert.match(
    error(free) ?? "",
    new RegExp(`^service account UID \\(${again.metadata.uid}\\) does not match claim \\(uid-\\d+\\)$`),
  );
});

test("a pod's token tells its pod and node", () => {
  const { objects, tokens, token } = world();
  const pod = objects.put(pods, {
    metadata: { namespace: "ns", name: "p" },
    spec: { serviceAccountName: "default", nodeName: "n", containers: [] },
  });
  const node = objects.put(nodes, { metadata: { name: "n" }, spec: {} });
  const user = createAuthenticator(tokens).authenticate({
    authorization: `Bearer ${token({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p" } })}`,
  });
  const { "authentication.kubernetes.io/credential-id": _id, ...extra } = (user as unknown as { extra: Record<string, string[]> })
    .extra;
  assert.deepEqual(extra, {
    "authentication.kubernetes.io/node-name": ["n"],
    "authentication.kubernetes.io/node-uid": [node.metadata.uid],
    "authentication.kubernetes.io/pod-name": ["p"],
    "authentication.kubernetes.io/pod-uid": [pod.metadata.uid],
  });
});

test("a token of 3607 seconds bound to a pod lives a year and warns after an hour (KEP-1205)", () => {
  const { objects, token, clock } = world();
  objects.put(pods, { metadata: { namespace: "ns", name: "p" }, spec: { serviceAccountName: "default", containers: [] } });
  const claims = readClaims(token({ expirationSeconds: 3607, boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p" } })) as {
    exp: number;
    iat: number;
    "kubernetes.io": { warnafter: number };
  };
  assert.equal(claims.exp - claims.iat, 365 * 24 * 3600);
  assert.equal(claims["kubernetes.io"].warnafter, Math.floor(clock.now() / 1000) + 3607);
  const plain = readClaims(token({ expirationSeconds: 3607 })) as { exp: number; iat: number };
  assert.equal(plain.exp - plain.iat, 3607);
});

test("a token is refused once it has expired, also when it has been seen before", async () => {
  const { clock, token, error } = world();
  const text = token({ expirationSeconds: 600 });
  assert.equal(error(text), undefined);
  await clock.advance(599_000);
  assert.equal(error(text), undefined);
  await clock.advance(3_000);
  assert.equal(error(text), "service account token has expired");
});

/** Our own signature over a header that names another algorithm. */
function otherAlgorithm(body: string): string {
  const text = `${Buffer.from(JSON.stringify({ alg: "PS256" })).toString("base64url")}.${body}`;
  return `${text}.${sign("sha256", Buffer.from(text), key.privateKey).toString("base64url")}`;
}

test("a token with another algorithm, issuer, key or body is nobody's", async () => {
  const { tokens, token } = world();
  const [header = "", body = "", signature = ""] = token().split(".");
  const other = tokenKey(await newServiceAccountKey());
  const claims = readClaims(token()) ?? {};
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const forged = [
    `${encode({ alg: "none" })}.${body}.`,
    otherAlgorithm(body),
    `${encode({ alg: "HS256" })}.${body}.${signature}`,
    `${header}.${encode({ ...claims, sub: "system:serviceaccount:kube-system:admin" })}.${signature}`,
    signToken(other, claims),
    signToken(key, { ...claims, iss: "https://elsewhere" }),
    "a.b.c",
    "..",
  ];
  const authenticator = createAuthenticator(tokens);
  for (const text of forged) {
    assert.equal(tokens.serviceAccounts.check(text), undefined, text);
    assert.throws(() => void authenticator.authenticate({ authorization: `Bearer ${text}` }), isUnauthorized);
  }
  assert.ok(isSignedBy(key, token()));
});

test("an odd Authorization header means nobody, a wrong token means refusal", () => {
  const { tokens } = world();
  const authenticator = createAuthenticator(tokens);
  for (const authorization of [undefined, "", "Bearer", "Bearer ", "Bearer  secret", "Basic c2VjcmV0", "secret"]) {
    assert.equal(
      authenticator.authenticate(authorization === undefined ? {} : { authorization }),
      undefined,
      authorization ?? "no header",
    );
  }
  assert.equal(bearerToken("bearer secret trailing"), "secret");
  assert.deepEqual(authenticator.authenticate({ authorization: "Bearer secret" }), {
    name: "alice",
    uid: "1",
    groups: ["dev", "ops", "system:authenticated"],
  });
  assert.throws(() => void authenticator.authenticate({ authorization: "Bearer Secret" }), isUnauthorized);
});

test("a client certificate gives name, groups and the hash of its bytes", () => {
  const { tokens } = world();
  const certificate = { commonName: "bob", organizations: ["dev"], der: Buffer.from("x") };
  assert.deepEqual(createAuthenticator(tokens).authenticate({ certificate, authorization: "Bearer wrong" }), {
    name: "bob",
    groups: ["dev", "system:authenticated"],
    extra: {
      "authentication.kubernetes.io/credential-id": [
        "X509SHA256=2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
      ],
    },
  });
});

test("parseStaticTokens() reads quoted groups and refuses short lines", () => {
  assert.equal(parseStaticTokens("\n# comment\nt,u,1\n").size, 1);
  assert.throws(() => parseStaticTokens("t,u"), /line 1: it needs at least 3 columns/);
});

test("reviewToken() tells users, audiences and upstream's errors", () => {
  const { tokens, token } = world();
  const review = (token: string, audiences?: string[]): Record<string, unknown> =>
    (
      reviewToken(tokens, { metadata: {}, spec: { token, audiences } } as ApiObject) as unknown as {
        status: Record<string, unknown>;
      }
    ).status;
  assert.deepEqual(review("wrong"), { user: {}, error: "invalid bearer token" });
  assert.deepEqual(review("secret", ["other"]), { user: {}, error: "invalid bearer token" });
  assert.deepEqual(review("secret", ["other", issuer]).audiences, [issuer]);
  assert.deepEqual(review(token({ audiences: ["vault"] })), {
    user: {},
    error: `[invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["${issuer}"]]`,
  });
  assert.equal((review(" secret").user as { username: string }).username, "system:anonymous");
  assert.throws(() => review(""), { message: "token is required for TokenReview in authentication" });
});

const refusals: readonly {
  readonly name: string;
  readonly spec: object;
  readonly metadata?: object;
  readonly expected: string;
}[] = [
  {
    name: "too short",
    spec: { expirationSeconds: 599 },
    expected:
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
  },
  {
    name: "too long",
    spec: { expirationSeconds: 2 ** 32 + 1 },
    expected:
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds',
  },
  {
    name: "a kind that cannot be bound",
    spec: { boundObjectRef: { kind: "Deployment", apiVersion: "apps/v1", name: "x" } },
    expected: "cannot bind token to object of type apps/v1, Kind=Deployment",
  },
  {
    name: "no name",
    spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "" } },
    expected: "Name parameter required.",
  },
  {
    name: "a pod that is not there",
    spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "x" } },
    expected: 'pods "x" not found',
  },
  {
    name: "a pod of another account",
    spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "other" } },
    expected: 'cannot bind token for serviceaccount "default" to pod running with different serviceaccount name.',
  },
  {
    name: "another uid of the pod",
    spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "own", uid: "bad" } },
    expected:
      'Operation cannot be fulfilled on Pod "own": the UID in the bound object reference (bad) does not match the UID in record. The object might have been deleted and then recreated',
  },
  {
    name: "another name",
    spec: {},
    metadata: { name: "other" },
    expected:
      'TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "other": must match the service account name if specified',
  },
  {
    name: "another uid of the account",
    spec: {},
    metadata: { uid: "wrong" },
    expected:
      'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "default": the UID in the token request (wrong) does not match the UID of the service account (uid-1)',
  },
];

for (const { name, spec, metadata, expected } of refusals) {
  test(`requestToken() refuses: ${name}`, () => {
    const { objects, deps, account } = world();
    objects.put(pods, { metadata: { namespace: "ns", name: "other" }, spec: { serviceAccountName: "builder", containers: [] } });
    objects.put(pods, { metadata: { namespace: "ns", name: "own" }, spec: { serviceAccountName: "default", containers: [] } });
    assert.throws(() => requestToken(deps, account, { metadata: metadata ?? {}, spec } as ApiObject), { message: expected });
  });
}
