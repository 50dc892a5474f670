// Which IP families a Service gets (KEP-563). Pure.

import { type FieldError, invalidValue, type Service, type ServiceSpec } from "#api";
import { parseAddress } from "#base";

export type Family = "IPv4" | "IPv6";

export const isHeadless = (spec: ServiceSpec): boolean => spec.clusterIP === "None" || spec.clusterIPs?.[0] === "None";
const other = (family: string): Family => (family === "IPv4" ? "IPv6" : "IPv4");

export type Families =
  | { readonly policy: string; readonly families: readonly string[] }
  | { readonly errors: readonly FieldError[] };

/** `configured`: families of the service ranges, the default first. `old`: the version before an update. */
export function familiesOf(service: Service, old: Service | undefined, configured: readonly Family[]): Families {
  const spec = service.spec as ServiceSpec; // the caller has looked
  const before = old?.spec === undefined || old.spec.type === "ExternalName" ? undefined : old.spec;
  const policy = spec.ipFamilyPolicy ?? before?.ipFamilyPolicy;
  const families = (spec.ipFamilies ?? []).length > 0 ? (spec.ipFamilies ?? []) : (before?.ipFamilies ?? []);
  const first = configured[0] ?? "IPv4";
  if (isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0) {
    // Its endpoints are somebody else's, who may have any family, whatever this cluster has.
    const chosen = policy ?? "RequireDualStack";
    const some = families.length === 0 ? [first] : families;
    return {
      policy: chosen,
      families: chosen !== "SingleStack" && some.length === 1 ? [...some, other(some[0] as string)] : some,
    };
  }
  const implied = families.length > 0 ? families : familiesOfAddresses(spec);
  const chosen = policy ?? "SingleStack";
  const errors = problems(spec, chosen, implied, configured);
  if (errors.length > 0) return { errors };
  const wanted = implied.length > 0 ? implied : [first];
  // A service keeps the families that it has, even when the cluster has more by now.
  const isKept = before !== undefined && before.ipFamilyPolicy === chosen && (before.ipFamilies ?? []).length === wanted.length;
  const isDual = chosen !== "SingleStack" && configured.length === 2 && !isKept;
  if (chosen === "SingleStack") return { policy: chosen, families: wanted.slice(0, 1) };
  return { policy: chosen, families: isDual && wanted.length === 1 ? [...wanted, other(wanted[0] as string)] : wanted };
}

function familiesOfAddresses(spec: ServiceSpec): readonly Family[] {
  const given = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return given.flatMap((text) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [address.family === 4 ? "IPv4" : "IPv6"];
  });
}

function problems(
  spec: ServiceSpec,
  policy: string,
  families: readonly string[],
  configured: readonly Family[],
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const at = "spec.ipFamilyPolicy";
  if (policy === "SingleStack") {
    const dual = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
    if (families.length === 2) return [invalidValue(at, policy, `${dual} IP families are specified`)];
    if ((spec.clusterIPs ?? []).length === 2) return [invalidValue(at, policy, `${dual} cluster IPs are specified`)];
  }
  if (policy === "RequireDualStack" && configured.length < 2) {
    errors.push(invalidValue(at, policy, "this cluster is not configured for dual-stack services"));
  }
  for (const [index, family] of families.entries()) {
    if (!configured.includes(family as Family))
      errors.push(invalidValue(`spec.ipFamilies[${index}]`, family, "not configured on this cluster"));
  }
  return errors;
}
