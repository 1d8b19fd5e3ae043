/** Where we stand in a market, as lines at prices: positions with their liquidation, and orders that wait; pure. */

import type { Order, Position } from "../api/types";
import { exact } from "../format/decimal";

/** A horizontal line at a price. */
export interface Level {
  readonly price: string;
  readonly title: string;
  readonly kind: "entry" | "order" | "liquidation";
}

export function levelsOf(positions: readonly Position[], orders: readonly Order[], symbol: string): Level[] {
  const levels: Level[] = [];
  for (const position of positions.filter((one) => one.symbol === symbol)) {
    const way = position.side === "LONG" ? "long" : "short";
    if (position.entry_price !== null) levels.push({ kind: "entry", price: position.entry_price, title: `${way} ${exact(position.quantity) ?? ""}` });
    if (position.liquidation_price !== null) levels.push({ kind: "liquidation", price: position.liquidation_price, title: "liquidation" });
  }
  for (const order of orders.filter((one) => one.symbol === symbol)) {
    const price = order.price ?? order.stop_price;
    const side = order.side === "BUY" ? "buy" : "sell";
    if (price !== null) levels.push({ kind: "order", price, title: `${side} ${exact(order.quantity) ?? ""}` });
  }
  return levels;
}
