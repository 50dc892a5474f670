// What happens to a custom object's values before they are checked: unknown fields go, nulls go, defaults come.
import { deepEqual } from "#api";
import type { Props } from "./props.ts";

type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose => typeof value === "object" && value !== null && !Array.isArray(value);

/** Names that every object (the root, an embedded resource) has without being specified. */
const typeNames: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** Drops fields that the schema does not know; `unknown` hears of each ("spec.a[0].b"). Nothing is changed in place. */
export function prune(
  props: Props | undefined,
  value: unknown,
  unknown: (path: string) => void,
  path = "",
  root = true,
): unknown {
  if (props === undefined) return value;
  if (Array.isArray(value)) {
    if (props.items === undefined) return value;
    return mapped(value, (item, index) => prune(props.items, item, unknown, `${path}[${index}]`, false));
  }
  if (!isObject(value)) return value;
  const preserve = props["x-kubernetes-preserve-unknown-fields"] === true;
  const whole = root || props["x-kubernetes-embedded-resource"] === true;
  const values = typeof props.additionalProperties === "object" ? props.additionalProperties : undefined;
  if (props.additionalProperties === true) return value;
  const result: Record<string, unknown> = {};
  let changed = false;
  for (const key of Object.keys(value).sort()) {
    const at = path === "" ? key : `${path}.${key}`;
    const inner = Object.hasOwn(props.properties ?? {}, key) ? props.properties?.[key] : values;
    if (whole && typeNames.has(key)) continue;
    if (inner !== undefined) continue;
    if (preserve) continue;
    unknown(at);
    changed = true;
  }
  for (const [key, item] of Object.entries(value)) {
    const at = path === "" ? key : `${path}.${key}`;
    if (whole && typeNames.has(key)) {
      result[key] = item;
      continue;
    }
    const inner = Object.hasOwn(props.properties ?? {}, key) ? props.properties?.[key] : values;
    if (inner === undefined) {
      if (preserve) result[key] = item;
      continue;
    }
    const pruned = prune(inner, item, unknown, at, false);
    if (pruned !== item) changed = true;
    result[key] = pruned;
  }
  return changed ? result : value;
}

function mapped(list: readonly unknown[], map: (item: unknown, index: number) => unknown): readonly unknown[] {
  let changed = false;
  const result = list.map((item, index) => {
    const next = map(item, index);
    if (next !== item) changed = true;
    return next;
  });
  return changed ? result : list;
}

/** Fills in defaults; a null where null is not allowed counts as absent (and goes when there is no default). */
export function withDefaults(props: Props | undefined, value: unknown): unknown {
  if (props === undefined) return value;
  if (Array.isArray(value)) return props.items === undefined ? value : mapped(value, (item) => withDefaults(props.items, item));
  if (!isObject(value)) return value;
  let result: Record<string, unknown> | undefined;
  const set = (key: string, next: unknown): void => {
    result ??= { ...value };
    if (next === undefined) delete result[key];
    else result[key] = next;
  };
  for (const [key, inner] of Object.entries(props.properties ?? {})) {
    const given = value[key];
    const absent = given === undefined || (given === null && inner.nullable !== true);
    if (!absent) continue;
    if (inner.default !== undefined) set(key, inner.default);
    else if (given === null && Object.hasOwn(value, key)) set(key, undefined);
  }
  if (isObject(props.additionalProperties)) {
    const { additionalProperties: inner } = props;
    for (const [key, given] of Object.entries(value)) {
      if (given !== null || (inner as Props).nullable === true || Object.hasOwn(props.properties ?? {}, key)) continue;
      if ((inner as Props).default !== undefined) set(key, (inner as Props).default);
      else set(key, undefined);
    }
  }
  for (const [key, given] of Object.entries(result ?? value)) {
    const inner = Object.hasOwn(props.properties ?? {}, key)
      ? props.properties?.[key]
      : typeof props.additionalProperties === "object"
        ? props.additionalProperties
        : undefined;
    if (inner === undefined) continue;
    const next = withDefaults(inner, given);
    if (next !== given && !deepEqual(next, given)) set(key, next);
  }
  return result ?? value;
}
