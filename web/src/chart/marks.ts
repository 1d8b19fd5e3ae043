/** Our trades as marks on the chart: one per bar and side, so that a busy bot does not bury the candles; pure. */

import type { Side, Trade } from "../api/types";
import { parse, textOf, type Exact } from "../format/decimal";
import { secondsOf, startOf } from "./bars";

export interface Mark {
  readonly time: number;
  readonly side: Side;
  readonly count: number;
  /** The exact sum of what was traded. */
  readonly quantity: string;
}

export function marksOf(trades: readonly Trade[], symbol: string, interval: number, first: number): Mark[] {
  const sums = new Map<string, { time: number; side: Side; count: number; sum: Exact }>();
  for (const trade of trades) {
    const quantity = parse(trade.size_crypto);
    if (trade.product_id !== symbol || trade.filled_at === null || quantity === null) continue;
    const time = startOf(secondsOf(trade.filled_at), interval);
    if (time < first) continue;
    const key = `${time}:${trade.side}`;
    const before = sums.get(key);
    sums.set(key, {
      time,
      side: trade.side,
      count: (before?.count ?? 0) + 1,
      sum: before === undefined ? quantity : plus(before.sum, quantity),
    });
  }
  return [...sums.values()]
    .sort((a, b) => a.time - b.time || a.side.localeCompare(b.side))
    .map(({ time, side, count, sum }) => ({ time, side, count, quantity: textOf(sum) }));
}

function plus(a: Exact, b: Exact): Exact {
  const scale = Math.max(a.scale, b.scale);
  return { units: a.units * 10n ** BigInt(scale - a.scale) + b.units * 10n ** BigInt(scale - b.scale), scale };
}
