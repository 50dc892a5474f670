// ResourceClaims, their templates and ResourceSlices: who asks for which devices, and which there are. CEL expressions are not looked into.
import { semanticEqual } from "../deep-equal.ts";
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required, tooLong, tooMany } from "../errors.ts";
import { byteLength, isDns1123Label, isDns1123Subdomain, isLabelKey, isLabelValue, regexError } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { validateCIDR } from "./basics.ts";
import { goAllocation } from "./device-values.ts";
import { asGo } from "./go-shapes.ts";
import { immutableText, invalids, validateAnnotations, validateLabels } from "./meta.ts";
import { validateNodeSelector } from "./pod/scheduling.ts";

const maxRequests = 32;
const maxAlternatives = 8;
const maxDevices = 128;
const maxText = 64;
const maxDriverName = 63;

/** Checks every item, then how many there are of a key: upstream's order. */
function setErrors(
  items: readonly AnyObject[] | undefined | null,
  path: string,
  max: number,
  keyOf: (item: AnyObject) => string,
  check: (item: AnyObject, path: string) => FieldError[],
): FieldError[] {
  const list = items ?? [];
  const errors: FieldError[] = list.length > max ? [tooMany(path, list.length, max)] : [];
  const keys = new Set<string>();
  const twice: FieldError[] = [];
  for (const [i, item] of list.entries()) {
    errors.push(...check(item, `${path}[${i}]`));
    const key = keyOf(item);
    if (keys.has(key)) twice.push(duplicate(`${path}[${i}]`, key));
    keys.add(key);
  }
  return [...errors, ...twice];
}

const orRequired = (path: string, value: string | undefined, check: (value: string) => string[]): FieldError[] =>
  (value ?? "") === "" ? [required(path)] : invalids(path, value, check(value ?? ""));
const label = (path: string, value: string | undefined): FieldError[] => invalids(path, value ?? "", isDns1123Label(value ?? ""));
const nameOf = (item: AnyObject): string => item.name ?? "";

function driverErrors(path: string, driver: string | undefined): FieldError[] {
  const errors = orRequired(path, driver, isDns1123Subdomain);
  if (byteLength(driver ?? "") > maxDriverName) errors.push(tooLong(path, maxDriverName));
  return errors;
}

/** Segments with slashes between them. */
const poolErrors = (path: string, pool: string | undefined): FieldError[] =>
  orRequired(path, pool, (value) => value.split("/").flatMap(isDns1123Subdomain));

// claims

const oneRequestType = "exactly one of `exactly` or `firstAvailable` is required";

export const claimSpecErrors = (spec: AnyObject, path: string): FieldError[] => {
  const { requests, config } = spec?.devices ?? {};
  const errors = setErrors(requests, `${path}.devices.requests`, maxRequests, nameOf, requestErrors);
  for (const [i, each] of (config ?? []).entries()) {
    const at = `${path}.devices.config[${i}].opaque`;
    if (each.opaque === undefined) errors.push(required(at));
    else errors.push(...driverErrors(`${at}.driver`, each.opaque.driver));
  }
  return errors;
};

function requestErrors(request: AnyObject, path: string): FieldError[] {
  const errors = label(`${path}.name`, request.name);
  const hasAlternatives = (request.firstAvailable ?? []).length > 0;
  if (hasAlternatives)
    errors.push(...setErrors(request.firstAvailable, `${path}.firstAvailable`, maxAlternatives, nameOf, alternativeErrors));
  if (request.exactly !== undefined) errors.push(...deviceErrors(request.exactly, `${path}.exactly`));
  if (!hasAlternatives && request.exactly === undefined) errors.push(required(path, oneRequestType));
  if (hasAlternatives && request.exactly !== undefined)
    errors.push(invalidValue(path, null, `${oneRequestType}, but multiple fields are set`));
  return errors;
}

const alternativeErrors = (request: AnyObject, path: string): FieldError[] => [
  ...label(`${path}.name`, request.name),
  ...deviceErrors(request, path),
];

function deviceErrors(request: AnyObject, path: string): FieldError[] {
  const errors = orRequired(`${path}.deviceClassName`, request.deviceClassName, isDns1123Subdomain);
  if ((request.selectors ?? []).length > maxRequests)
    errors.push(tooMany(`${path}.selectors`, request.selectors.length, maxRequests));
  for (const [i, selector] of (request.selectors ?? []).entries())
    if (selector.cel === undefined) errors.push(required(`${path}.selectors[${i}].cel`));
  const count = request.count ?? 0;
  if (request.allocationMode === "All") {
    if (count !== 0) errors.push(invalidValue(`${path}.count`, count, "must not be specified when allocationMode is 'All'"));
  } else if (request.allocationMode === "ExactCount") {
    if (count <= 0) errors.push(invalidValue(`${path}.count`, count, "must be greater than zero"));
  } else errors.push(notSupported(`${path}.allocationMode`, request.allocationMode ?? "", ["All", "ExactCount"]));
  return errors;
}

