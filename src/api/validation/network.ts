// Ingresses, ingress classes, network policies, endpoint slices, service CIDRs and IP addresses.
import { semanticEqual } from "../deep-equal.ts";
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required, tooMany } from "../errors.ts";
import {
  isDns1123Label,
  isDns1123Subdomain,
  isDomainPrefixedPath,
  isLabelKey,
  isPortName,
  isPortNumber,
  isWildcardDns1123Subdomain,
} from "../names.ts";
import type { AnyObject } from "../rules.ts";
import {
  hasHostBits,
  ipFamily,
  ipNumber,
  oneOf,
  validateCIDR,
  validateIP,
  validateLabelSelector,
  validatePortNumOrName,
} from "./basics.ts";
import { immutableText, invalids, label1035Name, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";

const meta = (object: AnyObject, namespaced: boolean): FieldError[] =>
  validateObjectMeta(object.metadata, namespaced, subdomainName);
const metaUpdate = (next: AnyObject, old: AnyObject): FieldError[] => validateObjectMetaUpdate(next.metadata, old.metadata);

// Ingress

const hostName = (host: string, path: string): FieldError[] => {
  if (ipFamily(host) !== undefined)
    return [
      ...(host.includes(":")
        ? [invalidValue(path, host, "must be a DNS name, not an IP address"), ...invalids(path, host, isDns1123Subdomain(host))]
        : [invalidValue(path, host, "must be a DNS name, not an IP address")]),
    ];
  return invalids(path, host, host.includes("*") ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host));
};

function validateBackend(backend: AnyObject, path: string): FieldError[] {
  const { service, resource } = backend;
  if (resource !== undefined && service !== undefined)
    return [invalidValue(path, "", "cannot set both resource and service backends")];
  if (resource !== undefined)
    return [
      ...(resource.kind ? [] : [required(`${path}.resource.kind`)]),
      ...(resource.name ? [] : [required(`${path}.resource.name`)]),
    ];
  if (service === undefined) return [required(path, "resource or service backend is required")];
  const errors: FieldError[] = [];
  if (!service.name) errors.push(required(`${path}.service.name`));
  else errors.push(...invalids(`${path}.service.name`, service.name, label1035Name(service.name, false)));
  const { name = "", number = 0 } = service.port ?? {};
  if (name !== "" && number !== 0) errors.push(invalidValue(path, "", "cannot set both port name & port number"));
  else if (name !== "") errors.push(...invalids(`${path}.service.port.name`, name, isPortName(name)));
  else if (number !== 0) errors.push(...invalids(`${path}.service.port.number`, number, isPortNumber(number)));
  else errors.push(required(path, "port name or number is required"));
  return errors;
}

function ingressSpec(spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.defaultBackend !== undefined) errors.push(...validateBackend(spec.defaultBackend, "spec.defaultBackend"));
  else if ((spec.rules?.length ?? 0) === 0)
    errors.push(invalidValue("spec", spec.rules ?? null, "either `defaultBackend` or `rules` must be specified"));
  for (const [i, rule] of (spec.rules ?? []).entries()) {
    const at = `spec.rules[${i}]`;
    if (rule.host) errors.push(...hostName(rule.host, `${at}.host`));
    if (rule.http === undefined) continue;
    if ((rule.http.paths?.length ?? 0) === 0) errors.push(required(`${at}.http.paths`));
    for (const [p, path] of (rule.http.paths ?? []).entries()) errors.push(...validatePath(path, `${at}.http.paths[${p}]`));
  }
  for (const [i, tls] of (spec.tls ?? []).entries()) {
    for (const [h, host] of (tls.hosts ?? []).entries())
      errors.push(
        ...invalids(
          `spec.tls[${i}].hosts[${h}]`,
          host,
          host.includes("*") ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host),
        ),
      );
    if (tls.secretName) errors.push(...invalids(`spec.tls[${i}].secretName`, tls.secretName, isDns1123Subdomain(tls.secretName)));
  }
  if (spec.ingressClassName !== undefined)
    errors.push(...invalids("spec.ingressClassName", spec.ingressClassName, isDns1123Subdomain(spec.ingressClassName)));
  return errors;
}

const forbiddenInPath = ["//", "/./", "/../", "%2f", "%2F"];
const forbiddenAtEnd = ["/..", "/."];

