// Checks of single values that many kinds share: numbers, addresses, paths, label selectors, port names.
import { type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { inclusiveRangeError, isLabelKey, isLabelValue, isPortName, isPortNumber } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { invalids, nonNegativeText, validateLabels } from "./meta.ts";

export const maxInt32 = 2147483647;

export const nonNegative = (value: number | bigint | undefined, path: string): FieldError[] =>
  value !== undefined && value < 0 ? [invalidValue(path, value, nonNegativeText)] : [];

export const inRange = (value: number | undefined, low: number, high: number, path: string): FieldError[] =>
  value !== undefined && (value < low || value > high) ? [invalidValue(path, value, inclusiveRangeError(low, high))] : [];

/** A value of a fixed set; an empty one is reported as required when `need` is set. */
export const oneOf = (value: string | undefined, supported: readonly string[], path: string, need = false): FieldError[] =>
  need && !value ? [required(path)] : supported.includes(value ?? "") ? [] : [notSupported(path, value ?? "", supported)];

export function validatePortNumOrName(port: number | string | undefined, path: string): FieldError[] {
  if (typeof port === "string") return invalids(path, port, isPortName(port));
  return invalids(path, port ?? 0, isPortNumber(port ?? 0));
}

const ipError = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

/** "4", "6", "leading" for an IPv4 address whose parts have leading zeros, or undefined. */
export function ipFamily(text: string): 4 | 6 | undefined {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (octets !== null)
    return octets.slice(1).every((part) => Number(part) <= 255 && String(Number(part)) === part) ? 4 : undefined;
  return isIPv6(text) ? 6 : undefined;
}

function isIPv6(text: string): boolean {
  if (!/^[0-9a-fA-F:.]+$/.test(text) || !text.includes(":")) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = (half: string): number | undefined => {
    if (half === "") return 0;
    const parts = half.split(":");
    let count = 0;
    for (const [i, part] of parts.entries()) {
      if (part.includes(".")) {
        if (i !== parts.length - 1 || ipFamily(part) !== 4) return undefined;
        count += 2;
      } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) count++;
      else return undefined;
    }
    return count;
  };
  const left = groups(halves[0] ?? "");
  const right = halves.length === 2 ? groups(halves[1] ?? "") : 0;
  if (left === undefined || right === undefined) return false;
  return halves.length === 2 ? left + right <= 7 : left === 8;
}

/** An IP address without leading zeros, zones or embedded forms. */
export function validateIP(text: string, path: string): FieldError[] {
  if (ipFamily(text) !== undefined)
    return isIPv6(text) && /^::ffff:.*\./i.test(text)
      ? [invalidValue(path, text, "must not be an IPv4-mapped IPv6 address")]
      : [];
  if (/^(\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split(".").every((part) => Number(part) <= 255))
    return [invalidValue(path, text, "must not have leading 0s")];
  return [invalidValue(path, text, ipError)];
}

/** The 128-bit number of an address. IPv4 is its 32 bits. */
export function ipNumber(text: string): bigint {
  if (text.includes(":")) {
    const expand = (half: string): string[] =>
      half === ""
        ? []
        : half.split(":").flatMap((part) => {
            if (!part.includes(".")) return [part];
            const value = ipNumber(part);
            return [(value >> 16n).toString(16), (value & 0xffffn).toString(16)];
          });
    const [left = "", right] = text.split("::");
    const head = expand(left);
    const tail = right === undefined ? [] : expand(right);
    const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
    return groups.reduce((total, group) => (total << 16n) | BigInt(`0x${group || "0"}`), 0n);
  }
  return text.split(".").reduce((total, part) => (total << 8n) | BigInt(part), 0n);
}

export function validateCIDR(text: string, path: string): FieldError[] {
  const [address = "", bits = "", ...rest] = text.split("/");
  const family = ipFamily(address);
  if (family === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return [invalidValue(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")];
  return [];
}

/** Whether a CIDR has bits set beyond its prefix. */
export function hasHostBits(text: string): boolean {
  const [address = "", bits = ""] = text.split("/");
  const width = address.includes(":") ? 128n : 32n;
  return (ipNumber(address) & ((1n << (width - BigInt(bits))) - 1n)) !== 0n;
}

/** A relative path without "..". */
export function localDescendingPath(text: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (text.startsWith("/")) errors.push(invalidValue(path, text, "must be a relative path"));
  return [...errors, ...noBacksteps(text, path)];
}

export const noBacksteps = (text: string, path: string): FieldError[] =>
  text.split("/").includes("..") ? [invalidValue(path, text, "must not contain '..'")] : [];

/** As `localDescendingPath`, and not beginning with "..". */
export function localNonReservedPath(text: string, path: string): FieldError[] {
  const errors = localDescendingPath(text, path);
  if (text.startsWith("..")) errors.push(invalidValue(path, text, "must not start with '..'"));
  return errors;
}

/** A LabelSelector. */
export function validateLabelSelector(selector: AnyObject, path: string): FieldError[] {
  if (selector === undefined || selector === null) return [];
  const errors: FieldError[] = validateLabels(selector.matchLabels, `${path}.matchLabels`);
  for (const [i, requirement] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`;
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case "In":
      case "NotIn":
        if (values.length === 0) errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        break;
      case "Exists":
      case "DoesNotExist":
        if (values.length > 0)
          errors.push(forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        break;
      default:
        errors.push(invalidValue(`${at}.operator`, requirement.operator ?? "", "not a valid selector operator"));
    }
    errors.push(...invalids(`${at}.key`, requirement.key ?? "", isLabelKey(requirement.key ?? "")));
    for (const [v, value] of values.entries()) errors.push(...invalids(`${at}.values[${v}]`, value, isLabelValue(value)));
  }
  return errors;
}
