/**
 * Decimals as the desk sends them: text, exact, never a float.
 *
 * Rule 1. Whatever is shown of money is cut from the text by whole-number arithmetic. Rounding is for the eye only and
 *         half to even, as the desk settles; what is sent back is the exact text.
 * Rule 2. What is not a decimal gives null, which callers show as "unknown". Null is never zero.
 *
 * What must not enter: `Number`, `parseFloat`, locale formatting. The one door to floats is `forChart`: pixels are not
 * money.
 */

/** units × 10^-scale */
export interface Exact {
  readonly units: bigint;
  readonly scale: number;
}

const DECIMAL = /^([+-]?)(\d{1,40})(?:\.(\d{1,40}))?$/;

/** Read plain notation; null for anything else: exponents, NaN, blanks, more digits than the desk takes. */
export function parse(text: string): Exact | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const [, sign, whole = "", fraction = ""] = match;
  const units = BigInt(whole + fraction);
  return { units: sign === "-" ? -units : units, scale: fraction.length };
}

const tenTo = (places: number): bigint => 10n ** BigInt(places);

function atScale(value: Exact, scale: number): bigint {
  return value.units * tenTo(scale - value.scale);
}

export function compare(a: Exact, b: Exact): -1 | 0 | 1 {
  const scale = Math.max(a.scale, b.scale);
  const left = atScale(a, scale);
  const right = atScale(b, scale);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function subtract(a: Exact, b: Exact): Exact {
  const scale = Math.max(a.scale, b.scale);
  return { units: atScale(a, scale) - atScale(b, scale), scale };
}

export function multiply(a: Exact, b: Exact): Exact {
  return { units: a.units * b.units, scale: a.scale + b.scale };
}

/** Round to a number of places, half to even. */
export function round(value: Exact, places: number): Exact {
  if (value.scale <= places) return { units: atScale(value, places), scale: places };
  const step = tenTo(value.scale - places);
  const size = value.units < 0n ? -value.units : value.units;
  const rest = size % step;
  let units = size / step;
  if (rest * 2n > step || (rest * 2n === step && units % 2n === 1n)) units += 1n;
  return { units: value.units < 0n ? -units : units, scale: places };
}

/** Canonical text: plain notation, no trailing zeros, no negative zero. */
export function textOf(value: Exact): string {
  const plain = padded(value);
  return value.scale === 0 ? plain : plain.replace(/\.?0+$/, "");
}

function padded({ units, scale }: Exact): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const cut = digits.length - scale;
  const body = scale === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`;
  return units < 0n ? `-${body}` : body;
}

function grouped(plain: string): string {
  const [whole = "", fraction] = plain.split(".");
  const body = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? body : `${body}.${fraction}`;
}

/** −1, 0 or +1; null of what is unknown. */
export function signOf(text: string | null | undefined): -1 | 0 | 1 | null {
  const value = read(text);
  if (value === null) return null;
  return value.units < 0n ? -1 : value.units > 0n ? 1 : 0;
}

function read(text: string | null | undefined): Exact | null {
  return text === null || text === undefined ? null : parse(text);
}

/** A true minus sign is as wide as a plus and a digit: columns stay straight. */
const signed = (plain: string): string => plain.replace("-", "−");

/** `12345.678` → `12,345.68`; null of what is unknown. */
export function amount(text: string | null | undefined, places = 2): string | null {
  const value = read(text);
  return value === null ? null : signed(grouped(padded(round(value, places))));
}

/** As `amount`, with the sign written out, so that colour is never the only difference between gain and loss. */
export function change(text: string | null | undefined, places = 2): string | null {
  const shown = amount(text, places);
  return shown === null || signOf(text) !== 1 ? shown : `+${shown}`;
}

/** All the digits there are, grouped: for quantities and prices, which are exact by themselves. */
export function exact(text: string | null | undefined): string | null {
  const value = read(text);
  return value === null ? null : signed(grouped(textOf(value)));
}

/** All the digits of a step, such as prices at their tick: `61234.5` at `0.01` → `61,234.50`. */
export function atStep(text: string | null | undefined, step: string | null | undefined): string | null {
  const value = read(text);
  if (value === null) return null;
  const places = read(step) === null ? value.scale : placesOf(step);
  return signed(grouped(padded(round(value, Math.max(places, 0)))));
}

/** How many places a step has: `0.010` → 2. */
export function placesOf(step: string | null | undefined): number {
  const value = read(step);
  return value === null ? 2 : (textOf(value).split(".")[1] ?? "").length;
}

/** A ratio in percent: `0.1234` → `12.34 %`. */
export function percent(ratio: string | null | undefined, places = 1): string | null {
  const value = read(ratio);
  if (value === null) return null;
  const hundredfold = multiply(value, { units: 100n, scale: 0 });
  return `${signed(grouped(padded(round(hundredfold, places))))} %`;
}

/** What is in percent already. */
export function percentChange(text: string | null | undefined, places = 2): string | null {
  const shown = change(text, places);
  return shown === null ? null : `${shown} %`;
}

/** What people type, made plain: `1,234.5` → `1234.5`, `.5` → `0.5`; null when it is no positive decimal. */
export function typed(text: string): string | null {
  const bare = text.trim().replace(/,(?=\d{3}(\D|$))/g, "").replace(/^\./, "0.").replace(/\.$/, "");
  const value = parse(bare);
  return value !== null && value.units > 0n && !bare.startsWith("+") ? textOf(value) : null;
}

/** A float for the chart, and for nothing else. */
export function forChart(text: string): number {
  // eslint-disable-next-line no-restricted-syntax -- a place on the screen, not an amount
  return Number(text);
}

/** Where a ratio stands between 0 and 1, for drawing. */
export function forGauge(ratio: string): number {
  return Math.min(1, Math.max(0, forChart(ratio)));
}
