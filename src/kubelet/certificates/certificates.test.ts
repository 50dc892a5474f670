// A node's certificates: the first by a token, the next by the one before, and what goes wrong on the way.
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type CertificateSigningRequest, certificateSigningRequests as type } from "#api";
import {
  noNames,
  publicKeyBytes,
  readIssuer,
  readRequestPem,
  seededRandom,
  silentLog,
  systemFiles,
  VirtualClock,
  writeCertificate,
} from "#base";
import { createClient, createFakeApi, type FakeApi, type KubeconfigOptions, loadKubeconfig } from "#client";
import { type BootstrapOptions, ensureKubeconfig } from "./bootstrap.ts";
import { clientUsages, nodeSubject, planCredentials, renewalAtMs, requestName } from "./plan.ts";
import { type RenewalOptions, renewCertificate } from "./renewal.ts";
import { clientFile, type Kept, readCertificate } from "./store.ts";

const hour = 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
const authorityKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const template = {
  serialNumber: Buffer.from([1]),
  subject: { commonName: "ca" },
  names: noNames,
  publicKey: publicKeyBytes(authorityKey),
  notBeforeMs: startMs,
  notAfterMs: startMs + 10_000 * hour,
  keyUsages: [],
  purposes: [],
  isAuthority: true,
} as const;
const issuer = readIssuer(
  writeCertificate(template, { key: authorityKey }),
  authorityKey.export({ type: "pkcs8", format: "pem" }).toString(),
);

describe("a node reaches its API server", () => {
  for (const [name, found, expected] of [
    ["with its kubeconfig while that is good", { hasKubeconfig: true, endsMs: 2, hasBootstrap: true }, "use"],
    ["by asking when its certificate has ended", { hasKubeconfig: true, endsMs: 1, hasBootstrap: true }, "ask"],
    ["by asking when its kubeconfig has no certificate", { hasKubeconfig: true, endsMs: undefined, hasBootstrap: true }, "ask"],
    ["by asking when it is new", { hasKubeconfig: false, endsMs: undefined, hasBootstrap: true }, "ask"],
    ["with its kubeconfig where there is nothing else", { hasKubeconfig: true, endsMs: undefined, hasBootstrap: false }, "use"],
    ["by nothing where there is nothing", { hasKubeconfig: false, endsMs: undefined, hasBootstrap: false }, undefined],
  ] as const)
    test(name, () => assert.equal(planCredentials({ ...found, nowMs: 1 }), expected));
});

test("a certificate is renewed between 70 and 90 % of its life", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 100; round++) {
    const at = renewalAtMs({ fromMs: 1000, toMs: 2000 }, random);
    assert.ok(at >= 1700 && at < 1900);
  }
});

test("a request is named after what it asks for", () => {
  const name = (node: string, key = authorityKey): string => requestName(publicKeyBytes(key), nodeSubject(node), clientUsages);
  assert.match(name("n1"), /^node-csr-[\w-]{43}$/);
  assert.equal(name("n1"), name("n1"));
  assert.notEqual(name("n1"), name("n2"));
  assert.notEqual(name("n1"), name("n1", generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey));
});

