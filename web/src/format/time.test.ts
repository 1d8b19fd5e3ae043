import { describe, expect, it } from "vitest";
import * as time from "./time";

describe("ages and countdowns", () => {
  it.each([
    [-1, "0.0 s"],
    [0.44, "0.4 s"],
    [9.96, "10 s"],
    [99.6, "2 min"],
    [3_600, "60 min"],
    [7_200, "2 h"],
    [200_000, "2 d"],
  ])("%d seconds are %s", (seconds, shown) => expect(time.age(seconds)).toBe(shown));

  it("grow and shrink by the browser's monotonic clock from what the desk told", () => {
    const told = { seconds: 3, receivedAt: 10_000 };
    expect(time.ageNow(told, 12_500)).toBe(5.5);
    expect(time.leftNow(told, 12_500)).toBe(0.5);
    expect(time.leftNow(told, 99_000)).toBe(0);
    expect(time.leftNow(told, 9_000)).toBe(3);
  });

  it.each([
    [9.2, "10 s"],
    [0.01, "1 s"],
    [0, "0 s"],
    [61, "1:01"],
  ])("%d seconds left are counted as %s", (seconds, shown) => expect(time.countdownText(seconds)).toBe(shown));

  it("turns ageing, then stale where the gate would refuse; without a price it is unknown", () => {
    expect([0, 2.5, 4.9, 5, null].map(time.freshness)).toEqual(["fresh", "ageing", "ageing", "stale", "unknown"]);
  });
});

describe("a moment", () => {
  it("is a time today, and a day and time before", () => {
    const today = new Date(2026, 2, 4, 12);
    expect(time.moment(new Date(2026, 2, 4, 9, 5, 7).toISOString(), today)).toBe("09:05:07");
    expect(time.moment(new Date(2026, 2, 3, 9, 5, 7).toISOString(), today)).toBe("2026-03-03 09:05");
    expect(time.moment("no time", today)).toBe("no time");
  });
});
