// A pod's spec as a whole, also within templates.
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required, tooLong } from "../../errors.ts";
import { byteLength, inclusiveRangeError, isDns1123Label, isDns1123Subdomain, isLabelKey, regexError } from "../../names.ts";
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  type ParsedQuantity,
  tryParseQuantity,
  zeroQuantity,
} from "../../quantity.ts";
import type { AnyObject } from "../../rules.ts";
import { maxInt32, validateIP } from "../basics.ts";
import { invalids, validateLabels } from "../meta.ts";
import { type ContainerContext, validateContainers, validateEphemeralContainers, validateInitContainers } from "./containers.ts";
import { isHugePages, validateResourceRequirements } from "./resources.ts";
import { validateAffinity, validateSchedulingGates, validateSpread, validateTolerations } from "./scheduling.ts";
import { validateHostProcess, validateLinux, validatePodSecurityContext, validateWindows } from "./security.ts";
import { validateVolumes } from "./volumes.ts";

export function validatePodSpec(spec: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { errors: volumeErrors, byName } = validateVolumes(spec.volumes ?? [], `${path}.volumes`);
  errors.push(...volumeErrors);
  const claimNames = new Set<string>((spec.resourceClaims ?? []).map((claim: AnyObject) => claim.name));
  const context: ContainerContext = {
    volumes: byName,
    claimNames,
    grace: spec.terminationGracePeriodSeconds,
    podRestartPolicy: spec.restartPolicy,
    hostUsers: spec.hostUsers !== false,
    hostNetwork: spec.hostNetwork === true,
  };
  const containers = spec.containers ?? [];
  const init = spec.initContainers ?? [];
  errors.push(...validateResourceClaims(spec.resourceClaims ?? [], `${path}.resourceClaims`));
  errors.push(...validateContainers(containers, context, `${path}.containers`));
  errors.push(...validateInitContainers(init, containers, context, `${path}.initContainers`));
  errors.push(
    ...validateEphemeralContainers(spec.ephemeralContainers ?? [], containers, init, context, `${path}.ephemeralContainers`),
  );
  errors.push(...validatePodResources(spec, claimNames, `${path}.resources`));
  errors.push(...validateHostNetworkPorts(spec, path));
  errors.push(...enumeration(spec.restartPolicy, ["Always", "OnFailure", "Never"], `${path}.restartPolicy`));
  errors.push(
    ...enumeration(spec.dnsPolicy, ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], `${path}.dnsPolicy`),
  );
  errors.push(...validateLabels(spec.nodeSelector, `${path}.nodeSelector`));
  errors.push(...validatePodSecurityContext(spec.securityContext, spec, `${path}.securityContext`));
  errors.push(...validateAffinity(spec.affinity, `${path}.affinity`));
  errors.push(...validateDns(spec.dnsConfig, spec.dnsPolicy, `${path}.dnsConfig`));
  for (const [i, gate] of (spec.readinessGates ?? []).entries())
    errors.push(
      ...invalids(`${path}.readinessGates[${i}].conditionType`, gate.conditionType ?? "", isLabelKey(gate.conditionType ?? "")),
    );
  errors.push(...validateSchedulingGates(spec.schedulingGates ?? [], `${path}.schedulingGates`));
  errors.push(...validateSpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`));
  errors.push(...validateHostProcess(spec, path));
  errors.push(...validateHostUsers(spec, path));
  const named = (field: string, check: (value: string) => string[]): void => {
    if (spec[field]) errors.push(...invalids(`${path}.${field}`, spec[field], check(spec[field])));
  };
  named("serviceAccountName", isDns1123Subdomain);
  named("nodeName", isDns1123Subdomain);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32))
    errors.push(invalidValue(`${path}.activeDeadlineSeconds`, deadline, inclusiveRangeError(1, maxInt32)));
  named("hostname", isDns1123Label);
  named("subdomain", isDns1123Label);
  errors.push(...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`));
  errors.push(...validateHostAliases(spec.hostAliases ?? [], `${path}.hostAliases`));
  named("priorityClassName", isDns1123Subdomain);
  if (spec.runtimeClassName !== undefined)
    errors.push(...invalids(`${path}.runtimeClassName`, spec.runtimeClassName, isDns1123Subdomain(spec.runtimeClassName)));
  if (spec.preemptionPolicy !== undefined)
    errors.push(...enumeration(spec.preemptionPolicy, ["Never", "PreemptLowerPriority"], `${path}.preemptionPolicy`));
  if (spec.overhead !== undefined)
    errors.push(...validateResourceRequirements({ limits: spec.overhead }, new Set(), `${path}.overhead`));
  errors.push(...validateOs(spec, path));
  return [...errors, ...validateHostnameOverride(spec, path)];
}

