// Sets of field paths as tries, written as FieldsV1: what a field manager owns (KEP-555).
// A path element is kept as FieldsV1 writes it: `f:name`, `k:{"port":80}`, `v:"x"`, `i:0`.

interface FieldNode {
  /** The path that ends here is in the set. */
  readonly member: boolean;
  readonly children: FieldSet;
}

/** By path element. A node is a member, has children, or both: sets never hold empty nodes. */
export type FieldSet = ReadonlyMap<string, FieldNode>;

export const emptySet: FieldSet = new Map();

/** A set under construction. */
export class FieldSetBuilder {
  readonly #nodes = new Map<string, { member: boolean; children: FieldSetBuilder | undefined }>();

  /** The node of a path element, made when missing. */
  child(element: string): FieldSetBuilder {
    const node = this.#node(element);
    node.children ??= new FieldSetBuilder();
    return node.children;
  }

  add(element: string): void {
    this.#node(element).member = true;
  }

  /** Adds a path; an empty one is ignored, as the root is no field. */
  addPath(path: readonly string[]): void {
    let at: FieldSetBuilder = this;
    for (let i = 0; i < path.length - 1; i++) at = at.child(path[i] as string);
    const last = path.at(-1);
    if (last !== undefined) at.add(last);
  }

  build(): FieldSet {
    const set = new Map<string, FieldNode>();
    for (const [element, { member, children }] of this.#nodes) {
      const inner = children?.build() ?? emptySet;
      if (member || inner.size > 0) set.set(element, { member, children: inner });
    }
    return set;
  }

  #node(element: string): { member: boolean; children: FieldSetBuilder | undefined } {
    let node = this.#nodes.get(element);
    if (node === undefined) {
      node = { member: false, children: undefined };
      this.#nodes.set(element, node);
    }
    return node;
  }
}

type Combine = (inA: boolean, inB: boolean) => boolean;

function combine(a: FieldSet, b: FieldSet, keep: Combine): FieldSet {
  const result = new Map<string, FieldNode>();
  const visit = (element: string): void => {
    const left = a.get(element);
    const right = b.get(element);
    const member = keep(left?.member ?? false, right?.member ?? false);
    const children = combine(left?.children ?? emptySet, right?.children ?? emptySet, keep);
    if (member || children.size > 0) result.set(element, { member, children });
  };
  for (const element of a.keys()) visit(element);
  for (const element of b.keys()) if (!a.has(element)) visit(element);
  return result;
}

export const union = (a: FieldSet, b: FieldSet): FieldSet =>
  a.size === 0 ? b : b.size === 0 ? a : combine(a, b, (inA, inB) => inA || inB);
export const intersection = (a: FieldSet, b: FieldSet): FieldSet =>
  a.size === 0 || b.size === 0 ? emptySet : combine(a, b, (inA, inB) => inA && inB);
/** Paths of a that are not in b. Children of b's members stay. The set itself where nothing is taken away, so that it need not be written anew. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  let result: Map<string, FieldNode> | undefined;
  for (const [element, other] of b) {
    const node = a.get(element);
    if (node === undefined) continue;
    const member = node.member && !other.member;
    const children = difference(node.children, other.children);
    if (member === node.member && children === node.children) continue;
    result ??= new Map(a);
    if (member || children.size > 0) result.set(element, { member, children });
    else result.delete(element);
  }
  return result ?? a;
}

/** Paths of a that are neither in b nor below a member of b. */
export function withoutSubtrees(a: FieldSet, b: FieldSet): FieldSet {
  if (b.size === 0) return a;
  const result = new Map<string, FieldNode>();
  for (const [element, node] of a) {
    const other = b.get(element);
    if (other?.member) continue;
    const children = other === undefined ? node.children : withoutSubtrees(node.children, other.children);
    if (node.member || children.size > 0) result.set(element, { member: node.member, children });
  }
  return result;
}

export function setsEqual(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [element, node] of a) {
    const other = b.get(element);
    if (other === undefined || other.member !== node.member || !setsEqual(node.children, other.children)) return false;
  }
  return true;
}

/** Every path of the set, members of a level before what lies deeper, each level sorted: upstream's order in messages. */
export function* paths(set: FieldSet, prefix: readonly string[] = []): Generator<readonly string[]> {
  const elements = [...set.keys()].sort(compareElements);
  for (const element of elements) if (set.get(element)?.member) yield [...prefix, element];
  for (const element of elements) yield* paths(set.get(element)?.children ?? emptySet, [...prefix, element]);
}

const kindOrder: Readonly<Record<string, number>> = { f: 0, k: 1, v: 2, i: 3 };
function compareElements(a: string, b: string): number {
  const kinds = (kindOrder[a[0] ?? ""] ?? 9) - (kindOrder[b[0] ?? ""] ?? 9);
  return kinds !== 0 ? kinds : a < b ? -1 : a > b ? 1 : 0;
}

/** A path as messages print it: `.spec.containers[name="a"].image`. */
export function pathText(path: readonly string[]): string {
  return path
    .map((element) => {
      const content = element.slice(2);
      switch (element[0]) {
        case "f":
          return `.${content}`;
        case "k":
          return `[${keyText(content)}]`;
        case "v":
          return `[=${content}]`;
        default:
          return `[${content}]`;
      }
    })
    .join("");
}

/** `{"containerPort":80,"protocol":"TCP"}` as `containerPort=80,protocol="TCP"`. */
export const keyText = (json: string): string =>
  Object.entries(JSON.parse(json) as Record<string, unknown>)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(",");

export type FieldsV1 = { readonly [element: string]: FieldsV1 };

// caches of immutable values: what was decoded from which object of a stored managedFields list, and the way back
const decodedFrom = new WeakMap<object, FieldSet>();
const encodedAs = new WeakMap<FieldSet, FieldsV1>();

export function encodeFields(set: FieldSet): FieldsV1 {
  return encodedAs.get(set) ?? encode(set);
}

function encode(set: FieldSet): FieldsV1 {
  const fields: Record<string, FieldsV1> = {};
  for (const element of [...set.keys()].sort(compareElements)) {
    const node = set.get(element) as FieldNode;
    const inner = encode(node.children);
    fields[element] = node.member && node.children.size > 0 ? { ".": {}, ...inner } : inner;
  }
  return fields;
}

/** Undefined for a value that is no FieldsV1. */
export function decodeFields(fields: unknown): FieldSet | undefined {
  if (typeof fields !== "object" || fields === null) return undefined;
  const known = decodedFrom.get(fields);
  if (known !== undefined) return known;
  const set = decode(fields);
  if (set === undefined) return undefined;
  decodedFrom.set(fields, set);
  encodedAs.set(set, fields as FieldsV1);
  return set;
}

function decode(fields: unknown): FieldSet | undefined {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return undefined;
  const set = new Map<string, FieldNode>();
  for (const [element, value] of Object.entries(fields)) {
    if (element === ".") continue;
    if (!/^[fkvi]:/.test(element)) return undefined;
    if (element[0] !== "f" && !isJson(element.slice(2))) return undefined;
    const children = decode(value);
    if (children === undefined) return undefined;
    set.set(element, { member: children.size === 0 || Object.hasOwn(value as object, "."), children });
  }
  return set;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
