// Is there an order of operations that explains all answers and respects real time? Wing & Gong's search with Lowe's memory of dead ends.

/** A sequential object: what it was, one step, what it is then. */
export interface Model<State, Step> {
  readonly initial: State;
  /** The state after a step that gave the answer it gave; undefined when it cannot have given it here. */
  step(state: State, step: Step): State | undefined;
  /** Equal for equal states. */
  identify(state: State): string;
}

/** From question to answer, in ticks. `return` Infinity: no answer came; the step may have been taken any time after the call, or never. */
export interface Interval<Step> {
  readonly step: Step;
  readonly call: number;
  readonly return: number;
}

export type Verdict<Step> =
  | { readonly verdict: "linearizable" }
  /** `longest`: how many answered steps the best attempt could order; `stuck`: the steps none of which could come next. */
  | { readonly verdict: "violation"; readonly longest: number; readonly stuck: readonly Step[] }
  /** Too many states: nothing is known. */
  | { readonly verdict: "unknown" };

interface Node<Step> {
  readonly index: number;
  readonly step: Step;
  readonly answered: boolean;
  readonly kind: "call" | "return";
  /** Of a call: its return. */
  match: Node<Step> | undefined;
  previous: Node<Step> | undefined;
  next: Node<Step> | undefined;
}

/** States to remember before giving up; about 100 bytes each. */
const defaultLimit = 500_000;

/** Wing & Gong 1993 ("Testing and verifying concurrent objects"), memoised as Lowe 2017 ("Testing for linearizability"). */
export function checkLinearizable<State, Step>(
  model: Model<State, Step>,
  intervals: readonly Interval<Step>[],
  limit = defaultLimit,
): Verdict<Step> {
  const head = link(intervals);
  const done = new Done(intervals.length);
  const seen = new Set<string>();
  const path: { readonly node: Node<Step>; readonly before: State }[] = [];
  let state = model.initial;
  let toAnswer = intervals.filter((interval) => interval.return !== Number.POSITIVE_INFINITY).length;
  const all = toAnswer;
  let longest = -1;
  let stuck: readonly Step[] = [];
  let node = head.next;
  while (toAnswer > 0) {
    if (node?.kind === "call") {
      const after = model.step(state, node.step);
      if (after !== undefined && remember(seen, done, node.index, model.identify(after))) {
        if (seen.size > limit) return { verdict: "unknown" };
        path.push({ node, before: state });
        state = after;
        done.add(node.index);
        if (node.answered) toAnswer--;
        lift(node);
        node = head.next;
      } else node = node.next;
      continue;
    }
    // A step that must come by now cannot: take back the last one.
    if (all - toAnswer > longest) {
      longest = all - toAnswer;
      stuck = candidates(head);
    }
    const last = path.pop();
    if (last === undefined) return { verdict: "violation", longest, stuck };
    state = last.before;
    done.delete(last.node.index);
    if (last.node.answered) toAnswer++;
    unlift(last.node);
    node = last.node.next;
  }
  return { verdict: "linearizable" };
}

/** The list of calls and returns in time; of equal ticks calls come first, which allows more. */
function link<Step>(intervals: readonly Interval<Step>[]): Node<Step> {
  const moments: { readonly at: number; readonly node: Node<Step> }[] = [];
  const answeredOf = (interval: Interval<Step>): boolean => interval.return !== Number.POSITIVE_INFINITY;
  [...intervals]
    .sort((a, b) => Number(answeredOf(b)) - Number(answeredOf(a)) || a.call - b.call)
    .forEach((interval, index) => {
      const { step, call, return: end } = interval;
      const answered = answeredOf(interval);
      const node = (kind: "call" | "return"): Node<Step> => ({
        index,
        step,
        answered,
        kind,
        match: undefined,
        previous: undefined,
        next: undefined,
      });
      const begin = node("call");
      moments.push({ at: call, node: begin });
      if (!answered) return;
      begin.match = node("return");
      moments.push({ at: end, node: begin.match });
    });
  moments.sort((a, b) => a.at - b.at || Number(a.node.kind === "return") - Number(b.node.kind === "return"));
  const head: Node<Step> = { ...(moments[0]?.node as Node<Step>), previous: undefined, next: undefined };
  let last = head;
  for (const { node } of moments) {
    last.next = node;
    node.previous = last;
    last = node;
  }
  return head;
}

function lift<Step>(call: Node<Step>): void {
  for (const node of [call, call.match]) {
    if (node?.previous !== undefined) node.previous.next = node.next;
    if (node?.next !== undefined) node.next.previous = node.previous;
  }
}

function unlift<Step>(call: Node<Step>): void {
  for (const node of [call.match, call]) {
    if (node?.previous !== undefined) node.previous.next = node;
    if (node?.next !== undefined) node.next.previous = node;
  }
}

/** The steps that could have come next: those called before the first return. */
function candidates<Step>(head: Node<Step>): Step[] {
  const steps: Step[] = [];
  for (let node = head.next; node?.kind === "call"; node = node.next) steps.push(node.step);
  return steps;
}

function remember(seen: Set<string>, done: Done, adding: number, state: string): boolean {
  const before = seen.size;
  seen.add(`${done.identify(adding)} ${state}`);
  return seen.size > before;
}

/** The set of steps taken: all below a frontier, and a few beyond it. Those that were never answered have the highest indexes. */
class Done {
  readonly #taken: Uint8Array;
  readonly #count: number;
  #frontier = 0;

  constructor(count: number) {
    this.#count = count;
    this.#taken = new Uint8Array(count);
  }

  add(index: number): void {
    this.#taken[index] = 1;
    while (this.#taken[this.#frontier] === 1) this.#frontier++;
  }

  delete(index: number): void {
    this.#taken[index] = 0;
    if (index < this.#frontier) this.#frontier = index;
  }

  /** Equal for equal sets, as if `adding` were in it. */
  identify(adding: number): string {
    let text = "";
    let frontier = this.#frontier;
    while (this.#taken[frontier] === 1 || frontier === adding) frontier++;
    for (let index = frontier + 1; index < this.#count; index++) {
      if (this.#taken[index] === 1 || index === adding) text += `,${index}`;
    }
    return `${frontier}${text}`;
  }
}
