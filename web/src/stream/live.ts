/** What the stream keeps current by itself, a store per noun: nobody asks for it again. */

import type { AccountPulse, EventFrame, Quote } from "../api/types";
import { makeStore } from "./store";

/** How this page stands to the desk's stream. */
export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  /** Cut; what is shown is as old as `since` (by `performance.now()`). */
  | { readonly state: "reconnecting"; readonly since: number };

/** Something with the moment at which it was received, by `performance.now()`. */
export interface Received<Value> {
  readonly value: Value;
  readonly at: number;
}

export const link = makeStore<Link>({ state: "connecting" });
export const quotes = makeStore<ReadonlyMap<string, Received<Quote>>>(new Map());
export const pulses = makeStore<ReadonlyMap<string, Received<AccountPulse>>>(new Map());
export const lastEvent = makeStore<EventFrame | null>(null);

/** Two accounts may trade one symbol at prices of two sources: a price is never shown under the other's name. */
export const placeOf = (source: string, symbol: string): string => `${source} ${symbol}`;

export function takeQuotes(items: readonly Quote[], at: number): void {
  const next = new Map(quotes.get());
  for (const value of items) next.set(placeOf(value.source, value.symbol), { value, at });
  quotes.set(next);
}

export function takePulse(accounts: readonly AccountPulse[], at: number): void {
  pulses.set(new Map(accounts.map((value) => [value.account, { value, at }])));
}

/** Forget everything: another person may sign in. */
export function forget(): void {
  link.set({ state: "connecting" });
  quotes.set(new Map());
  pulses.set(new Map());
  lastEvent.set(null);
}
