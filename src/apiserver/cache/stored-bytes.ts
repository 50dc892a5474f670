// The one form in which objects are stored and served: JSON that begins with a fixed head and an 18-byte slot for the resourceVersion (D4).
import {
  type ApiObject,
  apiVersionOf,
  decodeJson,
  decodeProtobuf,
  isProtobuf,
  known,
  knownFieldsText,
  type ManagedFieldsEntry,
  type ResourceType,
  type Stored,
  stringifyJson,
} from "#api";
import { type KeyValue, revisionSlotLength } from "#store";

/** What the slot holds until the store fills it in; no revision looks like this. */
const placeholder = "0000000000000000";

export interface StoredForm {
  readonly type: ResourceType;
  /** `{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":` */
  readonly head: Buffer;
}

export function storedForm(type: ResourceType): StoredForm {
  return {
    type,
    head: Buffer.from(
      `{"kind":${JSON.stringify(type.kind)},"apiVersion":${JSON.stringify(apiVersionOf(type))},"metadata":{"resourceVersion":`,
    ),
  };
}

/** An object's bytes with an empty slot at `form.head.length`. Its own resourceVersion is left out. */
export function serialize(form: StoredForm, object: ApiObject): Buffer {
  const { kind: _kind, apiVersion: _apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _resourceVersion, selfLink: _selfLink, managedFields, ...meta } = metadata;
  const managers = managedFields === undefined || managedFields === null ? "" : `,"managedFields":${managersText(managedFields)}`;
  return Buffer.from(`${form.head.toString()}"${placeholder}"${members(meta)}${managers}}${fields(rest)}}`);
}

/** What stands between the braces, to go on a list of members with. */
function members(object: object): string {
  const text = stringify(object);
  return text.length === 2 ? "" : `,${text.slice(1, -1)}`;
}

/** The same, field by field: a spec that many objects share is written once. */
function fields(object: Readonly<Record<string, unknown>>): string {
  let text = "";
  for (const key in object) {
    const value = object[key];
    if (value !== undefined) text += `,${JSON.stringify(key)}:${known(value, stringify)}`;
  }
  return text;
}

function managersText(managers: readonly ManagedFieldsEntry[]): string {
  let text = "";
  for (const manager of managers) {
    const fields = manager.fieldsV1 === undefined ? undefined : knownFieldsText(manager.fieldsV1);
    const { fieldsV1: _fieldsV1, ...others } = manager;
    text += `${text === "" ? "" : ","}${fields === undefined ? stringify(manager) : `${stringify(others).slice(0, -1)},"fieldsV1":${fields}}`}`;
  }
  return `[${text}]`;
}

/** JSON.stringify, which is three times as fast, does not know the bigints that stand for integers beyond 2^53. */
export function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof TypeError) return stringifyJson(value);
    throw error;
  }
}

/** Puts a revision into the slot, as the store does. */
export function fillSlot(bytes: Buffer, offset: number, revision: number): void {
  bytes.write(`"${revision}"`.padEnd(revisionSlotLength), offset, "latin1");
}

function slotHolds(bytes: Buffer, offset: number, revision: number): boolean {
  const text = `"${revision}"`;
  if (bytes[offset + text.length] === 0x30) return false;
  return bytes.toString("latin1", offset, offset + text.length) === text;
}

/** A copy that says another revision: what a DELETED event carries. */
export function withRevision(form: StoredForm, bytes: Buffer, revision: number): Buffer {
  const copy = Buffer.from(bytes);
  fillSlot(copy, form.head.length, revision);
  return copy;
}

/**
 * The bytes to serve for a stored value: the value itself when its slot was filled by the store, a corrected copy when it was not, and a
 * rewritten one for values that somebody else wrote: a real kube-apiserver's protobuf or JSON, an older layout.
 */
export function servedBytes(form: StoredForm, kv: Pick<KeyValue, "value" | "modRevision">): Buffer {
  const { head } = form;
  const { value } = kv;
  if (value.length > head.length + revisionSlotLength && value.compare(head, 0, head.length, 0, head.length) === 0) {
    if (slotHolds(value, head.length, kv.modRevision)) return value;
    if (value.toString("latin1", head.length + 1, head.length + 1 + placeholder.length) === placeholder)
      return withRevision(form, value, kv.modRevision);
  }
  const object = isProtobuf(value) ? decodeProtobuf(value) : JSON.parse(value.toString("utf8"));
  const bytes = serialize(form, object as ApiObject);
  fillSlot(bytes, head.length, kv.modRevision);
  return bytes;
}

/** Quick to say no, which is the rule; the exact pattern decides. */
const manyDigits = /\d{16}/;
const longInteger = /[:,[]\s*-?\d{16,}\s*[,}\]]/;

export function parseStored(bytes: Buffer): Stored<ApiObject> {
  const text = bytes.toString("utf8");
  return (manyDigits.test(text) && longInteger.test(text) ? decodeJson(text).value : JSON.parse(text)) as Stored<ApiObject>;
}

export const withResourceVersion = (object: ApiObject, revision: number): Stored<ApiObject> =>
  ({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }) as Stored<ApiObject>;