const enumeration = (value: string | undefined, supported: readonly string[], path: string): FieldError[] =>
  !value ? [required(path)] : supported.includes(value) ? [] : [notSupported(path, value, supported)];

function validateOs(spec: AnyObject, path: string): FieldError[] {
  if (spec.os === undefined || spec.os === null) return [];
  if (!spec.os.name) return [required(`${path}.os.name`)];
  if (spec.os.name !== "linux" && spec.os.name !== "windows")
    return [notSupported(`${path}.os`, spec.os.name, ["linux", "windows"])];
  return spec.os.name === "linux" ? validateLinux(spec, path) : validateWindows(spec, path);
}

function validateHostnameOverride(spec: AnyObject, path: string): FieldError[] {
  const name = spec.hostnameOverride;
  if (name === undefined || name === null) return [];
  const at = `${path}.hostnameOverride`;
  const errors: FieldError[] = [];
  if (byteLength(name) > 64) errors.push(tooLong(at, 64));
  errors.push(...invalids(at, name, isDns1123Subdomain(name)));
  if (spec.setHostnameAsFQDN === true) errors.push(forbiddenField(at, "may not be specified when setHostnameAsFQDN is true"));
  if (spec.hostNetwork === true) errors.push(forbiddenField(at, "may not be specified when hostNetwork is true"));
  return errors;
}

/** Go's print of a claim reference. */
const shownClaim = (claim: AnyObject): unknown => ({
  Name: claim.name ?? "",
  ResourceClaimName: claim.resourceClaimName ?? null,
  ResourceClaimTemplateName: claim.resourceClaimTemplateName ?? null,
});

