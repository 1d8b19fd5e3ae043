/**
 * One click, one order: the key that makes a repeated question harmless.
 *
 * What if the answer is lost? The order may be at the venue. The same wish goes out again under the same key, and the
 * desk answers what it answered first; a new key would be a second order. So a key lives from the click until a clear
 * answer, and a changed wish under an unclear key is not sent at all: first one has to know what became of the former.
 */

import { isUnclear } from "./client";
import type { OrderWish } from "./types";

export interface Attempt {
  readonly key: string;
  readonly wish: OrderWish;
}

/** What the former click came to: nothing is open, or its answer never came. */
export type Former = { readonly open: false } | { readonly open: true; readonly attempt: Attempt };

export const SETTLED: Former = { open: false };

/** The attempt that a click makes: anew, or the open one again. */
export function attemptOf(former: Former, wish: OrderWish, newKey: () => string): Attempt {
  return former.open ? former.attempt : { key: newKey(), wish };
}

/** What is known after an answer, or after none. */
export function afterAnswer(attempt: Attempt, failure: unknown): Former {
  return failure !== null && isUnclear(failure) ? { open: true, attempt } : SETTLED;
}

const REPEATS_MS = [300, 1_200];

/** How long to wait before the same attempt goes out by itself once more; null: leave it to the person. */
export function repeatAfter(failures: number): number | null {
  return REPEATS_MS[failures - 1] ?? null;
}
