// A persistent (structure-sharing) ordered map: a B+tree whose snapshots cost nothing and never change.

type TreeKey = string | number | bigint;

interface Node<K, V> {
  /** The tree that may change this node in place; everybody else copies it first. */
  owner: object;
  /** Leaf: the keys. Branch: lower bounds of the children (the first one is not looked at). */
  keys: K[];
  /** Leaf only. */
  values: V[];
  /** Branch only. */
  children: Node<K, V>[] | undefined;
  /** Entries below. */
  size: number;
}

const maxEntries = 32;
const mergeBelow = 8;

/**
 * Sorted by `<`: strings by UTF-16 code unit, which for keys of the store (one char per byte) is byte order.
 * `snapshot()` is O(1); afterwards both sides copy the path they change. Not safe to change while a scan runs (scan a snapshot instead).
 */
export class Tree<K extends TreeKey, V> {
  #root: Node<K, V>;
  #owner: object = {};

  constructor() {
    this.#root = leaf(this.#owner, [], []);
  }

  /** A tree of items whose keys ascend, in linear time. */
  static from<Item, K extends TreeKey, V>(
    items: readonly Item[],
    keyOf: (item: Item) => K,
    toValue: (item: Item) => V,
  ): Tree<K, V> {
    const tree = new Tree<K, V>();
    let level: Node<K, V>[] = [];
    for (const part of parts(items)) level.push(leaf(tree.#owner, part.map(keyOf), part.map(toValue)));
    while (level.length > 1) {
      level = parts(level).map((children) =>
        branch(
          tree.#owner,
          children.map(({ keys }) => keys[0] as K), // no node of these is empty
          [...children],
        ),
      );
    }
    if (level[0] !== undefined) tree.#root = level[0];
    return tree;
  }

  get size(): number {
    return this.#root.size;
  }

  snapshot(): Tree<K, V> {
    const copy = new Tree<K, V>();
    copy.#root = this.#root;
    this.#owner = {};
    return copy;
  }

  get(key: K): V | undefined {
    let node = this.#root;
    while (node.children !== undefined) node = node.children[childIndex(node.keys, key)] as Node<K, V>; // index of a child
    const index = lowerBound(node.keys, key);
    return node.keys[index] === key ? node.values[index] : undefined;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    const root = this.#editable(this.#root);
    const sibling = this.#insert(root, key, value);
    this.#root = sibling === undefined ? root : branch(this.#owner, [root.keys[0] as K, sibling.keys[0] as K], [root, sibling]); // both halves of a split hold keys
  }

  delete(key: K): boolean {
    if (!this.has(key)) return false;
    let root = this.#editable(this.#root);
    this.#remove(root, key);
    while (root.children !== undefined && root.children.length === 1) root = root.children[0] as Node<K, V>;
    this.#root = root.children !== undefined && root.children.length === 0 ? leaf(this.#owner, [], []) : root;
    return true;
  }

  /** The smallest key, if any. */
  first(): K | undefined {
    let node = this.#root;
    while (node.children !== undefined) node = node.children[0] as Node<K, V>;
    return node.keys[0];
  }

  /** Visits entries with `start <= key < end` (no `end`: to the last) in order until `visit` returns false. */
  scan(start: K, end: K | undefined, visit: (value: V, key: K) => boolean | void): void {
    scanNode(this.#root, start, end, visit);
  }

  /** How many keys are in `[start, end)`, in logarithmic time. */
  count(start: K, end?: K): number {
    if (end !== undefined && end <= start) return 0;
    return (end === undefined ? this.size : this.#rank(end)) - this.#rank(start);
  }

  #rank(key: K): number {
    let node = this.#root;
    let rank = 0;
    while (node.children !== undefined) {
      const index = childIndex(node.keys, key);
      for (let i = 0; i < index; i++) rank += (node.children[i] as Node<K, V>).size; // i < number of children
      node = node.children[index] as Node<K, V>;
    }
    return rank + lowerBound(node.keys, key);
  }

  #editable(node: Node<K, V>): Node<K, V> {
    if (node.owner === this.#owner) return node;
    return {
      owner: this.#owner,
      keys: node.keys.slice(),
      values: node.values.slice(),
      children: node.children?.slice(),
      size: node.size,
    };
  }

  /** Puts into an editable node; returns its new right sibling when it had to be split. */
  #insert(node: Node<K, V>, key: K, value: V): Node<K, V> | undefined {
    if (node.children === undefined) {
      const index = lowerBound(node.keys, key);
      if (node.keys[index] === key) {
        node.values[index] = value;
        return undefined;
      }
      node.keys.splice(index, 0, key);
      node.values.splice(index, 0, value);
      node.size++;
      return node.keys.length > maxEntries ? this.#split(node, index === node.keys.length - 1) : undefined;
    }
    const index = childIndex(node.keys, key);
    const child = this.#editable(node.children[index] as Node<K, V>);
    node.children[index] = child;
    const before = child.size;
    const sibling = this.#insert(child, key, value);
    node.size += child.size + (sibling?.size ?? 0) - before;
    if (sibling === undefined) return undefined;
    node.keys.splice(index + 1, 0, sibling.keys[0] as K);
    node.children.splice(index + 1, 0, sibling);
    return node.children.length > maxEntries ? this.#split(node, index === node.children.length - 2) : undefined;
  }

  /** Cuts an overfull node in two; one that grew at its end (revisions, sorted loads) stays almost full. */
  #split(node: Node<K, V>, grewAtEnd: boolean): Node<K, V> {
    const at = grewAtEnd ? maxEntries - 1 : maxEntries >> 1;
    const keys = node.keys.splice(at);
    if (node.children === undefined) {
      const values = node.values.splice(at);
      node.size = node.keys.length;
      return leaf(this.#owner, keys, values);
    }
    const sibling = branch(this.#owner, keys, node.children.splice(at));
    node.size -= sibling.size;
    return sibling;
  }

  #remove(node: Node<K, V>, key: K): void {
    node.size--;
    if (node.children === undefined) {
      const index = lowerBound(node.keys, key);
      node.keys.splice(index, 1);
      node.values.splice(index, 1);
      return;
    }
    const index = childIndex(node.keys, key);
    const child = this.#editable(node.children[index] as Node<K, V>);
    node.children[index] = child;
    this.#remove(child, key);
    if (child.size === 0) {
      node.children.splice(index, 1);
      node.keys.splice(index, 1);
    } else if (width(child) < mergeBelow && node.children.length > 1) {
      this.#merge(node, index === 0 ? 0 : index - 1);
    }
  }

  /** Joins children `index` and `index + 1` of an editable branch if one node can hold both. */
  #merge(node: Node<K, V>, index: number): void {
    const children = node.children as Node<K, V>[]; // only called on branches
    const left = children[index] as Node<K, V>;
    const right = children[index + 1] as Node<K, V>;
    if (width(left) + width(right) > maxEntries) return;
    // The lower bound kept in the branch is right even where the node's own first bound is stale.
    const rightKeys = right.children === undefined ? right.keys : [node.keys[index + 1] as K, ...right.keys.slice(1)];
    children[index] = {
      owner: this.#owner,
      keys: [...left.keys, ...rightKeys],
      values: [...left.values, ...right.values],
      children: left.children === undefined ? undefined : [...left.children, ...(right.children as Node<K, V>[])],
      size: left.size + right.size,
    };
    children.splice(index + 1, 1);
    node.keys.splice(index + 1, 1);
  }
}

const leaf = <K, V>(owner: object, keys: K[], values: V[]): Node<K, V> => ({
  owner,
  keys,
  values,
  children: undefined,
  size: keys.length,
});

function branch<K, V>(owner: object, keys: K[], children: Node<K, V>[]): Node<K, V> {
  let size = 0;
  for (const child of children) size += child.size;
  return { owner, keys, values: [], children, size };
}

/** Cuts a list into parts that fill a node, of which none is nearly empty. */
function parts<Item>(items: readonly Item[]): (readonly Item[])[] {
  const count = Math.ceil(items.length / (maxEntries - 1));
  return Array.from({ length: count }, (_, index) =>
    items.slice(Math.floor((index * items.length) / count), Math.floor(((index + 1) * items.length) / count)),
  );
}

const width = <K, V>(node: Node<K, V>): number => node.children?.length ?? node.keys.length;

/** First index whose key is not below `key`. */
function lowerBound<K extends TreeKey>(keys: readonly K[], key: K): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as K) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The child that holds `key`: the last one whose lower bound is not above it. */
function childIndex<K extends TreeKey>(bounds: readonly K[], key: K): number {
  let low = 1;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] as K) <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function scanNode<K extends TreeKey, V>(
  node: Node<K, V>,
  start: K,
  end: K | undefined,
  visit: (value: V, key: K) => boolean | void,
): boolean {
  if (node.children === undefined) {
    for (let i = lowerBound(node.keys, start); i < node.keys.length; i++) {
      const key = node.keys[i] as K;
      if (end !== undefined && key >= end) return false;
      if (visit(node.values[i] as V, key) === false) return false;
    }
    return true;
  }
  for (let i = childIndex(node.keys, start); i < node.children.length; i++) {
    if (end !== undefined && i > 0 && (node.keys[i] as K) >= end) return false;
    if (!scanNode(node.children[i] as Node<K, V>, start, end, visit)) return false;
  }
  return true;
}
