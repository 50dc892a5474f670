// Quantities, exact: "250m", "1.5Gi", "12e6" as an integer times a power of ten, with upstream's canonical texts (apimachinery api/resource).
import { own } from "#base";
import type { Quantity } from "./scalars.ts";

type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

/** mantissa x 10^exponent. */
export interface ParsedQuantity {
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly format: QuantityFormat;
}

const quantityFormatError = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const quantitySuffixError = "unable to parse quantity's suffix";
const quantityNumberError = "unable to parse numeric part of quantity";

export class QuantityError extends Error {}

const decimalSuffixes: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binarySuffixes: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const decimalByExponent = new Map(Object.entries(decimalSuffixes).map(([suffix, exponent]) => [exponent, suffix]));
const binaryByExponent = new Map(Object.entries(binarySuffixes).map(([suffix, exponent]) => [exponent, suffix]));

export const zeroQuantity: ParsedQuantity = { mantissa: 0n, exponent: 0, format: "DecimalSI" };
const maxInt64 = 2n ** 63n - 1n;
/** Beyond this many powers of ten apart, numbers are compared by magnitude alone: a text cannot make us compute for minutes. */
const farApart = 4096;

interface Parts {
  readonly negative: boolean;
  readonly whole: string;
  readonly fraction: string;
  readonly suffix: string;
}

