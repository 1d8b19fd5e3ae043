/** Bars for the chart, from candles and then from quotes; pure. Floats are allowed here: a place on the screen is not money. */

import type { Candles } from "../api/types";
import type { Interval } from "../api/queries";
import { forChart } from "../format/decimal";

export interface Bar {
  /** Start, in seconds since 1970, UTC. */
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

export const INTERVAL_SECONDS: Record<Interval, number> = { "1m": 60, "5m": 300, "15m": 900, "1h": 3_600 };

export const secondsOf = (iso: string): number => Math.floor(Date.parse(iso) / 1_000);

export const startOf = (seconds: number, interval: number): number => Math.floor(seconds / interval) * interval;

/** Oldest first, each start once: a chart refuses anything else. */
export function barsOf(candles: Candles): Bar[] {
  const byTime = new Map<number, Bar>();
  for (const candle of candles.items) {
    const time = secondsOf(candle.start);
    byTime.set(time, {
      time,
      open: forChart(candle.open),
      high: forChart(candle.high),
      low: forChart(candle.low),
      close: forChart(candle.close),
    });
  }
  return [...byTime.values()].sort((a, b) => a.time - b.time);
}

/** The last bar after a price; a new one when its time has come, null for a price that is older than the last bar. */
export function afterPrice(last: Bar | undefined, price: number, atSeconds: number, interval: number): Bar | null {
  const time = startOf(atSeconds, interval);
  if (last === undefined || time > last.time) return { time, open: price, high: price, low: price, close: price };
  if (time < last.time) return null;
  return { ...last, high: Math.max(last.high, price), low: Math.min(last.low, price), close: price };
}
