// For tests: the same answers the slow way.
import type { EndpointSlice, Service } from "#api";
import type { Item, ItemChange, TableContent } from "#base";
import type { NodeView, ServiceRules } from "../model.ts";
import { planService } from "../plan.ts";

/** What a proxy that starts now would plan. `slices` are of any service. */
export function planRules(services: readonly Service[], slices: readonly EndpointSlice[], node: NodeView): ServiceRules[] {
  const of = (service: Service): EndpointSlice[] =>
    slices.filter(
      ({ metadata }) =>
        metadata.namespace === service.metadata.namespace &&
        metadata.labels?.["kubernetes.io/service-name"] === service.metadata.name,
    );
  return services.flatMap((service) => planService(service, of(service), node) ?? []);
}

/** The union of what services contribute; the lowest rank wins. */
export function contentOf(rules: readonly ServiceRules[]): TableContent {
  const content = new Map<string, Item>();
  for (const service of rules.toSorted((a, b) => (a.rank < b.rank ? -1 : 1)))
    for (const [id, item] of service.items) if (!content.has(id)) content.set(id, item);
  return content;
}

export function diffContent(before: TableContent, after: TableContent): ItemChange[] {
  const ids = new Set([...before.keys(), ...after.keys()]);
  return [...ids]
    .map((id) => ({ before: before.get(id), after: after.get(id) }))
    .filter((change) => change.before?.value !== change.after?.value);
}
