// Sets of numbers as sorted spans: what is left of an address block without its exceptions, and ports that overlap. The kernel takes neither.
import type { IPBlock } from "#api";
import { addressText, parseRange } from "#base";

/** Both ends belong to it. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** The same numbers, sorted; no two spans touch. */
export function union(spans: readonly Span[]): readonly Span[] {
  const merged: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || span.first > before.last + 1) merged.push(span);
    else merged[merged.length - 1] = { first: before.first, last: Math.max(before.last, span.last) };
  }
  return merged;
}

/** What is in `span` and in none of `holes`. */
export function without(span: Span, holes: readonly Span[]): readonly Span[] {
  const left: Span[] = [];
  let { first } = span;
  for (const hole of union(holes)) {
    if (hole.last < first) continue;
    if (hole.first > span.last) break;
    if (hole.first > first) left.push({ first, last: hole.first - 1 });
    first = hole.last + 1;
  }
  return first <= span.last ? [...left, { first, last: span.last }] : left;
}

/** The IPv4 addresses of some blocks: one that excludes an address does not keep another from allowing it. */
export const addressesOf = (blocks: readonly IPBlock[]): readonly Span[] =>
  union(blocks.flatMap(({ cidr, except = [] }) => spanOf(cidr).flatMap((span) => without(span, except.flatMap(spanOf)))));

/** Empty for a range that is not of IPv4: the pod network has no other. */
function spanOf(cidr: string): readonly Span[] {
  const range = parseRange(cidr);
  if (range === undefined || range.family !== 4) return [];
  const first = Number(range.first);
  return [{ first, last: first + Number(range.size) - 1 }];
}

export const isEverything = ([span]: readonly Span[]): boolean => span?.first === 0 && span.last === 2 ** 32 - 1;

/** "10.0.0.0-10.0.0.7", as nft reads it. */
export const addressSpanText = (span: Span): string =>
  spanText(span, (value) => addressText({ family: 4, value: BigInt(value) }));
/** "8000-8010" */
export const portSpanText = (span: Span): string => spanText(span, String);

const spanText = ({ first, last }: Span, text: (value: number) => string): string =>
  first === last ? text(first) : `${text(first)}-${text(last)}`;