function validatePath(path: AnyObject, at: string): FieldError[] {
  const errors: FieldError[] = [];
  const type = path.pathType;
  const text: string = path.path ?? "";
  if (type === undefined) return [required(`${at}.pathType`, "pathType must be specified")];
  if (type === "Exact" || type === "Prefix") {
    if (!text.startsWith("/")) errors.push(invalidValue(`${at}.path`, text, "must be an absolute path"));
    if (text !== "") {
      for (const part of forbiddenInPath)
        if (text.includes(part)) errors.push(invalidValue(`${at}.path`, text, `must not contain '${part}'`));
      for (const part of forbiddenAtEnd)
        if (text.endsWith(part)) errors.push(invalidValue(`${at}.path`, text, `cannot end with '${part}'`));
    }
  } else if (type === "ImplementationSpecific") {
    if (text !== "" && !text.startsWith("/")) errors.push(invalidValue(`${at}.path`, text, "must be an absolute path"));
  } else errors.push(notSupported(`${at}.pathType`, type, ["Exact", "ImplementationSpecific", "Prefix"]));
  return [...errors, ...validateBackend(path.backend ?? {}, `${at}.backend`)];
}

const classAnnotation = "kubernetes.io/ingress.class";
export function validateIngress(ingress: AnyObject): FieldError[] {
  const errors = [...meta(ingress, true), ...ingressSpec(ingress.spec ?? {})];
  const annotation = ingress.metadata?.annotations?.[classAnnotation];
  if (annotation !== undefined && ingress.spec?.ingressClassName !== undefined && annotation !== ingress.spec.ingressClassName)
    errors.push(
      invalidValue(`annotations.${classAnnotation}`, annotation, "must match `ingressClassName` when both are specified"),
    );
  return errors;
}
export const validateIngressUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...meta(next, true),
  ...ingressSpec(next.spec ?? {}),
];
export function validateIngressStatusUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = metaUpdate(next, old);
  for (const [i, entry] of (next.status?.loadBalancer?.ingress ?? []).entries()) {
    const at = `status.loadBalancer.ingress[${i}]`;
    if (entry.ip) errors.push(...validateIP(entry.ip, `${at}.ip`));
    if (entry.hostname) {
      errors.push(...invalids(`${at}.hostname`, entry.hostname, isDns1123Subdomain(entry.hostname)));
      if (ipFamily(entry.hostname) !== undefined)
        errors.push(invalidValue(`${at}.hostname`, entry.hostname, "must be a DNS name, not an IP address"));
    }
  }
  return errors;
}

export function validateIngressClass(ingressClass: AnyObject): FieldError[] {
  const errors = meta(ingressClass, false);
  const { controller = "", parameters } = ingressClass.spec ?? {};
  if (controller.length > 250)
    errors.push({ type: "FieldValueTooLong", field: "spec.controller", detail: "may not be more than 250 bytes" });
  errors.push(
    ...(controller === ""
      ? [required("spec.controller")]
      : invalids("spec.controller", controller, isDomainPrefixedPath(controller))),
  );
  if (parameters !== undefined) {
    if (!parameters.kind) errors.push(required("spec.parameters.kind"));
    if (!parameters.name) errors.push(required("spec.parameters.name"));
    if (parameters.scope === undefined) errors.push(required("spec.parameters.scope"));
    else errors.push(...oneOf(parameters.scope, ["Cluster", "Namespace"], "spec.parameters.scope"));
    if (parameters.scope === "Namespace" && parameters.namespace === undefined)
      errors.push(required("spec.parameters.namespace", "`parameters.scope` is set to 'Namespace'"));
    if (parameters.scope === "Cluster" && parameters.namespace !== undefined)
      errors.push(forbiddenField("spec.parameters.namespace", "`parameters.scope` is set to 'Cluster'"));
  }
  return errors;
}
export const validateIngressClassUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...(next.spec?.controller === old.spec?.controller
    ? []
    : [invalidValue("spec.controller", next.spec?.controller ?? "", immutableText)]),
  ...validateIngressClass(next),
];

// NetworkPolicy

export function validateNetworkPolicy(policy: AnyObject): FieldError[] {
  const errors = meta(policy, true);
  const { spec = {} } = policy;
  errors.push(...validateLabelSelector(spec.podSelector, "spec.podSelector"));
  for (const [list, peers] of [
    ["ingress", "from"],
    ["egress", "to"],
  ] as const)
    for (const [i, rule] of (spec[list] ?? []).entries()) {
      const at = `spec.${list}[${i}]`;
      for (const [p, port] of (rule.ports ?? []).entries()) errors.push(...policyPort(port, `${at}.ports[${p}]`));
      for (const [p, peer] of (rule[peers] ?? []).entries()) errors.push(...policyPeer(peer, `${at}.${peers}[${p}]`));
    }
  const types: readonly string[] = spec.policyTypes ?? [];
  if (types.length > 2) return [...errors, invalidValue("spec.policyTypes", types, "may not specify more than two policyTypes")];
  for (const [i, type] of types.entries())
    if (type !== "Ingress" && type !== "Egress") errors.push(notSupported(`spec.policyTypes[${i}]`, type, ["Egress", "Ingress"]));
  return errors;
}

