// What plugins remember between the extension points of one pod's scheduling cycle.

/** A value of the cycle state; preemption tries nodes on copies. */
export interface CycleValue {
  clone?(): unknown;
}

export class CycleState {
  readonly #values = new Map<string, unknown>();
  /** Plugins whose preFilter said Skip: their filter is left out. */
  readonly skipFilter = new Set<string>();
  /** Plugins whose preScore said Skip: their score is left out. */
  readonly skipScore = new Set<string>();

  get<T>(key: string): T | undefined {
    return this.#values.get(key) as T | undefined; // the plugin that writes a key is the one that reads it
  }

  set(key: string, value: unknown): void {
    this.#values.set(key, value);
  }

  /** A copy whose cloneable values are copied and whose others are shared. */
  clone(): CycleState {
    const copy = new CycleState();
    for (const [key, value] of this.#values) {
      const clone = (value as CycleValue | undefined)?.clone;
      copy.#values.set(key, clone === undefined ? value : clone.call(value));
    }
    for (const name of this.skipFilter) copy.skipFilter.add(name);
    for (const name of this.skipScore) copy.skipScore.add(name);
    return copy;
  }
}
