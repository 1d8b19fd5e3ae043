import type { ReactNode } from "react";
import { useOrder } from "../api/queries";
import type { PlacedOrder } from "../api/types";
import { exact } from "../format/decimal";
import { ORDER_STATES } from "../format/words";

/** What became of the order that was placed last; follows it until it ends. */
export function LastOrder({ placed }: { placed: PlacedOrder }): ReactNode {
  const order = useOrder(placed.order.id).data ?? placed.order;
  const bad = order.state === "REJECTED" || order.state === "UNKNOWN" || order.state === "EXPIRED";
  return (
    <div className={`note ${bad ? "note-warn" : "note-good"}`} role="status" data-testid="last-order" data-state={order.state}>
      <p>
        {order.side === "BUY" ? "Buy" : "Sell"} <span className="num">{exact(order.quantity)}</span> {order.symbol}:{" "}
        <strong>{ORDER_STATES[order.state]}</strong>
        {order.state === "PARTIALLY_FILLED" && (
          <>
            {" "}
            (<span className="num">{exact(order.filled_quantity)}</span>)
          </>
        )}
        {order.reason !== "" && `: ${order.reason}`}
      </p>
      {placed.repeated && <p className="small">It was placed before; nothing was sent twice.</p>}
    </div>
  );
}
