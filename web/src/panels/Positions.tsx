import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { api, data } from "../api/client";
import { usePositions } from "../api/queries";
import type { Closed, Position } from "../api/types";
import { tickOf, useDesk } from "../app/desk-context";
import { amount, atStep, change, exact, percentChange } from "../format/decimal";
import { closeOutcome } from "../format/words";
import { Ask, useAsked } from "../parts/Ask";
import { Asked } from "../parts/Asked";
import { Rows, type Column } from "../parts/Rows";
import { tone } from "../parts/Figure";
import { Value } from "../parts/Value";

const NO_PRICE = "there is no price in time";

/** Open positions, each with a way out. */
export function Positions(): ReactNode {
  const { portfolio, instruments, setSymbol, mayTrade } = useDesk();
  const positions = usePositions(portfolio.id);
  const [closing, askToClose, leave] = useAsked<Position>();
  const price = (position: Position, text: string | null): string | null => atStep(text, tickOf(instruments, position.symbol));

  const columns: Column<Position>[] = [
    {
      title: "Position",
      lead: true,
      cell: (row) => (
        <>
          <button type="button" className="link strong" onClick={() => setSymbol(row.symbol)}>
            {row.symbol}
          </button>{" "}
          <span className={`side side-${row.side.toLowerCase()}`}>{row.side === "LONG" ? "Long" : "Short"}</span>
          {!row.matched && <span className="tag tag-warn">not yet compared</span>}
        </>
      ),
    },
    { title: "Quantity", numeric: true, cell: (row) => exact(row.quantity) },
    { title: "Entry", numeric: true, cell: (row) => price(row, row.entry_price) },
    { title: "Price", numeric: true, cell: (row) => <Value text={price(row, row.current_price)} why={NO_PRICE} /> },
    { title: "Value", numeric: true, cell: (row) => <Value text={amount(row.value)} why={NO_PRICE} /> },
    {
      title: "Unrealised",
      numeric: true,
      cell: (row) => (
        <span className={tone(row.unrealized_pnl)}>
          <Value text={change(row.unrealized_pnl)} why={NO_PRICE} />{" "}
          <span className="small">{percentChange(row.unrealized_pnl_pct)}</span>
        </span>
      ),
    },
    { title: "Liquidation", numeric: true, cell: (row) => price(row, row.liquidation_price) ?? <span className="small">none known</span> },
    {
      title: "Close",
      cell: (row) =>
        row.status === "CLOSING" ? (
          <span className="tag">closing…</span>
        ) : (
          <Button size="compact-xs" variant="default" disabled={!mayTrade} onClick={() => askToClose(row)} aria-label={`Close ${row.symbol}`}>
            Close
          </Button>
        ),
    },
  ];

  return (
    <Asked query={positions}>
      {(told) => (
        <>
          <Rows
            caption="Open positions"
            columns={columns}
            rows={told.items}
            keyOf={(row) => row.position_id}
            none="No open position."
            testId="positions-table"
          />
          {closing !== null && <CloseIt position={closing} onClose={leave} />}
        </>
      )}
    </Asked>
  );
}

function CloseIt({ position, onClose }: { position: Position; onClose: () => void }): ReactNode {
  const way = position.side === "LONG" ? "sold" : "bought back";
  return (
    <Ask
      title={`Close ${position.symbol}?`}
      confirm="Close position"
      danger
      onClose={onClose}
      act={() =>
        data(api.POST("/api/v1/guards/manual-close", { body: { position_id: position.position_id, reason: "closed from the page" } }))
      }
      became={(closed) => <Became closed={closed} />}
    >
      <p>
        <span className="num">{exact(position.quantity)}</span> of {position.symbol} will be {way} at the market, reduce-only. No limit and no
        halt stands in its way.
      </p>
    </Ask>
  );
}

function Became({ closed }: { closed: Closed }): ReactNode {
  return (
    <p data-testid="closed">
      {closed.symbol}: {closeOutcome(closed.outcome)}.{" "}
      {closed.outcome === "FLAT" ? (
        <>
          Realised <span className={`num ${tone(closed.realized_pnl)}`}>{change(closed.realized_pnl)}</span>.
        </>
      ) : (
        <>
          Left: <span className="num">{exact(closed.quantity_left)}</span>.
        </>
      )}
    </p>
  );
}
