import { Button, SegmentedControl } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { api, data } from "../api/client";
import { useOrders, type OrderFilter } from "../api/queries";
import type { Order } from "../api/types";
import { tickOf, useDesk } from "../app/desk-context";
import { atStep, exact } from "../format/decimal";
import { moment } from "../format/time";
import { OPEN_STATES, ORDER_STATES, cause, plain } from "../format/words";
import { Ask, useAsked } from "../parts/Ask";
import { Asked } from "../parts/Asked";
import { More } from "../parts/More";
import { Rows, type Column } from "../parts/Rows";

const FILTERS: { value: OrderFilter; label: string }[] = [
  { value: "open", label: "Open" },
  { value: "all", label: "All" },
];

/** Orders: those that wait, or all of them, a page at a time. */
export function Orders(): ReactNode {
  const { portfolio, instruments, mayTrade } = useDesk();
  const [filter, setFilter] = useState<OrderFilter>("open");
  const [cancelling, askToCancel, leave] = useAsked<Order>();
  const orders = useOrders(portfolio.id, filter);
  const price = (order: Order, text: string | null): string => atStep(text, tickOf(instruments, order.symbol)) ?? "–";
  const today = new Date();

  const columns: Column<Order>[] = [
    { title: "Time", cell: (row) => <time dateTime={row.placed_at}>{moment(row.placed_at, today)}</time> },
    {
      title: "Order",
      lead: true,
      cell: (row) => (
        <>
          <span className={`side side-${row.side.toLowerCase()}`}>{row.side === "BUY" ? "Buy" : "Sell"}</span>{" "}
          <span className="strong">{row.symbol}</span> <span className="small">{plain(row.type)}</span>
          {row.reduce_only && <span className="tag">reduce only</span>}
          {row.post_only && <span className="tag">post only</span>}
        </>
      ),
    },
    { title: "Filled / quantity", numeric: true, cell: (row) => `${exact(row.filled_quantity) ?? ""} / ${exact(row.quantity) ?? ""}` },
    { title: "Limit", numeric: true, cell: (row) => price(row, row.price) },
    { title: "Stop", numeric: true, wideOnly: true, cell: (row) => price(row, row.stop_price) },
    {
      title: "State",
      cell: (row) => (
        <span className={row.state === "UNKNOWN" ? "unknown" : undefined} title={row.reason} data-testid="order-state">
          {ORDER_STATES[row.state]}
          {row.state === "REJECTED" && row.reason !== "" && <span className="small"> {row.reason}</span>}
        </span>
      ),
    },
    { title: "By", wideOnly: true, cell: (row) => cause(row.triggered_by) },
    {
      title: "Cancel",
      cell: (row) =>
        OPEN_STATES.has(row.state) && (
          <Button size="compact-xs" variant="default" disabled={!mayTrade} onClick={() => askToCancel(row)} aria-label={`Cancel ${row.client_order_id}`}>
            Cancel
          </Button>
        ),
    },
  ];

  return (
    <>
      <div className="panel-tools">
        <SegmentedControl size="xs" aria-label="Which orders" data={FILTERS} value={filter} onChange={setFilter} />
      </div>
      <Asked query={orders}>
        {(rows) => (
          <>
            <Rows
              caption={filter === "open" ? "Open orders" : "All orders, newest first"}
              columns={columns}
              rows={rows}
              keyOf={(row) => row.id}
              none={filter === "open" ? "No order waits." : "No order yet."}
              testId="orders-table"
            />
            <More query={orders} />
          </>
        )}
      </Asked>
      {cancelling !== null && (
        <Ask
          title="Take this order back?"
          confirm="Cancel order"
          onClose={leave}
          act={() => data(api.POST("/api/v1/orders/{order_id}/cancel", { params: { path: { order_id: cancelling.id } } }))}
          became={(order) => (
            <p>
              Order {order.client_order_id}: {ORDER_STATES[order.state]}, filled <span className="num">{exact(order.filled_quantity)}</span> of{" "}
              <span className="num">{exact(order.quantity)}</span>.
            </p>
          )}
        >
          <p>
            {cancelling.side === "BUY" ? "Buy" : "Sell"} <span className="num">{exact(cancelling.quantity)}</span> {cancelling.symbol}. What is
            filled stays filled; a fill may still arrive before the venue takes the order back.
          </p>
        </Ask>
      )}
    </>
  );
}
