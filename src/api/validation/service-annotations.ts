// What a Service's annotations and outdated fields are worth saying about.
import { type FieldError, invalidValue } from "../errors.ts";
import type { AnyObject } from "../rules.ts";

const topologyHints = "service.kubernetes.io/topology-aware-hints";
const topologyMode = "service.kubernetes.io/topology-mode";

/** The annotation's old name and its new one must not disagree. */
export function topologyAnnotations(service: AnyObject): FieldError[] {
  const { [topologyHints]: hints, [topologyMode]: mode } = service.metadata?.annotations ?? {};
  return hints === undefined || mode === undefined || hints === mode
    ? []
    : [
        invalidValue(
          `metadata.annotations[${topologyMode}]`,
          mode,
          `must match annotations[${topologyHints}] when both are specified`,
        ),
      ];
}

export function serviceWarnings(service: AnyObject): readonly string[] {
  const warnings: string[] = [];
  if ((service.spec?.externalIPs?.length ?? 0) > 0)
    warnings.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters");
  if (service.spec?.externalName && service.spec.type !== "ExternalName")
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  const hints = topologyHints;
  if (service.metadata?.annotations?.[hints] !== undefined)
    warnings.push(`annotation ${hints} is deprecated, please use service.kubernetes.io/topology-mode instead`);
  if (service.spec?.trafficDistribution === "PreferClose")
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  return warnings;
}
