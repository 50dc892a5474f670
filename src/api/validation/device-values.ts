// Claims and allocations in the words of upstream's own types: what a message shows of a value that may not change.
import type { AnyObject } from "../rules.ts";

const list = (items: readonly AnyObject[] | undefined | null, show: (item: AnyObject) => unknown): readonly unknown[] | null =>
  items?.map(show) ?? null;

const selectors = (request: AnyObject): unknown =>
  list(request.selectors, ({ cel }) => ({ CEL: cel === undefined ? null : { Expression: cel.expression ?? "" } }));
const tolerations = (request: AnyObject): unknown =>
  list(request.tolerations, (each) => ({
    Key: each.key ?? "",
    Operator: each.operator ?? "",
    Value: each.value ?? "",
    Effect: each.effect ?? "",
    TolerationSeconds: each.tolerationSeconds ?? null,
  }));
const capacity = (request: AnyObject): unknown =>
  request.capacity === undefined ? null : { Requests: request.capacity.requests ?? null };

const exactly = (request: AnyObject): object => ({
  DeviceClassName: request.deviceClassName ?? "",
  Selectors: selectors(request),
  AllocationMode: request.allocationMode ?? "",
  Count: request.count ?? 0,
  AdminAccess: request.adminAccess ?? null,
  Tolerations: tolerations(request),
  Capacity: capacity(request),
});

const alternative = (request: AnyObject): object => {
  const { AdminAccess: _none, ...shared } = exactly(request) as AnyObject;
  return { Name: request.name ?? "", ...shared };
};

const config = (each: AnyObject): object => ({
  Requests: each.requests ?? null,
  Opaque: each.opaque === undefined ? null : { Driver: each.opaque.driver ?? "", Parameters: each.opaque.parameters ?? null },
});

export const goClaimSpec = (spec: AnyObject): object => ({
  Devices: {
    Requests: list(spec?.devices?.requests, (request) => ({
      Name: request.name ?? "",
      Exactly: request.exactly === undefined ? null : exactly(request.exactly),
      FirstAvailable: list(request.firstAvailable, alternative),
    })),
    Constraints: list(spec?.devices?.constraints, (each) => ({
      Requests: each.requests ?? null,
      MatchAttribute: each.matchAttribute ?? null,
      DistinctAttribute: each.distinctAttribute ?? null,
    })),
    Config: list(spec?.devices?.config, config),
  },
});

/** Metadata of a template has upstream's JSON names, the rest its Go names. */
export const goClaimTemplate = ({ metadata = {}, spec }: AnyObject): object => ({ ...metadata, Spec: goClaimSpec(spec) });

export const goAllocation = (allocation: AnyObject): object => ({
  Devices: {
    Results: list(allocation.devices?.results, (result) => ({
      Request: result.request ?? "",
      Driver: result.driver ?? "",
      Pool: result.pool ?? "",
      Device: result.device ?? "",
      AdminAccess: result.adminAccess ?? null,
      Tolerations: tolerations(result),
      BindingConditions: result.bindingConditions ?? null,
      BindingFailureConditions: result.bindingFailureConditions ?? null,
      ShareID: result.shareID ?? null,
      ConsumedCapacity: result.consumedCapacity ?? null,
    })),
    Config: list(allocation.devices?.config, (each) => ({ Source: each.source ?? "", ...config(each) })),
  },
  NodeSelector: allocation.nodeSelector ?? null,
  AllocationTimestamp: allocation.allocationTimestamp ?? null,
});
