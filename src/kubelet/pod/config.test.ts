// From a pod's spec to what the runtime is told: environment, names, resolver, resources, security.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "#api";
import { aPod } from "../testing/model.ts";
import { dnsOf, hostnameOf, hostsFile } from "./dns.ts";
import { serviceVariables } from "./environment.ts";
import { expand } from "./expand.ts";
import { fieldValue, resourceFieldValue } from "./field-ref.ts";
import { withTag } from "./images.ts";
import { goDuration } from "./names.ts";
import { registryOf } from "./pull-credentials.ts";
import { qosClass } from "./qos.ts";
import { linuxResources } from "./resources.ts";
import { securityOf } from "./security.ts";

test("expand() replaces what it knows, keeps what it does not, and halves dollar signs", () => {
  const values: Record<string, string> = { A: "1", B: "$(A)" };
  const rows: readonly (readonly [string, string])[] = [
    ["$(A)", "1"],
    ["x$(A)y$(A)", "x1y1"],
    ["$(NO)", "$(NO)"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$1"],
    ["$(B)", "$(A)"],
    ["$A $", "$A $"],
    ["$(A", "$(A"],
  ];
  for (const [text, expected] of rows)
    assert.equal(
      expand(text, (name) => values[name]),
      expected,
      text,
    );
});

test("services become variables: of the own namespace, and kubernetes always", () => {
  const service = (namespace: string, name: string, clusterIP: string): Service => ({
    metadata: { namespace, name },
    spec: { clusterIP, ports: [{ port: 80, name: "http-web", protocol: "TCP" }] },
  });
  const services = [
    service("default", "kubernetes", "10.96.0.1"),
    service("mine", "data-base", "10.96.0.2"),
    service("other", "x", "10.96.0.3"),
    service("mine", "headless", "None"),
  ];
  const linked = serviceVariables("mine", services, true);
  assert.deepEqual(Object.fromEntries([...linked].filter(([name]) => name.startsWith("DATA"))), {
    DATA_BASE_SERVICE_HOST: "10.96.0.2",
    DATA_BASE_SERVICE_PORT: "80",
    DATA_BASE_SERVICE_PORT_HTTP_WEB: "80",
    DATA_BASE_PORT: "tcp://10.96.0.2:80",
    DATA_BASE_PORT_80_TCP: "tcp://10.96.0.2:80",
    DATA_BASE_PORT_80_TCP_PROTO: "tcp",
    DATA_BASE_PORT_80_TCP_PORT: "80",
    DATA_BASE_PORT_80_TCP_ADDR: "10.96.0.2",
  });
  assert.ok(linked.has("KUBERNETES_SERVICE_HOST") && !linked.has("X_SERVICE_HOST") && !linked.has("HEADLESS_SERVICE_HOST"));
  assert.deepEqual(
    [...serviceVariables("mine", services, false).keys()].filter((name) => !name.startsWith("KUBERNETES_")),
    [],
  );
});

test("the downward API gives fields and resources as text", () => {
  const pod = aPod(
    {
      serviceAccountName: "sa",
      containers: [{ name: "app", resources: { requests: { cpu: "250m" }, limits: { memory: "65Mi" } } }],
    },
    { labels: { b: '"q"', a: "1" }, annotations: { "x/y": "z" } },
  );
  const facts = { pod, podIps: ["10.0.0.5", "fd00::5"], hostIps: ["192.0.2.1"], allocatable: { cpu: "2", memory: "8Gi" } };
  const fields: readonly (readonly [string, string])[] = [
    ["metadata.name", "web"],
    ["metadata.labels", 'a="1"\nb="\\"q\\""'],
    ["metadata.labels['a']", "1"],
    ["metadata.annotations['x/y']", "z"],
    ["metadata.annotations['none']", ""],
    ["spec.nodeName", "n1"],
    ["spec.serviceAccountName", "sa"],
    ["status.podIP", "10.0.0.5"],
    ["status.podIPs", "10.0.0.5,fd00::5"],
    ["status.hostIP", "192.0.2.1"],
  ];
  for (const [path, expected] of fields) assert.equal(fieldValue(path, facts), expected, path);
  assert.throws(() => fieldValue("spec.secret", facts), /unsupported fieldPath/);
  const resources: readonly (readonly [string, string | undefined, string])[] = [
    ["requests.cpu", undefined, "1"],
    ["requests.cpu", "1m", "250"],
    ["limits.memory", undefined, String(65 * 2 ** 20)],
    ["limits.memory", "1Mi", "65"],
    ["limits.cpu", undefined, "2"],
    ["requests.memory", undefined, "0"],
  ];
  for (const [resource, divisor, expected] of resources)
    assert.equal(resourceFieldValue({ resource, divisor }, "app", facts), expected, `${resource} / ${divisor}`);
});

test("host names and /etc/hosts follow hostname, subdomain and aliases", () => {
  assert.deepEqual(hostnameOf(aPod(), "cluster.local"), { hostname: "web", fqdn: undefined });
  const named = aPod({ hostname: "box", subdomain: "sub", hostAliases: [{ ip: "1.2.3.4", hostnames: ["a", "b"] }] });
  assert.deepEqual(hostnameOf(named, "cluster.local"), { hostname: "box", fqdn: "box.sub.default.svc.cluster.local" });
  assert.equal(
    hostnameOf({ ...named, spec: { ...named.spec, setHostnameAsFQDN: true } }, "c.l").hostname,
    "box.sub.default.svc.c.l",
  );
  const text = hostsFile(named, ["10.0.0.9"], "cluster.local");
  assert.ok(text.startsWith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
  assert.ok(
    text.endsWith("10.0.0.9\tbox.sub.default.svc.cluster.local\tbox\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n"),
  );
  assert.equal(
    hostnameOf(aPod({}, { name: `${"x".repeat(62)}-y` }), "c").hostname,
    "x".repeat(62),
    "cut to 63 characters, without a hyphen at the end",
  );
});

test("the resolver follows dnsPolicy and dnsConfig", () => {
  const options = {
    clusterDns: ["10.96.0.10"],
    clusterDomain: "cluster.local",
    hostDns: { servers: ["9.9.9.9"], searches: ["corp"], options: ["timeout:2"] },
  };
  const cluster = {
    servers: ["10.96.0.10"],
    searches: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp"],
    options: ["ndots:5"],
  };
  assert.deepEqual(dnsOf(aPod(), options), cluster);
  assert.deepEqual(dnsOf(aPod({ dnsPolicy: "Default" }), options), options.hostDns);
  assert.deepEqual(dnsOf(aPod({ hostNetwork: true, dnsPolicy: "ClusterFirst" }), options), options.hostDns);
  assert.deepEqual(dnsOf(aPod({ hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }), options), cluster);
  assert.deepEqual(
    dnsOf(
      aPod({
        dnsPolicy: "None",
        dnsConfig: { nameservers: ["1.1.1.1"], options: [{ name: "ndots", value: "2" }, { name: "edns0" }] },
      }),
      options,
    ),
    { servers: ["1.1.1.1"], searches: [], options: ["ndots:2", "edns0"] },
  );
  assert.deepEqual(
    dnsOf(aPod({ dnsConfig: { searches: ["mine"], options: [{ name: "ndots", value: "1" }] } }), options).options,
    ["ndots:1"],
  );
});

test("requests and limits become cgroup numbers and an out-of-memory score", () => {
  const given = (resources: object) => {
    const pod = aPod({ containers: [{ name: "app", resources }] });
    return { qos: qosClass(pod), ...linuxResources(pod, pod.spec.containers[0]!, 8 * 2 ** 30) };
  };
  assert.deepEqual(given({}), { qos: "BestEffort", cpuShares: 2, oomScoreAdj: 1000 });
  assert.deepEqual(given({ requests: { cpu: "500m", memory: "4Gi" } }), { qos: "Burstable", cpuShares: 512, oomScoreAdj: 500 });
  assert.deepEqual(given({ limits: { cpu: "2", memory: "1Gi" } }), {
    qos: "Guaranteed",
    cpuShares: 2048,
    cpuQuota: 200_000,
    cpuPeriod: 100_000,
    memoryLimitBytes: 2 ** 30,
    oomScoreAdj: -997,
  });
  assert.deepEqual(given({ requests: { cpu: "1m" }, limits: { cpu: "5m" } }), {
    qos: "Burstable",
    cpuShares: 2,
    cpuQuota: 1000,
    cpuPeriod: 100_000,
    oomScoreAdj: 999,
  });
});

test("runAsNonRoot refuses root, however it comes about", () => {
  const image = (user: string) => ({ id: "i", tags: [], digests: [], sizeBytes: 1, user });
  const attempt = (security: object, user: string) => {
    const pod = aPod({ containers: [{ name: "app", securityContext: { runAsNonRoot: true, ...security } }] });
    return () => securityOf(pod, pod.spec.containers[0]!, image(user));
  };
  assert.throws(attempt({}, ""), /container has runAsNonRoot and image will run as root \(pod: "web_default\(/);
  assert.throws(attempt({ runAsUser: 0 }, "1000"), /container's runAsUser breaks non-root policy/);
  assert.throws(attempt({}, "app"), /image has non-numeric user \(app\), cannot verify user is non-root/);
  assert.equal(attempt({}, "1000:1000")().runAsUser, 1000);
  assert.equal(attempt({ runAsUser: 5 }, "")().runAsUser, 5);
});

test("the container's security context overrules the pod's", () => {
  const pod = aPod({
    securityContext: {
      runAsUser: 1,
      runAsGroup: 2,
      fsGroup: 3,
      supplementalGroups: [4],
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "app",
        securityContext: {
          runAsUser: 9,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] },
        },
      },
    ],
  });
  const security = securityOf(pod, pod.spec.containers[0]!, { id: "i", tags: [], digests: [], sizeBytes: 1, user: "" });
  assert.deepEqual(
    [
      security.runAsUser,
      security.runAsGroup,
      security.supplementalGroups,
      security.noNewPrivileges,
      security.readOnlyRootFilesystem,
      security.seccomp,
      security.addCapabilities,
      security.dropCapabilities,
    ],
    [9, 2, [4, 3], true, true, "RuntimeDefault", ["NET_ADMIN"], ["ALL"]],
  );
  assert.ok(security.maskedPaths.includes("/proc/kcore"));
});

test("image names get their tag, and bad ones are refused", () => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["nginx", "nginx:latest"],
    ["nginx:1.2", "nginx:1.2"],
    ["host:5000/a/b", "host:5000/a/b:latest"],
    ["reg.example.com/a/b:v1", "reg.example.com/a/b:v1"],
    [`a@sha256:${"0".repeat(64)}`, `a@sha256:${"0".repeat(64)}`],
    ["", undefined],
    ["a b", undefined],
    ["a:b:c", undefined],
    ["/a", undefined],
  ];
  for (const [image, expected] of rows) assert.equal(withTag(image), expected, image);
  assert.deepEqual(["nginx", "a/b", "host:5000/x", "localhost/x", "ghcr.io/a/b"].map(registryOf), [
    "docker.io",
    "docker.io",
    "host:5000",
    "localhost",
    "ghcr.io",
  ]);
});

test("goDuration() prints as Go does", () => {
  for (const [ms, text] of [
    [0, "0s"],
    [350, "350ms"],
    [10_000, "10s"],
    [80_000, "1m20s"],
    [300_000, "5m0s"],
    [1_500, "1.5s"],
    [3_661_000, "1h1m1s"],
  ] as const)
    assert.equal(goDuration(ms), text);
});
