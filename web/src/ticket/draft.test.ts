import { describe, expect, it } from "vitest";
import { EMPTY, wishOf, type Draft } from "./draft";

const wish = (change: Partial<Draft>) => wishOf({ ...EMPTY, ...change }, "BTC/USDT", "p1");

describe("the ticket's order", () => {
  it("is the text that was typed, made plain, and nothing that its type does not have", () => {
    expect(wish({ size: "1,000.50", sizeBy: "quote", price: "9", stop: "8", postOnly: true, timeInForce: "IOC" })).toEqual({
      complete: true,
      order: {
        symbol: "BTC/USDT",
        side: "BUY",
        type: "MARKET",
        quote_value: "1000.5",
        time_in_force: "GTC",
        reduce_only: false,
        post_only: false,
        allow_smaller: false,
        allow_repeat: false,
        portfolio: "p1",
      },
    });
  });

  it("carries both prices of a stop-limit order", () => {
    expect(wish({ type: "STOP_LIMIT", size: ".5", price: "99", stop: "100", timeInForce: "DAY", reduceOnly: true })).toMatchObject({
      complete: true,
      order: { quantity: "0.5", price: "99", stop_price: "100", time_in_force: "DAY", reduce_only: true, post_only: false },
    });
  });

  it.each([
    [{}, "Give a size."],
    [{ size: "0" }, "is no size"],
    [{ size: "1e9" }, "is no size"],
    [{ size: "1", type: "LIMIT" }, "Give a limit price"],
    [{ size: "1", type: "STOP" }, "Give a stop price"],
    [{ size: "1", type: "STOP_LIMIT", price: "3", stop: "-1" }, "Give a stop price"],
  ] as [Partial<Draft>, string][])("says what is missing from %j", (change, words) => {
    const made = wish(change);
    expect(made.complete ? "" : made.missing).toContain(words);
  });

  it("needs an instrument", () => expect(wishOf({ ...EMPTY, size: "1" }, "", "p1").complete).toBe(false));
});
