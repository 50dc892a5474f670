// Services: preparation when the type changes, and the static checks; addresses and ports are allocated elsewhere.
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { isDns1123Label, isDns1123Subdomain, isLabelKey, isPortNumber } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { hasHostBits, ipFamily, oneOf, validateCIDR, validateIP, validatePortNumOrName } from "./basics.ts";
import { keepStatus, withField, without } from "./helpers.ts";
import { invalids, label1035Name, validateLabels, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";
import { topologyAnnotations } from "./service-annotations.ts";

const isExternalName = (service: AnyObject): boolean => service.spec?.type === "ExternalName";
const needsClusterIP = (service: AnyObject): boolean => ["ClusterIP", "NodePort", "LoadBalancer"].includes(service.spec?.type);
const needsNodePort = (spec: AnyObject): boolean =>
  spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
const needsHealthCheck = (spec: AnyObject): boolean => spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
const externallyAccessible = (spec: AnyObject): boolean =>
  spec.type === "LoadBalancer" || spec.type === "NodePort" || (spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0);

/** clusterIP is the first of clusterIPs: a client that knows only the one still means both. */
function sameClusterIPs(spec: AnyObject, old: AnyObject): AnyObject {
  const one: string = spec.clusterIP ?? "";
  const many: readonly string[] = spec.clusterIPs ?? [];
  if (old === undefined) {
    if (many.length === 0 && one !== "") return { ...spec, clusterIPs: [one] };
    return spec;
  }
  const before: string = old.clusterIP ?? "";
  const beforeMany: readonly string[] = old.clusterIPs ?? [];
  const sameMany = many.length === beforeMany.length && many.every((ip, i) => ip === beforeMany[i]);
  if (before !== "" && one === "" && sameMany) return without(spec, "clusterIPs");
  if (one !== before && sameMany) return { ...spec, clusterIPs: [one] };
  return spec;
}

export const prepareServiceForCreate = (service: AnyObject): AnyObject => {
  const bare = without(service, "status");
  return withField(bare, "spec", dropTypeDependent(sameClusterIPs(bare.spec ?? {}, undefined), undefined));
};

export function prepareServiceForUpdate(next: AnyObject, old: AnyObject): AnyObject {
  let spec = sameClusterIPs(next.spec ?? {}, old.spec ?? {});
  spec = carryOver(spec, { ...next, spec }, old);
  const kept = keepStatus(withField(next, "spec", dropTypeDependent(spec, old.spec)), old);
  // what balanced its load does so no more
  return old.spec?.type === "LoadBalancer" && spec.type !== "LoadBalancer" && kept.status !== undefined
    ? { ...kept, status: { ...kept.status, loadBalancer: {} } }
    : kept;
}

/** What was allocated stays when the client leaves it out. */
function carryOver(spec: AnyObject, next: AnyObject, old: AnyObject): AnyObject {
  let kept = spec;
  if (needsClusterIP(old) && needsClusterIP(next)) {
    if (!kept.clusterIP && !(kept.clusterIPs?.length > 0))
      kept = { ...kept, clusterIP: old.spec.clusterIP, clusterIPs: old.spec.clusterIPs };
    else if (!(kept.clusterIPs?.length > 0) && kept.clusterIP === old.spec.clusterIP)
      kept = { ...kept, clusterIPs: old.spec.clusterIPs };
    else if (!kept.clusterIP && kept.clusterIPs?.[0] === old.spec.clusterIP) kept = { ...kept, clusterIP: old.spec.clusterIP };
    if (kept.ipFamilies === undefined && old.spec.ipFamilies !== undefined && kept.ipFamilyPolicy === undefined)
      kept = { ...kept, ipFamilies: old.spec.ipFamilies };
    if (kept.ipFamilyPolicy === undefined && old.spec.ipFamilyPolicy !== undefined)
      kept = { ...kept, ipFamilyPolicy: old.spec.ipFamilyPolicy };
    if (kept.ipFamilies === undefined && old.spec.ipFamilies !== undefined) kept = { ...kept, ipFamilies: old.spec.ipFamilies };
  }
  if (needsNodePort(old.spec) && needsNodePort(kept)) {
    const key = (port: AnyObject): string => `${port.protocol}/${port.port}`;
    const byKey = new Map<string, number>((old.spec.ports ?? []).map((port: AnyObject) => [key(port), port.nodePort]));
    const used = new Set<number>((kept.ports ?? []).map((port: AnyObject) => port.nodePort).filter((port: number) => port));
    kept = {
      ...kept,
      ports: (kept.ports ?? []).map((port: AnyObject) => {
        const before = byKey.get(key(port));
        if (port.nodePort || !before || used.has(before)) return port;
        used.add(before);
        return { ...port, nodePort: before };
      }),
    };
  }
  if (needsHealthCheck(old.spec) && needsHealthCheck(kept) && !kept.healthCheckNodePort && old.spec.healthCheckNodePort)
    kept = { ...kept, healthCheckNodePort: old.spec.healthCheckNodePort };
  return kept;
}

/** Fields that the old type had and the new one cannot have go, unless the client changed them too. */
function dropTypeDependent(spec: AnyObject, old: AnyObject): AnyObject {
  if (old === undefined) return spec;
  let kept = spec;
  const same = (field: string): boolean => JSON.stringify(kept[field]) === JSON.stringify(old[field]);
  const drop = (needed: boolean, was: boolean, ...fields: readonly string[]): void => {
    if (needed || !was) return;
    if (fields.every(same)) kept = without(kept, ...fields);
  };
  drop(spec.type !== "ExternalName", old.type !== "ExternalName", "clusterIP", "clusterIPs");
  drop(spec.type !== "ExternalName", old.type !== "ExternalName", "ipFamilies", "ipFamilyPolicy");
  if (needsNodePort(old) && !needsNodePort(kept)) {
    const before = new Set((old.ports ?? []).map((port: AnyObject) => port.nodePort));
    if ((kept.ports ?? []).every((port: AnyObject) => !port.nodePort || before.has(port.nodePort)))
      kept = { ...kept, ports: (kept.ports ?? []).map((port: AnyObject) => without(port, "nodePort")) };
  }
  drop(needsHealthCheck(kept), needsHealthCheck(old), "healthCheckNodePort");
  drop(kept.type === "LoadBalancer", old.type === "LoadBalancer", "allocateLoadBalancerNodePorts");
  drop(kept.type === "LoadBalancer", old.type === "LoadBalancer", "loadBalancerClass");
  drop(externallyAccessible(kept), externallyAccessible(old), "externalTrafficPolicy");
  drop(kept.type !== "ExternalName", old.type !== "ExternalName", "internalTrafficPolicy");
  return kept;
}

const serviceTypes = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

function validateServiceObject(service: AnyObject): FieldError[] {
  const errors = [...validateObjectMeta(service.metadata, true, label1035Or1123), ...topologyAnnotations(service)];
  const { spec } = service;
  const ports: readonly AnyObject[] = spec.ports ?? [];
  const headless = spec.clusterIP === "None";
  if (ports.length === 0 && !headless && spec.type !== "ExternalName") errors.push(required("spec.ports"));
  if (spec.type === "LoadBalancer" || spec.type === "NodePort") {
    if (headless || (spec.clusterIPs ?? []).includes("None"))
      errors.push(invalidValue("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${spec.type} services`));
  }
  if (spec.type === "ExternalName") {
    if ((spec.clusterIPs?.length ?? 0) > 0)
      errors.push(forbiddenField("spec.clusterIPs", "may not be set for ExternalName services"));
    if ((spec.ipFamilies?.length ?? 0) > 0)
      errors.push(forbiddenField("spec.ipFamilies", "may not be set for ExternalName services"));
    if (spec.ipFamilyPolicy !== undefined)
      errors.push(forbiddenField("spec.ipFamilyPolicy", "may not be set for ExternalName services"));
    const name = (spec.externalName ?? "").replace(/\.$/, "");
    if (name === "") errors.push(required("spec.externalName"));
    else errors.push(...invalids("spec.externalName", name, isDns1123Subdomain(name)));
  }
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) errors.push(...validatePort(port, ports.length > 1, names, `spec.ports[${i}]`));
  errors.push(...validateLabels(spec.selector, "spec.selector"));
  if (!spec.sessionAffinity) errors.push(required("spec.sessionAffinity"));
  else errors.push(...oneOf(spec.sessionAffinity, ["ClientIP", "None"], "spec.sessionAffinity"));
  if (spec.sessionAffinity === "ClientIP")
    errors.push(...validateClientIP(spec.sessionAffinityConfig, "spec.sessionAffinityConfig"));
  else if (spec.sessionAffinity === "None" && spec.sessionAffinityConfig !== undefined)
    errors.push(forbiddenField("spec.sessionAffinityConfig", "must not be set when session affinity is None"));
  errors.push(...validateClusterIPs(service));
  for (const [i, ip] of (spec.externalIPs ?? []).entries()) errors.push(...validateExternalIP(ip, `spec.externalIPs[${i}]`));
  if (!spec.type) errors.push(required("spec.type"));
  else errors.push(...oneOf(spec.type, serviceTypes, "spec.type"));
  errors.push(...validatePortConflicts(ports, spec));
  errors.push(...validateSourceRanges(service));
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== "LoadBalancer")
    errors.push(forbiddenField("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'"));
  if (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts === undefined)
    errors.push(required("spec.allocateLoadBalancerNodePorts"));
  if (spec.loadBalancerClass !== undefined) {
    if (spec.type !== "LoadBalancer")
      errors.push(forbiddenField("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'"));
    errors.push(...invalids("spec.loadBalancerClass", spec.loadBalancerClass, isLabelKey(spec.loadBalancerClass)));
  }
  errors.push(...validateTraffic(spec));
  if (
    spec.trafficDistribution !== undefined &&
    !["PreferClose", "PreferSameZone", "PreferSameNode"].includes(spec.trafficDistribution)
  )
    errors.push(
      notSupported("spec.trafficDistribution", spec.trafficDistribution, ["PreferClose", "PreferSameZone", "PreferSameNode"]),
    );
  return errors;
}

/** Since 1.35 service names may begin with a digit (RelaxedServiceNameValidation). */
const label1035Or1123 = (name: string, prefix: boolean): string[] =>
  label1035Name(name, prefix).length === 0
    ? []
    : /^[0-9]/.test(name) && isDns1123Label(name).length === 0
      ? []
      : relaxed(name, prefix);
const relaxed = (name: string, prefix: boolean): string[] =>
  isDns1123Label(prefix && name.endsWith("-") ? `${name.slice(0, -2)}a` : name);

function validatePort(port: AnyObject, needName: boolean, names: Set<string>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!port.name) {
    if (needName) errors.push(required(`${path}.name`));
  } else {
    errors.push(...invalids(`${path}.name`, port.name, isDns1123Label(port.name)));
    if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
    else names.add(port.name);
  }
  errors.push(...invalids(`${path}.port`, port.port ?? 0, isPortNumber(port.port ?? 0)));
  if (!port.protocol) errors.push(required(`${path}.protocol`));
  else errors.push(...oneOf(port.protocol, ["SCTP", "TCP", "UDP"], `${path}.protocol`));
  errors.push(...validatePortNumOrName(port.targetPort, `${path}.targetPort`));
  if (port.appProtocol) errors.push(...invalids(`${path}.appProtocol`, port.appProtocol, isLabelKey(port.appProtocol)));
  return errors;
}

