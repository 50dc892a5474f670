// How two values differ, line by line: the unified diff that upstream puts under "may not change".

/** Both as indented JSON, with three lines around each change; "" when they are the same. */
export const jsonDiff = (before: unknown, after: unknown): string => unifiedDiff(linesOf(before), linesOf(after));

const escapes: Readonly<Record<string, string>> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };
const linesOf = (value: unknown): readonly string[] =>
  (JSON.stringify(value, undefined, 1) ?? "null").replace(/[<>&]/g, (character) => escapes[character] ?? "").split("\n");

interface Change {
  readonly equal: boolean;
  readonly from: readonly [start: number, end: number];
  readonly to: readonly [start: number, end: number];
}

const around = 3;
/** Comparisons of lines: a spec of a million lines must not hold up everybody else. What is not compared counts as changed. */
const patience = 500_000;

export function unifiedDiff(before: readonly string[], after: readonly string[]): string {
  let text = "";
  for (const group of groups(changes(before, after))) {
    const [first, last] = [group[0] as Change, group.at(-1) as Change]; // groups are not empty
    text += `@@ -${range(first.from[0], last.from[1])} +${range(first.to[0], last.to[1])} @@\n`;
    for (const { equal, from, to } of group) {
      for (const line of before.slice(...from)) text += `${equal ? " " : "-"}${line}\n`;
      if (!equal) for (const line of after.slice(...to)) text += `+${line}\n`;
    }
  }
  return text;
}

function range(start: number, end: number): string {
  const length = end - start;
  if (length === 1) return String(start + 1);
  return `${length === 0 ? start : start + 1},${length}`;
}

function changes(before: readonly string[], after: readonly string[]): Change[] {
  const found: Change[] = [];
  let [i, j] = [0, 0];
  for (const [start, other, size] of [...matches(before, after), [before.length, after.length, 0] as const]) {
    if (i < start || j < other) found.push({ equal: false, from: [i, start], to: [j, other] });
    if (size > 0) found.push({ equal: true, from: [start, start + size], to: [other, other + size] });
    [i, j] = [start + size, other + size];
  }
  return found;
}

/** Changes with the lines around them; those far from each other apart. */
function groups(all: readonly Change[]): Change[][] {
  const result: Change[][] = [];
  let current: Change[] = [];
  const cut = ({ from, to }: Change, start: number, end: number): Change => ({
    equal: true,
    from: [Math.max(from[0], from[1] - start), Math.min(from[1], from[0] + end)],
    to: [Math.max(to[0], to[1] - start), Math.min(to[1], to[0] + end)],
  });
  const everything = Number.MAX_SAFE_INTEGER;
  for (const [index, change] of all.entries()) {
    const size = change.from[1] - change.from[0];
    if (!change.equal) current.push(change);
    else if (index === 0) current.push(cut(change, around, everything));
    else if (index === all.length - 1) current.push(cut(change, everything, around));
    else if (size <= 2 * around) current.push(change);
    else {
      result.push([...current, cut(change, everything, around)]);
      current = [cut(change, around, everything)];
    }
  }
  if (current.some(({ equal }) => !equal)) result.push(current);
  return result;
}

type Match = readonly [start: number, other: number, size: number];

/** The longest run of equal lines, then the same before and after it. Of equally long ones the first (Ratcliff and Obershelp). */
function matches(before: readonly string[], after: readonly string[]): Match[] {
  const places = new Map<string, number[]>();
  for (const [j, line] of after.entries()) {
    const known = places.get(line);
    if (known === undefined) places.set(line, [j]);
    else known.push(j);
  }
  // lines that are everywhere in a long text are no landmarks
  if (after.length >= 200)
    for (const [line, where] of places) if (where.length > Math.floor(after.length / 100) + 1) places.delete(line);
  const found: Match[] = [];
  const left = { comparisons: patience };
  const open: (readonly [number, number, number, number])[] = [[0, before.length, 0, after.length]];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const [low, high, otherLow, otherHigh] = part;
    const [i, j, size] = longest(before, after, places, part, left);
    if (size === 0) continue;
    found.push([i, j, size]);
    open.push([low, i, otherLow, j], [i + size, high, j + size, otherHigh]);
  }
  return joined(found.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
}

function longest(
  before: readonly string[],
  after: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  [low, high, otherLow, otherHigh]: readonly [number, number, number, number],
  left: { comparisons: number },
): Match {
  let [start, other, size] = [low, otherLow, 0];
  let lengths = new Map<number, number>();
  for (let i = low; i < high; i++) {
    const next = new Map<number, number>();
    const where = places.get(before[i] as string) ?? [];
    left.comparisons -= 1 + where.length;
    if (left.comparisons < 0) return [low, otherLow, 0];
    for (const j of where) {
      if (j < otherLow || j >= otherHigh) continue;
      const length = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, length);
      if (length > size) [start, other, size] = [i - length + 1, j - length + 1, length];
    }
    lengths = next;
  }
  while (start > low && other > otherLow && before[start - 1] === after[other - 1])
    [start, other, size] = [start - 1, other - 1, size + 1];
  while (start + size < high && other + size < otherHigh && before[start + size] === after[other + size]) size++;
  return [start, other, size];
}

/** Runs that touch are one. */
function joined(sorted: readonly Match[]): Match[] {
  const result: Match[] = [];
  for (const [i, j, size] of sorted) {
    const last = result.at(-1);
    if (last !== undefined && last[0] + last[2] === i && last[1] + last[2] === j)
      result[result.length - 1] = [last[0], last[1], last[2] + size];
    else result.push([i, j, size]);
  }
  return result;
}
