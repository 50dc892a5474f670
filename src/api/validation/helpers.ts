// Small pieces that the rules of many kinds are made of.
import type { FieldError } from "../errors.ts";
import type { AnyObject, KindRules } from "../rules.ts";
import { type NameCheck, subdomainName, validateCommonUpdate, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";

type Json = Record<string, unknown>;

/** A copy of the object with `undefined` fields set where they were missing. */
export function withDefaults<T extends object>(object: T, defaults: { [K in keyof T]?: unknown } & Json): T {
  let copy: Json | undefined;
  for (const key in defaults) {
    const value = (object as Json)[key];
    if ((value === undefined || value === null) && defaults[key] !== undefined) {
      copy ??= { ...object } as Json;
      copy[key] = defaults[key];
    }
  }
  return (copy as T | undefined) ?? object;
}

/** As `withDefaults`, and an empty text counts as missing. */
export function withTextDefaults<T extends object>(object: T, defaults: Record<string, unknown>): T {
  let copy: Json | undefined;
  for (const key in defaults) {
    const value = (object as Json)[key];
    if (value === undefined || value === null || value === "") {
      copy ??= { ...object } as Json;
      copy[key] = defaults[key];
    }
  }
  return (copy as T | undefined) ?? object;
}

/** A copy without the key; the object itself where it has none. */
export function without<T extends object>(object: T, ...keys: readonly string[]): T {
  if (!keys.some((key) => (object as Json)[key] !== undefined)) return object;
  const copy = { ...object } as Json;
  for (const key of keys) delete copy[key];
  return copy as T;
}

/** A copy with one field replaced; the object itself where nothing changes. */
export function withField<T extends object>(object: T, key: string, value: unknown): T {
  if ((object as Json)[key] === value) return object;
  if (value === undefined) return without(object, key);
  return { ...object, [key]: value } as T;
}

/** Maps a list field; the object itself where no item changes. */
export function mapList<T extends object>(object: T, key: string, change: (item: AnyObject) => AnyObject): T {
  const list = (object as Json)[key];
  if (!Array.isArray(list)) return object;
  let changed = false;
  const mapped = list.map((item) => {
    const next = change(item);
    if (next !== item) changed = true;
    return next;
  });
  return changed ? ({ ...object, [key]: mapped } as T) : object;
}

/** Changes an object field where it is there. */
export function inField<T extends object>(object: T, key: string, change: (value: AnyObject) => AnyObject): T {
  const value = (object as Json)[key];
  return value === undefined || value === null ? object : withField(object, key, change(value));
}

/** The rules that most kinds share: metadata is checked; a status is dropped on create and kept on update. */
interface PlainOptions extends Partial<KindRules> {
  readonly namespaced: boolean;
  readonly name?: NameCheck;
  /** Of the object, beyond its metadata. */
  readonly check?: (object: AnyObject) => FieldError[];
  /** Of an update, beyond its metadata. */
  readonly checkUpdate?: Update;
  /** Whether an update is also checked as a new object would be, before what may not change. */
  readonly updateChecksObject?: "first" | "never";
}

/** Rules of a kind of the usual shape. */
export function plainKind(options: PlainOptions): KindRules {
  const { namespaced, name = subdomainName, check, checkUpdate, updateChecksObject = "never", ...own } = options;
  const status = own.status ?? false;
  const validate = (object: AnyObject): FieldError[] => [
    ...validateObjectMeta(object.metadata, namespaced, name),
    ...(check?.(object) ?? []),
  ];
  const metaUpdate: Update = (next, old) => validateObjectMetaUpdate(next.metadata, old.metadata);
  const plainUpdate: Update = (next, old) => [
    ...(updateChecksObject === "first" ? validate(next) : []),
    ...metaUpdate(next, old),
    ...(checkUpdate?.(next, old) ?? []),
  ];
  const checked =
    (update: Update): Update =>
    (next, old) => [...validateCommonUpdate(next.metadata, old.metadata, namespaced), ...update(next, old)];
  return {
    validate,
    ...(status
      ? {
          prepareForCreate: (object: AnyObject) => without(object, "status"),
          prepareForUpdate: keepStatus,
          prepareForStatusUpdate: keepSpec,
        }
      : {}),
    generation: false,
    createOnUpdate: false,
    unconditionalUpdate: true,
    ...own,
    validateUpdate: checked(own.validateUpdate ?? plainUpdate),
    ...(status ? { validateStatusUpdate: checked(own.validateStatusUpdate ?? metaUpdate) } : {}),
    status,
  };
}

type Update = (next: AnyObject, old: AnyObject) => FieldError[];

export const keepStatus = (next: AnyObject, old: AnyObject): AnyObject => withField(next, "status", old.status);

/** A status update changes the status and whatever metadata the kind lets through; the spec stays. */
const keepSpec = (next: AnyObject, old: AnyObject): AnyObject => withField(next, "spec", old.spec);

/** The same, and labels stay too. */
export const keepSpecAndLabels = (next: AnyObject, old: AnyObject): AnyObject => ({
  ...keepSpec(next, old),
  metadata: withField(next.metadata, "labels", old.metadata.labels),
});

/** Only the status changes: what metadata says stays as well. */
export const keepSpecAndMeta = (next: AnyObject, old: AnyObject): AnyObject => ({
  ...keepSpec(next, old),
  metadata: ["labels", "annotations", "finalizers", "ownerReferences"].reduce(
    (metadata, key) => withField(metadata, key, old.metadata?.[key]),
    next.metadata,
  ),
});
