import { describe, expect, it } from "vitest";
import type { AccountPulse, EquityPoint, Order, Position } from "../api/types";
import { curveOf } from "../chart/curve";
import { levelsOf } from "../chart/levels";
import { cause, closeOutcome, guardStatus } from "../format/words";
import { passwordProblem } from "./password";

describe("a new password", () => {
  it("is long enough and the same twice", () => {
    expect(passwordProblem("short", "short")).toBe("7 more characters.");
    expect(passwordProblem("eleven char", "")).toBe("1 more character.");
    expect(passwordProblem("⚓⚓⚓⚓⚓⚓⚓⚓⚓⚓⚓", "")).toBe("1 more character.");
    expect(passwordProblem("twelve chars", "twelve char")).toBe("The two are not the same yet.");
    expect(passwordProblem("twelve chars", "twelve chars")).toBeNull();
  });
});

describe("a word that the page does not know", () => {
  it("is shown as the desk wrote it, never hidden", () => {
    expect(guardStatus("SOMETHING_NEW")).toBe("something new");
    expect(closeOutcome("FLAT")).toBe("flat");
    expect(["manual", "api", "bot:7", "guard:drawdown", "external"].map(cause)).toEqual(["you", "API", "bot 7", "guard drawdown", "external"]);
  });
});

describe("the lines of what we have", () => {
  it("are those of the instrument looked at, with a stop's own price where there is no limit", () => {
    const position = { symbol: "A", side: "SHORT", quantity: "1.50", entry_price: "10", liquidation_price: "20" } as Position;
    const orders = [
      { symbol: "A", side: "BUY", quantity: "1", price: null, stop_price: "12" },
      { symbol: "A", side: "SELL", quantity: "1", price: null, stop_price: null },
      { symbol: "B", side: "SELL", quantity: "1", price: "9", stop_price: null },
    ] as Order[];
    expect(levelsOf([position, { ...position, symbol: "B" }], orders, "A")).toEqual([
      { kind: "entry", price: "10", title: "short 1.5" },
      { kind: "liquidation", price: "20", title: "liquidation" },
      { kind: "order", price: "12", title: "buy 1" },
    ]);
  });
});

describe("the equity curve", () => {
  const point = (at: string, equity: string): EquityPoint => ({ at, equity, nav: "1", peak: "1", drawdown: "0.5" });
  const points = [point("1970-01-01T00:00:10Z", "100"), point("1970-01-01T00:00:20Z", "105")];
  const pulse = (equity: string | null, at: string | null) => ({ equity, drawdown: "0", guard: { last_check_at: at } }) as AccountPulse;

  it("ends with what the pulse says now", () => {
    expect(curveOf(points, pulse("120", "1970-01-01T00:00:30Z")).at(-1)).toEqual({ time: 30, equity: 120, peak: 120, drawdown: 0 });
    expect(curveOf(points, undefined)[0]).toEqual({ time: 10, equity: 100, peak: 200, drawdown: 0.5 });
  });

  it("adds no point for an unknown equity, or for a moment that it has already", () => {
    expect(curveOf(points, undefined)).toHaveLength(2);
    expect(curveOf(points, pulse(null, "1970-01-01T00:00:30Z"))).toHaveLength(2);
    expect(curveOf(points, pulse("120", "1970-01-01T00:00:20Z"))).toHaveLength(2);
    expect(curveOf(points, pulse("120", null))).toHaveLength(2);
    expect(curveOf([], pulse("120", "1970-01-01T00:00:30Z"))).toEqual([]);
  });
});
