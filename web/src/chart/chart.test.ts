import { describe, expect, it } from "vitest";
import type { Candles, Trade } from "../api/types";
import { afterPrice, barsOf } from "./bars";
import { marksOf } from "./marks";

const candle = (start: string, close: string): Candles["items"][number] => ({
  start,
  open: "1",
  high: "3",
  low: "0.5",
  close,
  volume: null,
  closed: true,
});

describe("bars", () => {
  it("are in order and each start is there once, however the candles come", () => {
    const items = [candle("2026-01-01T00:02:00Z", "2"), candle("2026-01-01T00:01:00Z", "1"), candle("2026-01-01T00:02:00Z", "3")];
    const bars = barsOf({ symbol: "BTC/USDT", interval: "1m", source: "synthetic", items });
    expect(bars.map((bar) => [bar.time % 3_600, bar.close])).toEqual([
      [60, 1],
      [120, 3],
    ]);
  });

  it("grow with prices, begin anew with the interval, and take no price of the past", () => {
    const last = { time: 60, open: 2, high: 3, low: 1, close: 2 };
    expect(afterPrice(last, 4, 119.9, 60)).toEqual({ time: 60, open: 2, high: 4, low: 1, close: 4 });
    expect(afterPrice(last, 0.5, 61, 60)).toEqual({ time: 60, open: 2, high: 3, low: 0.5, close: 0.5 });
    expect(afterPrice(last, 4, 125, 60)).toEqual({ time: 120, open: 4, high: 4, low: 4, close: 4 });
    expect(afterPrice(last, 4, 59, 60)).toBeNull();
    expect(afterPrice(undefined, 4, 59, 60)?.time).toBe(0);
  });
});

describe("marks", () => {
  const trade = (at: string | null, side: Trade["side"], quantity: string, product = "BTC/USDT"): Trade => ({
    id: `${at ?? ""}${quantity}`,
    product_id: product,
    side,
    size_usd: null,
    size_crypto: quantity,
    price: null,
    status: "FILLED",
    filled_at: at,
    commission: "0",
    commission_currency: "USDT",
    triggered_by: "manual",
    order_id: null,
    portfolio: "main",
  });

  it("add up the trades of a bar and side exactly, and leave out what is not on the chart", () => {
    const trades = [
      trade("1970-01-01T00:01:30Z", "BUY", "0.1"),
      trade("1970-01-01T00:01:10Z", "BUY", "0.20"),
      trade("1970-01-01T00:01:59Z", "SELL", "0.3"),
      trade("1970-01-01T00:00:59Z", "BUY", "9"),
      trade("1970-01-01T00:02:59Z", "BUY", "9", "ETH/USDT"),
      trade(null, "BUY", "9"),
    ];
    expect(marksOf(trades, "BTC/USDT", 60, 60)).toEqual([
      { time: 60, side: "BUY", count: 2, quantity: "0.3" },
      { time: 60, side: "SELL", count: 1, quantity: "0.3" },
    ]);
  });
});
