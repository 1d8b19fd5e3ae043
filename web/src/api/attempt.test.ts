import { describe, expect, it } from "vitest";
import { SETTLED, afterAnswer, attemptOf, repeatAfter } from "./attempt";
import { ApiProblem, NoAnswer, isSignedOut } from "./client";
import type { OrderWish } from "./types";

const WISH: OrderWish = {
  symbol: "BTC/USDT",
  side: "BUY",
  type: "MARKET",
  quantity: "0.01",
  time_in_force: "GTC",
  reduce_only: false,
  post_only: false,
  allow_smaller: false,
  allow_repeat: false,
  portfolio: "p1",
};
const problem = (status: number): ApiProblem => new ApiProblem(status, "code", "title", "detail", "id", [], null);

describe("the key of an order", () => {
  it("is new with each click once the former answer is known", () => {
    let made = 0;
    const key = (): string => `key-${(made += 1)}`;
    const first = attemptOf(SETTLED, WISH, key);
    const second = attemptOf(afterAnswer(first, null), WISH, key);
    expect([first.key, second.key]).toEqual(["key-1", "key-2"]);
  });

  it.each<Error>([new NoAnswer("cut"), new TypeError("anything unforeseen"), problem(500), problem(503)])(
    "stays, and its order with it, while %s leaves open what became of it",
    (failure) => {
      const first = attemptOf(SETTLED, WISH, () => "first");
      const former = afterAnswer(first, failure);
      expect(attemptOf(former, { ...WISH, quantity: "9" }, () => "second")).toBe(first);
    },
  );

  it.each([400, 401, 404, 409, 422, 429])("ends with the desk's clear no: %i", (status) => {
    expect(afterAnswer({ key: "first", wish: WISH }, problem(status))).toBe(SETTLED);
  });

  it("is repeated twice by itself, then by the person", () => {
    expect([1, 2, 3].map(repeatAfter)).toEqual([300, 1_200, null]);
  });

  it("is no matter of signing in: only 401 is", () => {
    expect([isSignedOut(problem(401)), isSignedOut(problem(403)), isSignedOut(new NoAnswer(""))]).toEqual([true, false, false]);
  });
});
