/** What is being typed into the ticket, and the order that it makes; pure. Amounts stay the text that was typed. */

import type { OrderType, OrderWish, Side, TimeInForce } from "../api/types";
import { typed } from "../format/decimal";

/** The types that a person may choose here. */
export const TYPES = ["MARKET", "LIMIT", "STOP", "STOP_LIMIT"] as const satisfies readonly OrderType[];
export type TicketType = (typeof TYPES)[number];

export interface Draft {
  readonly side: Side;
  readonly type: TicketType;
  readonly sizeBy: "quantity" | "quote";
  readonly size: string;
  readonly price: string;
  readonly stop: string;
  readonly timeInForce: TimeInForce;
  readonly reduceOnly: boolean;
  readonly postOnly: boolean;
  /** The same order again within two seconds is meant. */
  readonly allowRepeat: boolean;
}

export const EMPTY: Draft = {
  side: "BUY",
  type: "MARKET",
  sizeBy: "quantity",
  size: "",
  price: "",
  stop: "",
  timeInForce: "GTC",
  reduceOnly: false,
  postOnly: false,
  allowRepeat: false,
};

export const hasPrice = (type: TicketType): boolean => type === "LIMIT" || type === "STOP_LIMIT";
export const hasStop = (type: TicketType): boolean => type === "STOP" || type === "STOP_LIMIT";

/** An order that can be asked about, or what is still missing from it, in words. */
export type Wish = { readonly complete: true; readonly order: OrderWish } | { readonly complete: false; readonly missing: string };

export function wishOf(draft: Draft, symbol: string, portfolio: string): Wish {
  const size = typed(draft.size);
  if (symbol === "") return missing("Choose an instrument.");
  if (size === null) return missing(draft.size.trim() === "" ? "Give a size." : `“${draft.size}” is no size: write a number above 0, such as 0.01.`);
  const price = hasPrice(draft.type) ? typed(draft.price) : null;
  if (hasPrice(draft.type) && price === null) return missing("Give a limit price above 0.");
  const stop = hasStop(draft.type) ? typed(draft.stop) : null;
  if (hasStop(draft.type) && stop === null) return missing("Give a stop price above 0.");
  return {
    complete: true,
    order: {
      symbol,
      side: draft.side,
      type: draft.type,
      ...(draft.sizeBy === "quantity" ? { quantity: size } : { quote_value: size }),
      ...(price === null ? {} : { price }),
      ...(stop === null ? {} : { stop_price: stop }),
      time_in_force: draft.type === "MARKET" ? "GTC" : draft.timeInForce,
      reduce_only: draft.reduceOnly,
      // Nothing but a plain limit can wait without taking: a flag left over from another type must not be sent.
      post_only: draft.type === "LIMIT" && draft.postOnly,
      allow_smaller: false,
      allow_repeat: draft.allowRepeat,
      portfolio,
    },
  };
}

const missing = (words: string): Wish => ({ complete: false, missing: words });
