import type { ReactNode } from "react";
import { useTrades } from "../api/queries";
import type { Trade } from "../api/types";
import { tickOf, useDesk } from "../app/desk-context";
import { amount, atStep, exact } from "../format/decimal";
import { moment } from "../format/time";
import { cause } from "../format/words";
import { Asked } from "../parts/Asked";
import { More } from "../parts/More";
import { Rows, type Column } from "../parts/Rows";

/** What was traded, newest first. */
export function Trades(): ReactNode {
  const { portfolio, instruments } = useDesk();
  const trades = useTrades(portfolio.id);
  const today = new Date();
  const columns: Column<Trade>[] = [
    { title: "Time", cell: (row) => (row.filled_at === null ? "–" : <time dateTime={row.filled_at}>{moment(row.filled_at, today)}</time>) },
    {
      title: "Trade",
      lead: true,
      cell: (row) => (
        <>
          <span className={`side side-${row.side.toLowerCase()}`}>{row.side === "BUY" ? "Bought" : "Sold"}</span>{" "}
          <span className="strong">{row.product_id}</span>
        </>
      ),
    },
    { title: "Quantity", numeric: true, cell: (row) => exact(row.size_crypto) },
    { title: "Price", numeric: true, cell: (row) => atStep(row.price, tickOf(instruments, row.product_id)) ?? "–" },
    { title: "Value", numeric: true, cell: (row) => amount(row.size_usd) ?? "–" },
    { title: "Fee", numeric: true, cell: (row) => `${amount(row.commission, 4) ?? ""} ${row.commission_currency}` },
    { title: "By", wideOnly: true, cell: (row) => cause(row.triggered_by) },
  ];
  return (
    <Asked query={trades}>
      {(rows) => (
        <>
          <Rows caption="Trades, newest first" columns={columns} rows={rows} keyOf={(row) => row.id} none="No trade yet." testId="trades-table" />
          <More query={trades} />
        </>
      )}
    </Asked>
  );
}
