/**
 * How often a part of the page is read again while news come in. Pure.
 *
 * The first news is acted on at once. While news keep coming the pause doubles up to a bound: a bot that trades a hundred
 * times a second must not make this page ask as often, for the desk would answer 429 and the page would stand still. The
 * bound is short for what is traded and held, so that a fill is seen within a quarter of a second even then, and longer
 * for what the stream's own figures keep alive: 20 reads a second are all that a person may make.
 */

const FIRST_PAUSE_MS = 60;
export const URGENT_PAUSE_MS = 200;
export const LONGEST_PAUSE_MS = 1_000;
/** After so long without news the pace starts anew. */
const CALM_MS = 1_500;

export interface Pace {
  /** When it was last read, by `performance.now()`. */
  readonly readAt: number;
  readonly pauseMs: number;
}

export const RESTED: Pace = { readAt: -Infinity, pauseMs: 0 };

/** How long to wait from now until the next reading. */
export function untilNext(pace: Pace, now: number): number {
  return Math.max(0, pace.readAt + pace.pauseMs - now);
}

/** The pace after a reading now. */
export function afterReading(pace: Pace, now: number, longestMs: number): Pace {
  const calm = now - pace.readAt > CALM_MS;
  const pauseMs = calm ? FIRST_PAUSE_MS : Math.min(longestMs, Math.max(FIRST_PAUSE_MS, pace.pauseMs * 2));
  return { readAt: now, pauseMs };
}