function policyPort(port: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (port.protocol !== undefined && !["TCP", "UDP", "SCTP"].includes(port.protocol))
    errors.push(notSupported(`${path}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]));
  if (port.port !== undefined) {
    errors.push(...validatePortNumOrName(port.port, `${path}.port`));
    if (port.endPort !== undefined && typeof port.port === "number" && port.endPort < port.port)
      errors.push(invalidValue(`${path}.endPort`, port.endPort, "must be greater than or equal to `port`"));
    if (port.endPort !== undefined && typeof port.port === "string")
      errors.push(invalidValue(`${path}.endPort`, port.endPort, "may not be specified when `port` is non-numeric"));
    if (port.endPort !== undefined) errors.push(...invalids(`${path}.endPort`, port.endPort, isPortNumber(port.endPort)));
  } else if (port.endPort !== undefined)
    errors.push(invalidValue(`${path}.endPort`, port.endPort, "may not be specified when `port` is not specified"));
  return errors;
}

function policyPeer(peer: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let count = 0;
  if (peer.podSelector !== undefined) {
    count++;
    errors.push(...validateLabelSelector(peer.podSelector, `${path}.podSelector`));
  }
  if (peer.namespaceSelector !== undefined) {
    count++;
    errors.push(...validateLabelSelector(peer.namespaceSelector, `${path}.namespaceSelector`));
  }
  if (peer.ipBlock !== undefined) {
    count++;
    errors.push(...ipBlock(peer.ipBlock, `${path}.ipBlock`));
  }
  if (count === 0) errors.push(required(path, "must specify a peer"));
  else if (count > 1 && peer.ipBlock !== undefined)
    errors.push(forbiddenField(path, "may not specify both ipBlock and another peer"));
  return errors;
}

function ipBlock(block: AnyObject, path: string): FieldError[] {
  if (!block.cidr) return [required(`${path}.cidr`)];
  const errors = validateCIDR(block.cidr, `${path}.cidr`);
  if (errors.length > 0) return errors;
  for (const [i, except] of (block.except ?? []).entries()) {
    const at = `${path}.except[${i}]`;
    const bad = validateCIDR(except, at);
    errors.push(...bad);
    if (bad.length === 0 && !strictlyInside(except, block.cidr))
      errors.push(invalidValue(at, except, "must be a strict subset of `cidr`"));
  }
  return errors;
}

function strictlyInside(inner: string, outer: string): boolean {
  const [innerAddress = "", innerBits = "0"] = inner.split("/");
  const [outerAddress = "", outerBits = "0"] = outer.split("/");
  if (ipFamily(innerAddress) !== ipFamily(outerAddress) || Number(innerBits) <= Number(outerBits)) return false;
  const shift = BigInt((outerAddress.includes(":") ? 128 : 32) - Number(outerBits));
  return ipNumber(innerAddress) >> shift === ipNumber(outerAddress) >> shift;
}
export const validateNetworkPolicyUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...validateNetworkPolicy(next).slice(meta(next, true).length),
];

// EndpointSlice

const addressTypes = ["FQDN", "IPv4", "IPv6"];

export function validateEndpointSlice(slice: AnyObject): FieldError[] {
  const errors = meta(slice, true);
  const type = slice.addressType ?? "";
  if (type === "") errors.push(required("addressType"));
  else errors.push(...oneOf(type, addressTypes, "addressType"));
  errors.push(...slicePorts(slice.ports ?? []), ...endpoints(slice.endpoints ?? [], type));
  return errors;
}

function endpoints(list: readonly AnyObject[], type: string): FieldError[] {
  if (list.length > 1000) return [tooMany("endpoints", list.length, 1000)];
  const errors: FieldError[] = [];
  for (const [i, endpoint] of list.entries()) {
    const at = `endpoints[${i}]`;
    const addresses: readonly string[] = endpoint.addresses ?? [];
    if (addresses.length === 0) errors.push(required(`${at}.addresses`, "must contain at least 1 address"));
    else if (addresses.length > 100) errors.push(tooMany(`${at}.addresses`, addresses.length, 100));
    for (const [a, address] of addresses.entries()) errors.push(...endpointAddress(address, type, at, a));
    if (endpoint.nodeName !== undefined)
      errors.push(...invalids(`${at}.nodeName`, endpoint.nodeName, isDns1123Subdomain(endpoint.nodeName)));
    if (endpoint.hostname !== undefined)
      errors.push(...invalids(`${at}.hostname`, endpoint.hostname, isDns1123Label(endpoint.hostname)));
    const zones: readonly AnyObject[] = endpoint.hints?.forZones ?? [];
    if (zones.length > 8) errors.push(tooMany(`${at}.hints.forZones`, zones.length, 8));
    else {
      const seen = new Set<string>();
      for (const [z, zone] of zones.entries()) {
        if (seen.has(zone.name)) errors.push(duplicate(`${at}.hints.forZones[${z}].name`, zone.name));
        else seen.add(zone.name);
      }
    }
  }
  return errors;
}

function endpointAddress(address: string, type: string, at: string, index: number): FieldError[] {
  const path = `${at}.addresses[${index}]`;
  if (type === "FQDN") return invalids(path, address, isDns1123Subdomain(address));
  if (type !== "IPv4" && type !== "IPv6") return [];
  const errors = validateIP(address, path);
  if (errors.length > 0) return errors;
  const family = ipFamily(address);
  if (family === 6 && canonicalIPv6(address) !== address)
    errors.push(invalidValue(path, address, `must be in canonical form (${JSON.stringify(canonicalIPv6(address))})`));
  if (type === "IPv4" && family !== 4) errors.push(invalidValue(`${at}.addresses`, address, "must be an IPv4 address"));
  if (type === "IPv6" && family !== 6) errors.push(invalidValue(`${at}.addresses`, address, "must be an IPv6 address"));
  if (address === "0.0.0.0" || address === "::") errors.push(invalidValue(path, address, `may not be unspecified (${address})`));
  if (address.startsWith("127.") || address === "::1")
    errors.push(invalidValue(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
  if (address.startsWith("169.254.") || /^fe80:/i.test(address))
    errors.push(invalidValue(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
  if (/^224\.0\.0\./.test(address) || /^ff02:/i.test(address))
    errors.push(invalidValue(path, address, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
  return errors;
}

/** RFC 5952: lower case, no leading zeros, the longest run of zeros as "::". */
export function canonicalIPv6(address: string): string {
  const value = ipNumber(address);
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === "0") length++;
    if (length > best.length) best = { start: i, length };
    i += length;
  }
  if (best.start < 0) return groups.join(":");
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}

function slicePorts(ports: readonly AnyObject[]): FieldError[] {
  if (ports.length > 20_000) return [tooMany("ports", ports.length, 20_000)];
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const at = `ports[${i}]`;
    const name = port.name ?? "";
    if (name !== "") errors.push(...invalids(`${at}.name`, name, isDns1123Label(name)));
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    else names.add(name);
    if (port.protocol !== undefined && !["SCTP", "TCP", "UDP"].includes(port.protocol))
      errors.push(notSupported(`${at}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]));
    if (port.appProtocol !== undefined)
      errors.push(...invalids(`${at}.appProtocol`, port.appProtocol, isLabelKey(port.appProtocol)));
  }
  return errors;
}
export const validateEndpointSliceUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...(semanticEqual(next.endpoints, old.endpoints) ? slicePorts(next.ports ?? []) : validateEndpointSlice(next)),
  ...(next.addressType === old.addressType ? [] : [invalidValue("addressType", next.addressType ?? "", immutableText)]),
];

