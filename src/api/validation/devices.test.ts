// The status of a ResourceClaim, and what messages show of a claim. What else is refused of devices stands in testdata/rules.json.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invalid } from "../errors.ts";
import { type AnyObject, kindRules } from "../rules.ts";

const claims = kindRules["resource.k8s.io/ResourceClaim"];
const result = { request: "r", driver: "ex.com", pool: "p", device: "d" };
const allocation = { devices: { results: [result] } };
const claim = (status: object, requests: readonly object[] = [{ name: "r", exactly: { deviceClassName: "c" } }]): AnyObject => ({
  apiVersion: "resource.k8s.io/v1",
  kind: "ResourceClaim",
  metadata: { name: "a", namespace: "n", uid: "u", resourceVersion: "1", creationTimestamp: "2024-01-01T00:00:00Z" },
  spec: { devices: { requests } },
  status,
});

function causes(next: AnyObject, old: AnyObject): readonly string[] {
  const errors = claims?.validateStatusUpdate?.(next, old) ?? [];
  return (invalid({ group: "", kind: "" }, "", errors).status.details?.causes ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

describe("status of a resource claim", () => {
  it("has users only of what is allocated, each once and complete", () => {
    const user = { resource: "pods", name: "p", uid: "u" };
    assert.deepEqual(causes(claim({ reservedFor: [user] }), claim({})), [
      "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
    ]);
    assert.deepEqual(causes(claim({ allocation, reservedFor: [user] }), claim({})), []);
    const reservedFor = [user, { ...user, name: "q" }, { resource: "", name: "", uid: "" }];
    assert.deepEqual(causes(claim({ allocation, reservedFor }), claim({ allocation })), [
      "status.reservedFor[2].resource: Required value",
      "status.reservedFor[2].name: Required value",
      "status.reservedFor[2].uid: Required value",
      'status.reservedFor[1]: Duplicate value: "u"',
    ]);
  });

  it("allocates what was asked for, by the name of an alternative where there are some", () => {
    const asks = [{ name: "r", firstAvailable: [{ name: "big", deviceClassName: "c" }] }];
    const allocated = (request: string): object => ({ allocation: { devices: { results: [{ ...result, request }] } } });
    assert.deepEqual(causes(claim(allocated("r/big"), asks), claim({}, asks)), []);
    assert.deepEqual(causes(claim(allocated("r"), asks), claim({}, asks)), [
      "status.allocation.devices.results[0].request: Invalid value: \"r\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
    ]);
    const bad = { allocation: { devices: { results: [{ request: "r", pool: "a/B" }] } } };
    assert.deepEqual(
      causes(claim(bad), claim({})).map((cause) => cause.replace(/(RFC 1123 \w+).*/, "$1")),
      [
        "status.allocation.devices.results[0].driver: Required value",
        'status.allocation.devices.results[0].pool: Invalid value: "a/B": a lowercase RFC 1123 subdomain',
        'status.allocation.devices.results[0].device: Invalid value: "": a lowercase RFC 1123 label',
      ],
    );
  });

  it("keeps its allocation, and speaks of allocated devices only", () => {
    const other = { devices: { results: [{ ...result, device: "d2" }] } };
    assert.deepEqual(causes(claim({ allocation: other }), claim({ allocation })), [
      'status.allocation: Invalid value: {"Devices":{"Results":[{"Request":"r","Driver":"ex.com","Pool":"p","Device":"d2","AdminAccess":null,"Tolerations":null,"BindingConditions":null,"BindingFailureConditions":null,"ShareID":null,"ConsumedCapacity":null}],"Config":null},"NodeSelector":null,"AllocationTimestamp":null}: field is immutable',
    ]);
    const devices = [
      { driver: "ex.com", pool: "p", device: "other" },
      { driver: "ex.com", pool: "p", device: "d", networkData: { ips: ["10.0.0.1/24", "10.0.0.1"] } },
    ];
    assert.deepEqual(causes(claim({ allocation, devices }), claim({ allocation })), [
      'status.devices[0]: Invalid value: {"Driver":"ex.com","Pool":"p","Device":"other","ShareID":""}: must be an allocated device in the claim',
      'status.devices[1].networkData.ips[1]: Invalid value: "10.0.0.1": must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)',
    ]);
  });
});
