import { describe, expect, it } from "vitest";
import { NOUNS, concerns } from "./effects";
import { onEvent, onHello, onSnapshotRequired, waitBefore, type Step } from "./numbers";
import { LONGEST_PAUSE_MS, RESTED, URGENT_PAUSE_MS, afterReading, untilNext } from "./pace";

describe("the numbers of the stream", () => {
  it("are followed while each frame names the one before it, with gaps between the numbers", () => {
    expect(onEvent(7, { number: 11, previous: 7 })).toEqual({ does: "take", number: 11 });
  });

  it("ask for everything anew when something was missed", () => {
    expect(onEvent(7, { number: 12, previous: 11 })).toMatchObject({ does: "refetch", number: 12 });
    expect(onEvent(7, { number: 12, previous: 3 })).toMatchObject({ does: "refetch", number: 12 });
  });

  it("are not news twice", () => {
    expect(onEvent(7, { number: 7, previous: 3 })).toEqual({ does: "skip", number: 7 });
    expect(onEvent(7, { number: 2, previous: 1 })).toEqual({ does: "skip", number: 7 });
  });

  it("begin with reading everything, and go on where they were after a reconnect", () => {
    expect(onHello(null, 40)).toMatchObject({ does: "refetch", number: 40 });
    expect(onHello(40, 55)).toEqual({ does: "skip", number: 40 });
    expect(onHello(40, 40)).toEqual({ does: "skip", number: 40 });
  });

  it("begin anew with a book that ends before ours, and where the desk kept too little", () => {
    expect(onHello(40, 3)).toMatchObject({ does: "reopen", number: 3 });
    expect(onSnapshotRequired(900)).toMatchObject({ does: "refetch", number: 900 });
  });

  it("never lose an event, whichever frames of a run are lost and however often the others come", () => {
    const numbers = [2, 3, 7, 8, 20, 21, 22, 40];
    const frames = numbers.map((number, at) => ({ number, previous: numbers[at - 1] ?? 0 }));
    for (let mask = 0; mask < 2 ** frames.length; mask += 1) {
      const arrived = frames.filter((_, at) => (mask & (1 << at)) !== 0).flatMap((frame) => [frame, frame]);
      const known = new Set<number>();
      let last = 0;
      for (const frame of arrived) {
        const step: Step = onEvent(last, frame);
        last = step.number;
        if (step.does === "take") known.add(step.number);
        if (step.does === "refetch") numbers.filter((number) => number <= last).forEach((number) => known.add(number));
      }
      expect([...known].sort((a, b) => a - b)).toEqual(numbers.filter((number) => number <= last));
    }
  });

  it("wait longer from attempt to attempt, never beyond eight seconds", () => {
    expect([1, 2, 3, 6, 60].map((attempt) => waitBefore(attempt, 0))).toEqual([250, 500, 1_000, 8_000, 8_000]);
    expect(waitBefore(1, 1)).toBe(188);
  });
});

describe("what an event concerns", () => {
  it("is everything when the page does not know its kind", () => {
    expect(concerns("SOMETHING_NEW")).toEqual(NOUNS);
    expect(concerns("TRADE_BOOKED")).toContain("positions");
    expect(concerns("ORDER_REFUSED")).toEqual([]);
  });
});

describe("the pace of reading again", () => {
  it("is at once for the first news, within a tenth of a second for the next, and slows down in a flood", () => {
    let pace = RESTED;
    let now = 1_000;
    const waits: number[] = [];
    for (let news = 0; news < 8; news += 1) {
      const wait = untilNext(pace, now);
      waits.push(wait);
      now += wait;
      pace = afterReading(pace, now, LONGEST_PAUSE_MS);
    }
    expect(waits).toEqual([0, 60, 120, 240, 480, 960, 1_000, 1_000]);
  });

  it("waits for no more than a fifth of a second for what is traded", () => {
    let [pace, now] = [RESTED, 0];
    for (let readings = 0; readings < 10; readings += 1) {
      now += untilNext(pace, now);
      pace = afterReading(pace, now, URGENT_PAUSE_MS);
    }
    expect(pace.pauseMs).toBe(200);
  });

  it("starts anew after calm", () => {
    const flooded = { readAt: 1_000, pauseMs: 1_000 };
    expect(untilNext(flooded, 3_000)).toBe(0);
    expect(afterReading(flooded, 3_000, LONGEST_PAUSE_MS).pauseMs).toBe(60);
  });
});