// ServiceCIDR, IPAddress

export function validateServiceCidr(object: AnyObject): FieldError[] {
  const errors = meta(object, false);
  const ranges: readonly string[] = object.spec?.cidrs ?? [];
  if (ranges.length === 0) return [...errors, required("spec.cidrs", "at least one CIDR required")];
  if (ranges.length > 2) return [...errors, invalidValue("spec.cidrs", { CIDRs: ranges }, "may only hold up to 2 values")];
  for (const [i, range] of ranges.entries()) {
    if (/^0\d|\.0\d|\/0\d/.test(range) && /^[\d.]+\/\d+$/.test(range)) {
      errors.push(invalidValue(`spec.cidrs[${i}]`, range, "must not have leading 0s in IP or prefix length"));
      continue;
    }
    const bad = validateCIDR(range, `spec.cidrs[${i}]`);
    errors.push(...bad);
    const [address = "", bits = ""] = range.split("/");
    if (bad.length === 0 && address.includes(":") && canonicalIPv6(address) !== address)
      errors.push(
        invalidValue(
          `spec.cidrs[${i}]`,
          range,
          `must be in canonical form (${JSON.stringify(`${canonicalIPv6(address)}/${bits}`)})`,
        ),
      );
    if (bad.length === 0 && hasHostBits(range))
      errors.push(invalidValue(`spec.cidrs[${i}]`, range, "must not have bits set beyond the prefix length"));
  }
  if (
    ranges.length === 2 &&
    errors.length === 0 &&
    ipFamily((ranges[0] ?? "").split("/")[0] ?? "") === ipFamily((ranges[1] ?? "").split("/")[0] ?? "")
  )
    errors.push(
      invalidValue(
        "spec.cidrs",
        ranges,
        "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
      ),
    );
  return errors;
}
export const validateServiceCidrUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...(semanticEqual(next.spec?.cidrs, old.spec?.cidrs)
    ? []
    : [invalidValue("spec.cidrs", next.spec?.cidrs ?? null, immutableText)]),
];