/** What Go's metadata has, and a template may not set. */
const setBySystem = ["name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"];

export function claimTemplateErrors(template: AnyObject): FieldError[] {
  const { metadata, spec } = template.spec ?? {};
  return [
    ...validateAnnotations(metadata?.annotations, "spec.metadata.annotations"),
    ...validateLabels(metadata?.labels, "spec.metadata.labels"),
    ...setBySystem
      .filter((field) => metadata?.[field] !== undefined)
      .map((field) => forbiddenField(`spec.metadata.${field}`, "cannot be set")),
    ...claimSpecErrors(spec, "spec.spec"),
  ];
}

const idOf = ({ driver = "", pool = "", device = "", shareID = "" }: AnyObject): string =>
  [driver, pool, device, shareID].join("/");

const maxReserved = 256;

const addressText = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)";

/** An allocation is made once; who uses it may change. */
export function claimStatusErrors(next: AnyObject, old: AnyObject): FieldError[] {
  const { allocation, reservedFor, devices } = next.status ?? {};
  const before = old.status?.allocation;
  const errors = setErrors(
    reservedFor,
    "status.reservedFor",
    maxReserved,
    ({ uid }) => uid ?? "",
    (consumer, path) =>
      ["resource", "name", "uid"].filter((field) => !consumer[field]).map((field) => required(`${path}.${field}`)),
  );
  if (allocation === undefined && (reservedFor ?? []).length > 0)
    errors.push(forbiddenField("status.reservedFor", "may not be specified when `allocated` is not set"));
  if (allocation !== undefined && before !== undefined) {
    if (!semanticEqual(allocation, before))
      errors.push(invalidValue("status.allocation", goAllocation(allocation), immutableText));
  } else if (allocation !== undefined) errors.push(...allocationErrors(allocation, next.spec));
  const allocated = new Set((allocation?.devices?.results ?? []).map(idOf));
  errors.push(
    ...setErrors(devices, "status.devices", Number.POSITIVE_INFINITY, idOf, (device, path) => {
      const { driver = "", pool = "", device: name = "", shareID = "" } = device;
      const found: FieldError[] = [];
      if (!allocated.has(idOf(device)))
        found.push(
          invalidValue(
            path,
            { Driver: driver, Pool: pool, Device: name, ShareID: shareID },
            "must be an allocated device in the claim",
          ),
        );
      for (const [i, ip] of ((device.networkData?.ips ?? []) as readonly string[]).entries())
        if (validateCIDR(ip, "").length > 0) found.push(invalidValue(`${path}.networkData.ips[${i}]`, ip, addressText));
      return found;
    }),
  );
  return errors;
}

function allocationErrors(allocation: AnyObject, spec: AnyObject): FieldError[] {
  const names = new Set<string>();
  for (const request of spec?.devices?.requests ?? []) {
    if ((request.firstAvailable ?? []).length === 0) names.add(request.name);
    for (const alternative of request.firstAvailable ?? []) names.add(`${request.name}/${alternative.name}`);
  }
  const path = "status.allocation.devices.results";
  const results = (allocation.devices?.results ?? []) as readonly AnyObject[];
  const errors: FieldError[] = results.length > maxRequests ? [tooMany(path, results.length, maxRequests)] : [];
  for (const [i, result] of results.entries()) {
    const at = `${path}[${i}]`;
    if (!names.has(result.request ?? ""))
      errors.push(
        invalidValue(
          `${at}.request`,
          result.request ?? "",
          "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
        ),
      );
    errors.push(...driverErrors(`${at}.driver`, result.driver));
    errors.push(...poolErrors(`${at}.pool`, result.pool));
    errors.push(...label(`${at}.device`, result.device));
  }
  return errors;
}

// slices

const sliceChoice = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
const deviceChoice =
  "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";

export function sliceErrors(slice: AnyObject): FieldError[] {
  const spec = slice.spec ?? {};
  const { pool = {}, devices = [], sharedCounters = [] } = spec;
  const errors = [...driverErrors("spec.driver", spec.driver), ...poolErrors("spec.pool.name", pool.name)];
  const { resourceSliceCount = 0, generation = 0 } = pool;
  if (resourceSliceCount <= 0)
    errors.push(invalidValue("spec.pool.resourceSliceCount", resourceSliceCount, "must be greater than zero"));
  if (generation < 0) errors.push(invalidValue("spec.pool.generation", generation, "must be greater than or equal to zero"));
  const found = nodesErrors(spec, "spec", ["nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"]);
  errors.push(...found.errors);
  if (found.set.length === 0) errors.push(required("spec", sliceChoice));
  if (found.set.length > 1) errors.push(invalidValue("spec", quoted(found.set), `${sliceChoice}, but multiple fields are set`));
  if ((devices ?? []).length > 0 && (sharedCounters ?? []).length > 0)
    errors.push(invalidValue("spec", "", "only one of `sharedCounters` or `devices` is allowed"));
  const perDevice = spec.perDeviceNodeSelection === true;
  errors.push(
    ...setErrors(devices, "spec.devices", maxDevices, nameOf, (device, path) => offeredErrors(device, path, perDevice)),
  );
  return errors;
}

