/** The desk's words in people's words: one table each, so that a word is the same wherever it is read. */

import type { OrderState, TradingState } from "../api/types";

export const TRADING_STATES: Record<TradingState, { title: string; meaning: string }> = {
  ACTIVE: { title: "Active", meaning: "Orders may open and close." },
  REDUCE_ONLY: { title: "Reduce only", meaning: "Nothing that opens is accepted; closing stays possible." },
  CANCEL_ONLY: { title: "Cancel only", meaning: "Bots send nothing; guards and your own closes still pass." },
  HALTED: { title: "Halted", meaning: "Waiting orders were taken back; only closes pass." },
};

export const ORDER_STATES: Record<OrderState, string> = {
  PENDING: "pending",
  NEW: "working",
  PARTIALLY_FILLED: "part filled",
  FILLED: "filled",
  CANCELED: "cancelled",
  REJECTED: "rejected",
  EXPIRED: "expired",
  UNKNOWN: "unknown: being looked up",
};

/** An order of these states can still trade. */
export const OPEN_STATES: ReadonlySet<OrderState> = new Set(["PENDING", "NEW", "PARTIALLY_FILLED", "UNKNOWN"]);

const GUARD_STATUSES: Record<string, string> = {
  CALM: "Calm",
  WARNED: "Warned: nothing opens",
  COUNTDOWN: "Will close everything",
  CLOSING: "Closing everything",
  LATCHED: "Latched: closed, waits for you",
  BLIND: "Blind: the account cannot be valued",
};

const CLOSE_OUTCOMES: Record<string, string> = {
  FLAT: "flat",
  DUST: "flat but for dust below the least lot",
  SENT: "closing order sent",
  UNDER_WAY: "a close is under way",
  WAITING: "waiting: it could not be sent yet",
  REFUSED: "refused",
};

/** A word that this page does not know yet is shown as the desk wrote it. */
function known(table: Record<string, string>, word: string): string {
  return table[word] ?? word.toLowerCase().replaceAll("_", " ");
}

export const guardStatus = (status: string): string => known(GUARD_STATUSES, status);
export const closeOutcome = (outcome: string): string => known(CLOSE_OUTCOMES, outcome);
export const plain = (word: string): string => word.toLowerCase().replaceAll("_", " ");

/** Who or what caused it. */
export function cause(triggeredBy: string): string {
  if (triggeredBy === "manual") return "you";
  if (triggeredBy === "api") return "API";
  const [kind, which] = triggeredBy.split(":");
  return which === undefined ? triggeredBy : `${kind ?? ""} ${which}`;
}
