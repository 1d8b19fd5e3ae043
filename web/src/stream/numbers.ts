/**
 * Where this page stands in the numbered stream, and what a frame means for it. Pure.
 *
 * Rule 1. A frame whose `previous` is not our last number tells of something that we have missed: read everything anew.
 * Rule 2. A number that we have seen is not news: after a reconnect the desk may repeat.
 * Rule 3. A desk whose stream ends before our number is another book (restored, or made anew): it would stay silent
 *         until it has come to our number, so ask again from where it stands, and read everything anew.
 */

export type Step =
  /** Read everything again, and follow from `number`. */
  | { readonly does: "refetch"; readonly number: number; readonly why: string }
  /** Something happened: read what it concerns. */
  | { readonly does: "take"; readonly number: number }
  | { readonly does: "skip"; readonly number: number }
  /** As `refetch`, behind a new connection that asks from `number`. */
  | { readonly does: "reopen"; readonly number: number; readonly why: string };

/** What a first frame means; `last` is null before the first connection. */
export function onHello(last: number | null, number: number): Step {
  if (last === null) return { does: "refetch", number, why: "first connection" };
  if (number < last) return { does: "reopen", number, why: "the desk's stream begins anew" };
  return { does: "skip", number: last };
}

export function onEvent(last: number, frame: { readonly number: number; readonly previous: number }): Step {
  if (frame.number <= last) return { does: "skip", number: last };
  if (frame.previous !== last) return { does: "refetch", number: frame.number, why: "something was missed" };
  return { does: "take", number: frame.number };
}

export function onSnapshotRequired(number: number): Step {
  return { does: "refetch", number, why: "the desk no longer keeps what was missed" };
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8_000;

/** How long to wait before attempt 1, 2, 3…: doubling, with up to a quarter of chance so that many do not come at once. */
export function waitBefore(attempt: number, chance: number): number {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(wait * (1 - chance / 4));
}