const shape = /^([+-]?)([0-9]*)(?:(\.)([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/;

function split(text: string): Parts {
  if (text === "") throw new QuantityError(quantityFormatError);
  const match = shape.exec(text);
  if (match === null) throw new QuantityError(quantityFormatError);
  return {
    negative: match[1] === "-",
    whole: (match[2] ?? "").replace(/^0+/, ""),
    fraction: match[4] ?? "",
    suffix: match[5] ?? "",
  };
}

function interpret(suffix: string): { format: QuantityFormat; exponent: number } | undefined {
  const decimal = own(decimalSuffixes, suffix);
  if (decimal !== undefined) return { format: "DecimalSI", exponent: decimal };
  const binary = own(binarySuffixes, suffix);
  if (binary !== undefined) return { format: "BinarySI", exponent: binary };
  const match = /^[eE]([+-]?[0-9]+)$/.exec(suffix);
  if (match === null) return undefined;
  const exponent = Number(match[1]);
  return Math.abs(exponent) <= 2147483647 ? { format: "DecimalExponent", exponent } : undefined;
}

// The same few texts come again and again: a bounded cache of immutable values that follow from the text alone.
const parsedTexts = new Map<string, ParsedQuantity>();
const canonicalTexts = new Map<string, string>();
const cachedTexts = 2_000;
const cachedLength = 32;

function remember<T>(cache: Map<string, T>, text: string, value: T): T {
  if (text.length > cachedLength) return value;
  if (cache.size >= cachedTexts) cache.clear();
  cache.set(text, value);
  return value;
}

/** Throws QuantityError with upstream's text. */
export function parseQuantity(quantity: Quantity): ParsedQuantity {
  if (typeof quantity === "number") return parse(quantity);
  return parsedTexts.get(quantity) ?? remember(parsedTexts, quantity, parse(quantity));
}

function parse(quantity: Quantity): ParsedQuantity {
  const text = typeof quantity === "number" ? numberText(quantity) : quantity.trim();
  const parts = split(text);
  const found = interpret(parts.suffix);
  if (found === undefined) throw new QuantityError(quantitySuffixError);
  const digits = parts.whole + parts.fraction;
  const hasDigits = /[0-9]/.test(text.slice(0, text.length - parts.suffix.length));
  // A lone sign or point reads as zero, as upstream; a suffix without any digit does not.
  if (!hasDigits && !/^[+-]?\.?$/.test(text)) throw new QuantityError(quantityNumberError);
  const magnitude = BigInt(digits === "" ? "0" : digits);
  let quantityParsed: ParsedQuantity;
  if (found.format === "BinarySI") quantityParsed = binary(magnitude, parts.fraction.length, found.exponent);
  else quantityParsed = { mantissa: magnitude, exponent: found.exponent - parts.fraction.length, format: found.format };
  if (quantityParsed.exponent < -9) quantityParsed = scaleUp(quantityParsed, -9);
  return parts.negative ? { ...quantityParsed, mantissa: -quantityParsed.mantissa } : quantityParsed;
}

const numberText = (value: number): string => (Number.isFinite(value) ? String(value).replace("e+", "e") : "");

function binary(magnitude: bigint, places: number, power: number): ParsedQuantity {
  const mantissa = magnitude << BigInt(power);
  const whole = 10n ** BigInt(places);
  if (mantissa > maxInt64 * whole) return { mantissa: maxInt64, exponent: 0, format: "BinarySI" };
  // Less than one is written in decimal, so that nothing is rounded.
  const format = mantissa > 0n && mantissa < whole ? "DecimalSI" : "BinarySI";
  return mantissa % whole === 0n ? { mantissa: mantissa / whole, exponent: 0, format } : { mantissa, exponent: -places, format };
}

/** Undefined for a text that is no quantity. */
export function tryParseQuantity(quantity: Quantity | undefined | null): ParsedQuantity | undefined {
  if (quantity === undefined || quantity === null) return undefined;
  try {
    return parseQuantity(quantity);
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

/** Rounds away from zero to a multiple of 10^exponent. */
function scaleUp(quantity: ParsedQuantity, exponent: number): ParsedQuantity {
  const shift = exponent - quantity.exponent;
  if (shift <= 0 || quantity.mantissa === 0n) return quantity;
  const negative = quantity.mantissa < 0n;
  const magnitude = negative ? -quantity.mantissa : quantity.mantissa;
  const divisor = shift > magnitude.toString().length ? undefined : 10n ** BigInt(shift);
  const rounded = divisor === undefined ? 1n : (magnitude + divisor - 1n) / divisor;
  return { mantissa: negative ? -rounded : rounded, exponent, format: quantity.format };
}

/** Rounds up to thousandths: what upstream's defaults do to every resource list. */
const roundUpToMilli = (quantity: ParsedQuantity): ParsedQuantity => scaleUp(quantity, -3);

const isInteger = (quantity: ParsedQuantity): boolean =>
  quantity.exponent >= 0 || scaleUp(quantity, 0).mantissa * 10n ** BigInt(-quantity.exponent) === quantity.mantissa;

/** Canonical text: no fraction, the largest suffix that needs none. */
export function formatQuantity(quantity: ParsedQuantity): string {
  if (quantity.mantissa === 0n) return "0";
  let format = quantity.format;
  if (format === "BinarySI") {
    const small =
      compareQuantities(quantity, { mantissa: -1024n, exponent: 0, format }) > 0 &&
      compareQuantities(quantity, { mantissa: 1024n, exponent: 0, format }) < 0;
    if (small || !isInteger(quantity)) format = "DecimalSI";
  }
  if (format === "BinarySI") {
    let amount = quantity.mantissa * 10n ** BigInt(Math.max(0, quantity.exponent));
    if (quantity.exponent < 0) amount /= 10n ** BigInt(-quantity.exponent);
    let power = 0;
    while (amount % 1024n === 0n) {
      amount /= 1024n;
      power += 10;
    }
    return `${amount}${power === 0 ? "" : (binaryByExponent.get(power) ?? "")}`;
  }
  let amount = quantity.mantissa;
  let exponent = quantity.exponent;
  while (amount % 10n === 0n) {
    amount /= 10n;
    exponent++;
  }
  while (exponent % 3 !== 0) {
    amount *= 10n;
    exponent--;
  }
  if (format === "DecimalExponent") return exponent === 0 ? `${amount}` : `${amount}e${exponent}`;
  // A power without a suffix loses it, as upstream ("1000000000000000000000" comes back "1").
  return `${amount}${decimalByExponent.get(exponent) ?? ""}`;
}

/**
 * The text that the API server stores for a quantity it was given: canonical, except that a sign, leading zeros, a trailing point or
 * a capital E are kept where the number is canonical otherwise ("+5", "5.", "1E3"). Throws QuantityError.
 */
export function canonicalQuantity(quantity: Quantity | null): string {
  if (quantity === null) return "0";
  if (typeof quantity === "number") return keepOrFormat(quantity, parseQuantity(quantity));
  return canonicalTexts.get(quantity) ?? remember(canonicalTexts, quantity, keepOrFormat(quantity, parseQuantity(quantity)));
}

/** As `canonicalQuantity`, of a resource list's entry: rounded up to thousandths. A text that is no quantity is returned as it is. */
export function canonicalResource(quantity: Quantity | null): string {
  if (quantity === null) return "0";
  const parsed = tryParseQuantity(quantity);
  if (parsed === undefined) return String(quantity);
  return parsed.exponent >= -3 ? canonicalQuantity(quantity) : formatQuantity(roundUpToMilli(parsed));
}

function keepOrFormat(quantity: Quantity, parsed: ParsedQuantity): string {
  const canonical = formatQuantity(parsed);
  if (typeof quantity === "number") return canonical;
  const text = quantity.trim();
  if (text === canonical) return text;
  const plain = text
    .replace(/^\+/, "")
    .replace(/^(-?)0+(?=[0-9])/, "$1")
    .replace(/\.(?=$|[^0-9])/, "")
    .replace(/E(?=[0-9+-])/, "e")
    .replace("e+", "e");
  return plain === canonical && parsed.mantissa !== 0n ? text : canonical;
}

const digitsOf = (value: bigint): number => (value < 0n ? -value : value).toString().length;

/** Brings two quantities to one exponent, unless that would take an absurd number of digits. */
function aligned(a: ParsedQuantity, b: ParsedQuantity): [bigint, bigint, number] {
  const exponent = Math.min(a.exponent, b.exponent);
  return [a.mantissa * 10n ** BigInt(a.exponent - exponent), b.mantissa * 10n ** BigInt(b.exponent - exponent), exponent];
}

/** Negative, zero or positive: a before, equal to, after b. */
export function compareQuantities(a: ParsedQuantity, b: ParsedQuantity): number {
  const signs = signOf(a) - signOf(b);
  if (signs !== 0 || a.mantissa === 0n) return Math.sign(signs);
  if (Math.abs(a.exponent - b.exponent) > farApart) {
    const magnitudes = digitsOf(a.mantissa) + a.exponent - digitsOf(b.mantissa) - b.exponent;
    return Math.sign(magnitudes) * signOf(a);
  }
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export const signOf = (quantity: ParsedQuantity): number => (quantity.mantissa > 0n ? 1 : quantity.mantissa < 0n ? -1 : 0);

/** Compares texts. An absent quantity is zero; a text that is no quantity throws. */
export const compareQuantityTexts = (a: Quantity | undefined, b: Quantity | undefined): number =>
  compareQuantities(a === undefined ? zeroQuantity : parseQuantity(a), b === undefined ? zeroQuantity : parseQuantity(b));

/** The sum; its format is a's, or b's where a is zero (as upstream). */
export function addQuantities(a: ParsedQuantity, b: ParsedQuantity): ParsedQuantity {
  const format = a.mantissa === 0n ? b.format : a.format;
  if (a.mantissa === 0n || b.mantissa === 0n) return { ...(a.mantissa === 0n ? b : a), format };
  if (Math.abs(a.exponent - b.exponent) > farApart) return { ...(a.exponent > b.exponent ? a : b), format };
  const [left, right, exponent] = aligned(a, b);
  return { mantissa: left + right, exponent, format };
}

export const negateQuantity = (quantity: ParsedQuantity): ParsedQuantity => ({ ...quantity, mantissa: -quantity.mantissa });
export const subtractQuantities = (a: ParsedQuantity, b: ParsedQuantity): ParsedQuantity => addQuantities(a, negateQuantity(b));

/** In units of 10^exponent, rounded away from zero, held within int64. */
export function scaledQuantity(quantity: ParsedQuantity, exponent: number): bigint {
  const rounded = scaleUp(quantity, exponent);
  const shift = rounded.exponent - exponent;
  if (shift > 40 && rounded.mantissa !== 0n) return rounded.mantissa > 0n ? maxInt64 : -maxInt64;
  const value = rounded.mantissa * 10n ** BigInt(Math.max(0, shift));
  return value > maxInt64 ? maxInt64 : value < -maxInt64 ? -maxInt64 : value;
}

/** The common shapes ("2", "250m", "512Mi") without bigint; undefined for every other one. */
function simpleMilli(text: string): number | undefined {
  let value = 0;
  let i = 0;
  for (; i < text.length && i < 12; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (i === 0) return undefined;
  const factor = simpleFactors[text.slice(i)];
  if (factor === undefined) return undefined;
  const milli = value * factor;
  return milli <= Number.MAX_SAFE_INTEGER ? milli : undefined;
}

const simpleFactors: Readonly<Record<string, number>> = {
  __proto__: null as never,
  "": 1e3,
  m: 1,
  k: 1e6,
  M: 1e9,
  G: 1e12,
  Ki: 1024e3,
  Mi: 1024 ** 2 * 1e3,
  Gi: 1024 ** 3 * 1e3,
  Ti: 1024 ** 4 * 1e3,
};

/** Whole units (bytes, pods), rounded up. Zero for an absent or unparsable quantity; above 2^53 the number is approximate. */
export function quantityValue(quantity: Quantity | undefined): number {
  const simple = typeof quantity === "string" ? simpleMilli(quantity) : undefined;
  if (simple !== undefined) return Math.ceil(simple / 1000);
  const parsed = tryParseQuantity(quantity);
  return parsed === undefined ? 0 : Number(scaledQuantity(parsed, 0));
}

/** Thousandths (milli-cpus), rounded up. Zero for an absent or unparsable quantity. */
export function milliValue(quantity: Quantity | undefined): number {
  const simple = typeof quantity === "string" ? simpleMilli(quantity) : undefined;
  if (simple !== undefined) return simple;
  const parsed = tryParseQuantity(quantity);
  return parsed === undefined ? 0 : Number(scaledQuantity(parsed, -3));
}
