// Which entries a list or watch is about: namespace, name, label and field selectors, answered from the sidecar alone.

import { badRequest, parseFieldSelector, parseSelector, type Selector, selectorMatches } from "#api";
import { own } from "#base";
import type { Entry } from "../cache/entry.ts";
import type { ServedResource } from "./resource.ts";
import { objectKey } from "./storage-keys.ts";

export interface Filter {
  /** Keys of matching entries begin with this. */
  readonly prefix: string;
  /** Set when only one object can match. */
  readonly key?: string;
  /** Absent: every entry under the prefix matches. */
  readonly matches?: (entry: Entry) => boolean;
  /** Whether a selector narrows the list (then remainingItemCount is not told). */
  readonly selective: boolean;
}

interface FieldTest {
  readonly field: string;
  readonly read: (entry: Entry) => string;
  readonly equal: boolean;
  readonly value: string;
}

function fieldTest(
  resource: ServedResource,
  requirement: { readonly field: string; readonly operator: "=" | "!="; readonly value: string },
): FieldTest {
  const { field, value } = requirement;
  const equal = requirement.operator === "=";
  if (field === "metadata.name") return { field, read: (entry) => entry.sidecar.name, equal, value };
  // kinds without fields of their own have it even when they are in no namespace: nothing is in one then
  if (field === "metadata.namespace" && (resource.type.namespaced || Object.keys(resource.fields.names).length === 0))
    return { field, read: (entry) => entry.sidecar.namespace, equal, value };
  const stored = own(resource.fields.names, field);
  if (stored === undefined) throw badRequest(resource.fields.unknown(field));
  return { field, read: (entry) => entry.sidecar.fields[stored] ?? "", equal, value };
}

/** Throws BadRequest for selectors that cannot be read. `name` narrows to one object (the path names it). */
export function filterOf(
  resource: ServedResource,
  namespace: string,
  name: string,
  labelText: string,
  fieldText: string,
): Filter {
  const labels: Selector = labelText === "" ? [] : parseSelector(labelText);
  const tests = fieldText === "" ? [] : parseFieldSelector(fieldText).map((requirement) => fieldTest(resource, requirement));
  const { prefix: root } = resource.cache;
  const prefix = namespace === "" || !resource.type.namespaced ? root : `${root}${namespace}/`;
  const selective = labels === "nothing" || labels.length > 0 || tests.length > 0;
  const named = name !== "" ? name : nameOf(tests);
  const key =
    named !== undefined && (namespace !== "" || !resource.type.namespaced)
      ? objectKey(root, resource.type.namespaced ? namespace : "", named)
      : undefined;
  const checks: ((entry: Entry) => boolean)[] = [];
  if (name !== "") checks.push((entry) => entry.sidecar.name === name);
  for (const test of tests) checks.push((entry) => (test.read(entry) === test.value) === test.equal);
  if (labels === "nothing" || labels.length > 0) checks.push((entry) => selectorMatches(labels, entry.sidecar.labels));
  const matches =
    checks.length === 0 ? undefined : checks.length === 1 ? checks[0] : (entry: Entry) => checks.every((check) => check(entry));
  return { prefix, selective, ...(key === undefined ? {} : { key }), ...(matches === undefined ? {} : { matches }) };
}

const nameOf = (tests: readonly FieldTest[]): string | undefined =>
  tests.find((test) => test.equal && test.field === "metadata.name")?.value;