const quoted = (fields: readonly string[]): string => `{${fields.map((field) => `\`${field}\``).join(", ")}}`;

/** Which of the ways to say where devices are is used, and what is wrong with it. */
function nodesErrors(
  holder: AnyObject,
  path: string,
  fields: readonly string[],
): { readonly set: readonly string[]; readonly errors: readonly FieldError[] } {
  const set: string[] = [];
  const errors: FieldError[] = [];
  for (const field of fields) {
    const value = holder[field];
    const at = `${path}.${field}`;
    if (value === undefined || value === null) continue;
    if (value === false || value === "") {
      errors.push(invalidValue(at, value, `must be either unset or set to ${value === "" ? "a non-empty string" : "true"}`));
      continue;
    }
    set.push(field);
    if (field === "nodeName") errors.push(...invalids(at, value, isDns1123Subdomain(value)));
    if (field === "nodeSelector") errors.push(...nodeSelectorErrors(value, at));
  }
  return { set, errors };
}

function nodeSelectorErrors(selector: AnyObject, path: string): FieldError[] {
  const errors = validateNodeSelector(selector, path);
  const terms: readonly AnyObject[] = selector.nodeSelectorTerms ?? [];
  if (terms.length !== 1)
    errors.push(
      invalidValue(
        `${path}.nodeSelectorTerms`,
        terms.map((term) => asGo("NodeTerm", term)),
        "must have exactly one node selector term",
      ),
    );
  return errors;
}

function offeredErrors(device: AnyObject, path: string, perDevice: boolean): FieldError[] {
  const errors = label(`${path}.name`, device.name);
  for (const [key, value] of Object.entries((device.attributes ?? {}) as AnyObject).sort(([a], [b]) => (a < b ? -1 : 1)))
    errors.push(...attributeErrors(key, value, `${path}.attributes`));
  for (const [i, taint] of ((device.taints ?? []) as readonly AnyObject[]).entries()) {
    const at = `${path}.taints[${i}]`;
    errors.push(...invalids(`${at}.key`, taint.key ?? "", isLabelKey(taint.key ?? "")));
    if (taint.value !== undefined) errors.push(...invalids(`${at}.value`, taint.value, isLabelValue(taint.value)));
    if (!taintEffects.includes(taint.effect)) errors.push(notSupported(`${at}.effect`, taint.effect ?? "", taintEffects));
  }
  if (perDevice) {
    const { set, errors: own } = nodesErrors(device, path, ["nodeName", "nodeSelector", "allNodes"]);
    errors.push(...own);
    if (set.length === 0) errors.push(required(path, deviceChoice));
    if (set.length > 1) errors.push(invalidValue(path, quoted(set), deviceChoice));
  }
  return errors;
}

const taintEffects = ["NoExecute", "NoSchedule", "None"];

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const identifierText = regexError(
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
  "[A-Za-z_][A-Za-z0-9_]*",
  "my_name",
  "MY_NAME",
  "MyName",
);
// semver.org's own expression, cut down: no leading zeros, a suggestion of pre-release and build
const semver =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

function attributeErrors(key: string, value: AnyObject, path: string): FieldError[] {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  const errors: FieldError[] = [];
  if (slash >= 0) errors.push(...invalids(path, key.slice(0, slash), isDns1123Subdomain(key.slice(0, slash))));
  if (!identifier.test(name)) errors.push(invalidValue(path, name, identifierText));
  const at = `${path}[${key}]`;
  const given = attributeFields.filter(([field]) => value[field] !== undefined && value[field] !== null);
  if (given.length === 0) errors.push(invalidValue(at, "", "exactly one value must be specified"));
  if (given.length > 1) {
    const shown = Object.fromEntries(attributeFields.map(([field, go]) => [go, value[field] ?? null]));
    errors.push(invalidValue(at, shown, "exactly one value must be specified"));
  }
  for (const field of ["string", "version"])
    if (byteLength(value[field] ?? "") > maxText) errors.push(tooLong(`${at}.${field}`, maxText));
  if (value.version !== undefined && !semver.test(value.version))
    errors.push(invalidValue(`${at}.version`, value.version, "must be a string compatible with semver.org spec 2.0.0"));
  return errors;
}

const attributeFields: readonly (readonly [string, string])[] = [
  ["int", "IntValue"],
  ["bool", "BoolValue"],
  ["string", "StringValue"],
  ["version", "VersionValue"],
  ["ints", "IntValues"],
  ["bools", "BoolValues"],
  ["strings", "StringValues"],
  ["versions", "VersionValues"],
];
