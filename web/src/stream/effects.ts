/**
 * What has to be read again when something happened. One table; a kind that this page does not know yet concerns
 * everything.
 */

/** The first part of every query key: a noun of the desk. */
export const NOUNS = ["portfolio", "positions", "orders", "trades", "equity", "halts", "guards", "bots", "preview"] as const;
export type Noun = (typeof NOUNS)[number];

const EFFECTS: Record<string, readonly Noun[]> = {
  ORDER_WRITTEN: ["orders", "portfolio", "preview"],
  ORDER_CHANGED: ["orders", "portfolio", "positions", "preview"],
  ORDER_REFUSED: [],
  TRADE_BOOKED: ["trades", "positions", "orders", "portfolio", "bots", "preview"],
  CASH_BOOKED: ["portfolio", "equity", "preview"],
  HALT_CHANGED: ["halts", "guards", "bots", "preview"],
  GUARD_CHANGED: ["guards", "halts", "portfolio", "equity", "preview"],
  ACCOUNT_RECONCILED: ["positions"],
  BREAK_FOUND: ["positions", "portfolio", "preview"],
  BOT_CHANGED: ["bots"],
};

/** What somebody who trades waits for; the rest may be a second old. */
const URGENT: ReadonlySet<Noun> = new Set(["orders", "positions", "trades"]);

export function isUrgent(noun: Noun): boolean {
  return URGENT.has(noun);
}

export function concerns(kind: string): readonly Noun[] {
  return EFFECTS[kind] ?? NOUNS;
}