function validateClientIP(config: AnyObject, path: string): FieldError[] {
  if (config?.clientIP === undefined) return [required(path, `when session affinity type is ClientIP`)];
  const seconds = config.clientIP.timeoutSeconds;
  if (seconds === undefined) return [required(`${path}.clientIP.timeoutSeconds`)];
  return seconds <= 0 || seconds > 86400
    ? [invalidValue(`${path}.clientIP.timeoutSeconds`, seconds, "must be greater than 0 and less than 86400")]
    : [];
}

function validateExternalIP(ip: string, path: string): FieldError[] {
  const errors = validateIP(ip, path);
  if (errors.length > 0) return errors;
  if (ip === "0.0.0.0" || ip === "::") errors.push(invalidValue(path, ip, "may not be unspecified"));
  if (ip.startsWith("127.") || ip === "::1")
    errors.push(invalidValue(path, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
  if (ip.startsWith("169.254.") || /^fe80:/i.test(ip))
    errors.push(invalidValue(path, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
  if (/^224\.0\.0\./.test(ip) || /^ff02:/i.test(ip))
    errors.push(invalidValue(path, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
  return errors;
}

function validatePortConflicts(ports: readonly AnyObject[], spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const nodePorts = new Set<string>();
  const portKeys = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const path = `spec.ports[${i}]`;
    if (port.nodePort && spec.type === "ClusterIP")
      errors.push(forbiddenField(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    else if (port.nodePort) {
      const key = `${port.protocol}/${port.nodePort}`;
      if (nodePorts.has(key)) errors.push(duplicate(`${path}.nodePort`, port.nodePort));
      nodePorts.add(key);
    }
  }
  for (const [i, port] of ports.entries()) {
    const key = `${port.protocol}/${port.port}`;
    if (portKeys.has(key)) errors.push(duplicate(`spec.ports[${i}]`, { protocol: port.protocol, port: port.port }));
    portKeys.add(key);
  }
  return errors;
}

const sourceRanges = "service.beta.kubernetes.io/load-balancer-source-ranges";

function validateSourceRanges(service: AnyObject): FieldError[] {
  const { spec } = service;
  const errors: FieldError[] = [];
  const annotation: string | undefined = service.metadata?.annotations?.[sourceRanges];
  const annotated = spec.loadBalancerSourceRanges === undefined && annotation !== undefined;
  const ranges: readonly string[] = annotated
    ? annotation
        .trim()
        .split(",")
        .filter((range) => range !== "")
    : (spec.loadBalancerSourceRanges ?? []);
  const path = annotated ? `metadata.annotations[${sourceRanges}]` : "spec.LoadBalancerSourceRanges";
  if (ranges.length > 0 && spec.type !== "LoadBalancer")
    errors.push(forbiddenField(path, "may only be used when `type` is 'LoadBalancer'"));
  for (const [i, given] of ranges.entries()) {
    const range = given.trim();
    const at = annotated ? path : `${path}[${i}]`;
    if (/^0\d|\.0\d|\/0\d/.test(range) && /^[\d.]+\/\d+$/.test(range))
      errors.push(invalidValue(at, given, "must not have leading 0s in IP or prefix length"));
    else {
      const bad = validateCIDR(range, at);
      errors.push(...bad);
      if (bad.length === 0 && hasHostBits(range))
        errors.push(invalidValue(at, given, "must not have bits set beyond the prefix length"));
    }
  }
  return errors;
}

function validateTraffic(spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const accessible = externallyAccessible(spec);
  if (spec.externalTrafficPolicy) {
    if (!accessible)
      errors.push(
        invalidValue(
          "spec.externalTrafficPolicy",
          spec.externalTrafficPolicy,
          "may only be set for externally-accessible services",
        ),
      );
    else if (!["Cluster", "Local"].includes(spec.externalTrafficPolicy))
      errors.push(notSupported("spec.externalTrafficPolicy", spec.externalTrafficPolicy, ["Cluster", "Local"]));
  } else if (accessible) errors.push(required("spec.externalTrafficPolicy", "for externally-accessible services"));
  const port = spec.healthCheckNodePort ?? 0;
  if (port !== 0 && !needsHealthCheck(spec))
    errors.push(
      invalidValue(
        "spec.healthCheckNodePort",
        port,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  if (["ClusterIP", "NodePort", "LoadBalancer"].includes(spec.type) && spec.internalTrafficPolicy === undefined)
    errors.push(required("spec.internalTrafficPolicy"));
  if (spec.internalTrafficPolicy !== undefined && !["Cluster", "Local"].includes(spec.internalTrafficPolicy))
    errors.push(notSupported("spec.internalTrafficPolicy", spec.internalTrafficPolicy, ["Cluster", "Local"]));
  return errors;
}

function validateClusterIPs(service: AnyObject): FieldError[] {
  const { spec } = service;
  if (spec.type === "ExternalName") return [];
  const errors: FieldError[] = [];
  const one: string = spec.clusterIP ?? "";
  const ips: readonly string[] = spec.clusterIPs ?? [];
  if (one === "" && ips.length > 0)
    errors.push(invalidValue("spec.clusterIPs", ips, "must be empty when `clusterIP` is not specified"));
  else if (one !== "" && ips.length > 0 && ips[0] !== one)
    errors.push(invalidValue("spec.clusterIPs", ips, "first value must match `clusterIP`"));
  const policy = spec.ipFamilyPolicy;
  if (policy !== undefined && !["SingleStack", "PreferDualStack", "RequireDualStack"].includes(policy))
    errors.push(notSupported("spec.ipFamilyPolicy", policy, ["PreferDualStack", "RequireDualStack", "SingleStack"]));
  const families = new Set<string>();
  for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
    if (family !== "IPv4" && family !== "IPv6") errors.push(notSupported(`spec.ipFamilies[${i}]`, family, ["IPv4", "IPv6"]));
    if (families.has(family)) errors.push(duplicate(`spec.ipFamilies[${i}]`, family));
    families.add(family);
  }
  if (one === "None" && ips.length > 1)
    errors.push(invalidValue("spec.clusterIPs", ips, "may not contain other values when 'None'"));
  for (const [i, ip] of ips.entries()) {
    const at = `spec.clusterIPs[${i}]`;
    if (i === 0 && ip === "None") continue;
    const bad = validateIP(ip, at);
    errors.push(...bad);
    if (bad.length > 0) continue;
    const family = spec.ipFamilies?.[i];
    const actual = ipFamily(ip) === 6 ? "IPv6" : "IPv4";
    if ((family === "IPv4" || family === "IPv6") && family !== actual)
      errors.push(invalidValue(at, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``));
  }
  if (ips.length > 2) errors.push(invalidValue("spec.clusterIPs", ips, "may only hold up to 2 values"));
  else if (ips.length === 2 && ipFamily(ips[0] ?? "") === ipFamily(ips[1] ?? ""))
    errors.push(invalidValue("spec.clusterIPs", ips, "may specify no more than one IP for each IP family"));
  return errors;
}

export const validateService = (service: AnyObject): FieldError[] => [
  ...validateServiceObject(service),
  ...loadBalancerStatus(service),
];

export function validateServiceUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = validateObjectMetaUpdate(next.metadata, old.metadata);
  if (
    !isExternalName(old) &&
    !isExternalName(next) &&
    old.spec?.clusterIP &&
    next.spec?.clusterIP &&
    old.spec.clusterIP !== "None" &&
    next.spec.clusterIP !== old.spec.clusterIP &&
    needsClusterIP(old)
  )
    errors.push(invalidValue("spec.clusterIPs[0]", next.spec.clusterIPs ?? [next.spec.clusterIP], "may not change once set"));
  if (old.spec?.loadBalancerClass !== undefined || old.spec?.type === "LoadBalancer")
    if (
      next.spec?.type === "LoadBalancer" &&
      old.spec?.type === "LoadBalancer" &&
      next.spec.loadBalancerClass !== old.spec.loadBalancerClass
    )
      errors.push(invalidValue("spec.loadBalancerClass", next.spec.loadBalancerClass ?? null, "may not change once set"));
  return [...errors, ...validateServiceObject(next)];
}

function loadBalancerStatus(service: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const path = "status.loadBalancer.ingress";
  const ingress: readonly AnyObject[] = service.status?.loadBalancer?.ingress ?? [];
  if (ingress.length > 0 && service.spec?.type !== "LoadBalancer")
    return [forbiddenField(path, "may only be used when `spec.type` is 'LoadBalancer'")];
  for (const [i, entry] of ingress.entries()) {
    const at = `${path}[${i}]`;
    if (entry.ip) errors.push(...validateIP(entry.ip, `${at}.ip`));
    if (entry.ip && entry.ipMode === undefined) errors.push(required(`${at}.ipMode`, "must be specified when `ip` is set"));
    if (!entry.ip && entry.ipMode !== undefined)
      errors.push(forbiddenField(`${at}.ipMode`, "may not be specified when `ip` is not set"));
    if (entry.ip && entry.ipMode !== undefined && !["VIP", "Proxy"].includes(entry.ipMode))
      errors.push(notSupported(`${at}.ipMode`, entry.ipMode, ["Proxy", "VIP"]));
    if (entry.hostname) {
      errors.push(...invalids(`${at}.hostname`, entry.hostname, isDns1123Subdomain(entry.hostname)));
      if (ipFamily(entry.hostname) !== undefined)
        errors.push(invalidValue(`${at}.hostname`, entry.hostname, "must be a DNS name, not an IP address"));
    }
  }
  return errors;
}

export const validateServiceStatusUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...loadBalancerStatus(next),
];