describe("certificates on disk", () => {
  let directory: string;
  let clock: VirtualClock;
  let api: FakeApi;
  const stop = new AbortController();
  const deps = () => ({
    files: systemFiles,
    clock,
    random: seededRandom(1),
    log: silentLog,
    signal: stop.signal,
    client: createClient(api),
  });
  /** Answers every request that is made from now on. */
  const answer = (decide: (request: CertificateSigningRequest) => CertificateSigningRequest["status"]): void => {
    api.after = ({ method }) => {
      const request = method === "POST" ? api.all(type).at(-1) : undefined;
      if (request !== undefined) api.put(type, { ...request, status: decide(request) });
    };
  };
  const signed = (validMs: number) => (request: CertificateSigningRequest) => {
    const { subject, publicKey } = readRequestPem(Buffer.from(request.spec.request, "base64").toString());
    const validity = { notBeforeMs: clock.now(), notAfterMs: clock.now() + validMs };
    const pem = writeCertificate({ ...template, ...validity, subject, publicKey, isAuthority: false }, issuer);
    return { certificate: Buffer.from(pem).toString("base64") };
  };
  const options = (): BootstrapOptions => ({
    nodeName: "n1",
    kubeconfig: join(directory, "kubelet.conf"),
    bootstrapKubeconfig: join(directory, "bootstrap.conf"),
    certificateDirectory: join(directory, "pki"),
  });
  const connected: KubeconfigOptions[] = [];
  const bootstrap = (changes: Partial<BootstrapOptions> = {}): Promise<void> =>
    ensureKubeconfig(
      { ...options(), ...changes },
      {
        ...deps(),
        connect: (config) => {
          connected.push(config);
          return { client: createClient(api), [Symbol.asyncDispose]: async () => {} };
        },
      },
    );

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "certificates-"));
    clock = new VirtualClock({ startMs });
    api = createFakeApi({ clock });
    connected.length = 0;
    const cluster = { server: "https://127.0.0.1:6443", "certificate-authority-data": Buffer.from("CA").toString("base64") };
    const config = {
      kind: "Config",
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { token: "abcdef.0123456789abcdef" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    };
    writeFileSync(join(directory, "bootstrap.conf"), JSON.stringify(config));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("the first is asked for with the token, and the kubeconfig that is written refers to it", async () => {
    answer(signed(hour));
    await bootstrap();
    assert.equal(connected[0]?.token, "abcdef.0123456789abcdef");
    const [request] = api.all(type);
    assert.match(request?.metadata.name ?? "", /^node-csr-/);
    assert.deepEqual(
      [request?.spec.signerName, request?.spec.usages],
      ["kubernetes.io/kube-apiserver-client-kubelet", ["digital signature", "client auth"]],
    );
    const path = options().kubeconfig;
    const config = await loadKubeconfig(readFileSync(path, "utf8"), { files: systemFiles });
    assert.equal(config.server, "https://127.0.0.1:6443");
    assert.equal(config.ca?.toString(), "CA");
    assert.equal(config.token, undefined);
    const certificate = new X509Certificate(config.clientCertificate ?? "");
    assert.equal(certificate.subject, "O=system:nodes\nCN=system:node:n1");
    assert.ok(certificate.checkPrivateKey(createPrivateKey(config.clientKey ?? "")));
    for (const file of [path, clientFile(options().certificateDirectory)]) assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(options().certificateDirectory), ["kubelet-client-current.pem"]);
  });

  test("a good one is used as it is; one that has ended is asked for anew", async () => {
    answer(signed(hour));
    await bootstrap();
    await bootstrap();
    assert.equal(api.all(type).length, 1);
    await clock.advance(hour);
    await bootstrap();
    assert.equal(api.all(type).length, 2);
  });

  test("a request that was denied says by whom and why, and one that was left waiting is found again", async () => {
    const denied = [{ type: "Denied", status: "True", reason: "KubectlDeny", message: "no" }];
    answer(() => ({ conditions: denied }));
    await assert.rejects(bootstrap(), /certificate signing request is denied, reason: KubectlDeny, message: no/);
    assert.ok(!existsSync(options().kubeconfig));
    const [request] = api.all(type);
    api.put(type, { ...(request as CertificateSigningRequest), status: signed(hour)(request as CertificateSigningRequest) });
    api.after = () => {};
    await bootstrap();
    assert.equal(api.all(type).length, 1);
    assert.ok(existsSync(options().kubeconfig));
  });

  test("without a kubeconfig and a bootstrap kubeconfig there is a clear error", async () => {
    await assert.rejects(
      bootstrap({ bootstrapKubeconfig: undefined }),
      /there is neither the kubeconfig ".*" nor a bootstrap kubeconfig/,
    );
  });

  const renewal = (onRenewed: (kept: Kept) => void): RenewalOptions => ({
    file: clientFile(directory),
    ask: { signerName: "kubernetes.io/kube-apiserver-client-kubelet", usages: clientUsages, subject: nodeSubject("n1") },
    onRenewed,
  });

  test("each is renewed in time, with a new key", async () => {
    answer(signed(10 * hour));
    const seen: Kept[] = [];
    let next = Promise.withResolvers<Kept>();
    await using _renewing = await renewCertificate(
      renewal((kept) => next.resolve(kept)),
      { ...deps(), random: { ...seededRandom(1), float: () => 0.5 } }, // renewed at 80 % of its life, exactly
    );
    for (const wait of [0, 8 * hour, 8 * hour]) {
      const due = next;
      await clock.advance(wait);
      seen.push(await due.promise);
      next = Promise.withResolvers<Kept>();
      assert.deepEqual((await readCertificate(clientFile(directory), systemFiles))?.toMs, seen.at(-1)?.toMs);
    }
    const publicKeys = seen.map(({ key }) => createPublicKey(key).export({ type: "spki", format: "pem" }));
    assert.equal(new Set(publicKeys).size, 3);
    assert.ok(api.all(type).every(({ metadata }) => metadata.name.startsWith("csr-")));
  });

  test("a renewal that is refused is tried again", async () => {
    let asked = 0;
    const renewed = Promise.withResolvers<Kept>();
    const failed = Promise.withResolvers<void>();
    answer((request) => {
      asked++;
      if (asked > 1) return signed(hour)(request);
      return { conditions: [{ type: "Denied", status: "True", reason: "R", message: "m" }] };
    });
    await using _renewing = await renewCertificate(renewal(renewed.resolve), {
      ...deps(),
      log: { ...silentLog, warn: () => failed.resolve() },
    });
    await clock.advance(0);
    await failed.promise;
    await clock.advance(2000);
    assert.equal((await renewed.promise).toMs, clock.now() + hour);
    assert.equal(asked, 2);
  });
});