function validateResourceClaims(claims: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [i, claim] of claims.entries()) {
    const at = `${path}[${i}]`;
    const name = claim.name ?? "";
    if (name === "") errors.push(required(`${at}.name`));
    else if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    else {
      errors.push(...invalids(`${at}.name`, name, isDns1123Label(name)));
      names.add(name);
    }
    const { resourceClaimName: direct, resourceClaimTemplateName: template } = claim;
    if (direct !== undefined && template !== undefined)
      errors.push(
        invalidValue(at, shownClaim(claim), "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"),
      );
    if (direct === undefined && template === undefined)
      errors.push(invalidValue(at, shownClaim(claim), "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    if (direct !== undefined) errors.push(...invalids(`${at}.resourceClaimName`, direct, isDns1123Subdomain(direct)));
    if (template !== undefined)
      errors.push(...invalids(`${at}.resourceClaimTemplateName`, template, isDns1123Subdomain(template)));
  }
  return errors;
}

function validateHostNetworkPorts(spec: AnyObject, path: string): FieldError[] {
  if (spec.hostNetwork !== true) return [];
  const errors: FieldError[] = [];
  for (const list of ["containers", "initContainers"])
    for (const [c, container] of (spec[list] ?? []).entries())
      for (const [p, port] of (container.ports ?? []).entries())
        if ((port.hostPort ?? 0) !== 0 && port.hostPort !== port.containerPort)
          errors.push(
            invalidValue(
              `${path}.${list}[${c}].ports[${p}].hostPort`,
              port.hostPort,
              "must match `containerPort` when `hostNetwork` is true",
            ),
          );
  return errors;
}

/** A pod with a user namespace of its own shares none of the host's. */
function validateHostUsers(spec: AnyObject, path: string): FieldError[] {
  if (spec.hostUsers !== false) return [];
  const errors: FieldError[] = [];
  if (spec.hostNetwork === true) errors.push(forbiddenField(`${path}.hostNetwork`, "when `hostUsers` is false"));
  if (spec.hostPID === true) errors.push(forbiddenField(`${path}.HostPID`, "when `hostUsers` is false"));
  if (spec.hostIPC === true) errors.push(forbiddenField(`${path}.HostIPC`, "when `hostUsers` is false"));
  return errors;
}

const searchFormat = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
const searchPattern = /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;

function validateDns(config: AnyObject, policy: string | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (policy === "None") {
    if (config === undefined || config === null) return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")];
    if ((config.nameservers?.length ?? 0) === 0)
      return [required(`${path}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None")];
  }
  if (config === undefined || config === null) return errors;
  const servers: readonly string[] = config.nameservers ?? [];
  const searches: readonly string[] = config.searches ?? [];
  if (servers.length > 3) errors.push(invalidValue(`${path}.nameservers`, servers, "must not have more than 3 nameservers"));
  for (const [i, server] of servers.entries()) errors.push(...validateIP(server, `${path}.nameservers[${i}]`));
  if (searches.length > 32) errors.push(invalidValue(`${path}.searches`, searches, "must not have more than 32 search paths"));
  if (searches.join(" ").length > 2048)
    errors.push(
      invalidValue(`${path}.searches`, searches, "must not have more than 2048 characters (including spaces) in the search list"),
    );
  for (const [i, search] of searches.entries()) {
    const at = `${path}.searches[${i}]`;
    const bare = search.endsWith(".") ? search.slice(0, -1) : search;
    if (search === ".") continue;
    if (byteLength(bare) > 253) errors.push(invalidValue(at, search, "must be no more than 253 characters"));
    if (!searchPattern.test(bare))
      errors.push(
        invalidValue(
          at,
          bare,
          regexError(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
            searchFormat,
            "example.com",
          ),
        ),
      );
  }
  for (const [i, option] of (config.options ?? []).entries())
    if (!option.name) errors.push(required(`${path}.options[${i}]`, "must not be empty"));
  return errors;
}

function validateHostAliases(aliases: readonly AnyObject[], path: string): FieldError[] {
  return aliases.flatMap((alias, i) => [
    ...validateIP(alias.ip ?? "", `${path}[${i}].ip`),
    ...(alias.hostnames ?? []).flatMap((name: string, h: number) =>
      invalids(`${path}[${i}].hostnames[${h}]`, name, isDns1123Subdomain(name)),
    ),
  ]);
}

/** Pod-level resources (KEP-2837): they cover what the containers ask for together. */
function validatePodResources(spec: AnyObject, claimNames: ReadonlySet<string>, path: string): FieldError[] {
  if (spec.resources === undefined || spec.resources === null || Object.keys(spec.resources).length === 0) return [];
  const errors = validateResourceRequirements(spec.resources, claimNames, path, (name, at) =>
    name === "cpu" || name === "memory" || isHugePages(name) ? [] : [notSupported(at, name, ["cpu", "hugepages-", "memory"])],
  );
  const requests: Record<string, string> = spec.resources.requests ?? {};
  const totals = aggregate(spec);
  for (const name of Object.keys(requests).sort()) {
    const wanted = tryParseQuantity(requests[name]);
    const total = totals.get(name);
    if (wanted !== undefined && total !== undefined && compareQuantities(total, wanted) > 0)
      errors.push(
        invalidValue(
          `${path}.requests[${name}]`,
          requests[name],
          `must be greater than or equal to aggregate container requests of ${formatQuantity(total)}`,
        ),
      );
  }
  return errors;
}

/** What the pod's containers request at the same time: the sum of the running ones, or the largest init container with the sidecars before it. */
function aggregate(spec: AnyObject): Map<string, ParsedQuantity> {
  const requestsOf = (container: AnyObject): [string, ParsedQuantity][] =>
    Object.entries((container.resources?.requests ?? {}) as Record<string, string>).flatMap(([name, text]) => {
      const quantity = tryParseQuantity(text);
      return quantity === undefined ? [] : [[name, quantity] as [string, ParsedQuantity]];
    });
  const add = (totals: Map<string, ParsedQuantity>, container: AnyObject): void => {
    for (const [name, quantity] of requestsOf(container))
      totals.set(name, addQuantities(totals.get(name) ?? zeroQuantity, quantity));
  };
  const totals = new Map<string, ParsedQuantity>();
  for (const container of spec.containers ?? []) add(totals, container);
  const sidecars = new Map<string, ParsedQuantity>();
  const peaks = new Map<string, ParsedQuantity>();
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      add(totals, container);
      add(sidecars, container);
      continue;
    }
    for (const [name, quantity] of requestsOf(container)) {
      const here = addQuantities(quantity, sidecars.get(name) ?? zeroQuantity);
      if (compareQuantities(here, peaks.get(name) ?? zeroQuantity) > 0) peaks.set(name, here);
    }
  }
  for (const [name, peak] of peaks) if (compareQuantities(peak, totals.get(name) ?? zeroQuantity) > 0) totals.set(name, peak);
  return totals;
}
