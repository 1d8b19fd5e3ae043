/** A book that was brought along: nobody trades on it, so it has what was made, what is held, what was traded, and reports. */

import { Tabs } from "@mantine/core";
import type { ReactNode } from "react";
import { useEarnings, usePositions, useSummary } from "../api/queries";
import type { Earned, Position } from "../api/types";
import { useDesk } from "../app/desk-context";
import { amount, change, exact } from "../format/decimal";
import { Asked } from "../parts/Asked";
import { Figure, tone } from "../parts/Figure";
import { Panel } from "../parts/Panel";
import { Rows, type Column } from "../parts/Rows";
import { Value } from "../parts/Value";
import { Trades } from "./Trades";

export function Imported(): ReactNode {
  return (
    <>
      <div className="desk-side">
        <Totals />
        <Reports />
      </div>
      <div className="desk-main desk-main-wide">
        <Earnings />
        <ImportedBook />
      </div>
    </>
  );
}

function Totals(): ReactNode {
  const { portfolio } = useDesk();
  const summary = useSummary(portfolio.id);
  return (
    <Panel title="Imported book" id="imported-figures">
      <p className="small">Nobody trades here, and nothing of it is priced today.</p>
      <Asked query={summary}>
        {(told) => (
          <dl className="figures">
            <Figure label="Realised" text={change(told.realized_pnl)} toneOf={told.realized_pnl} unit={told.currency} strong />
            <Figure label="Fees" text={amount(told.fees)} why="some were paid in other assets" />
            <Figure label="Cash" text={amount(told.cash)} testId="cash" />
          </dl>
        )}
      </Asked>
    </Panel>
  );
}

const SINCE_EVER = "from=1970-01-01";

/** To print, or for a spreadsheet. */
function Reports(): ReactNode {
  const { portfolio } = useDesk();
  const of = `portfolio=${portfolio.id}&${SINCE_EVER}`;
  const reports = [
    { title: "Profit and loss by month", path: `pnl?by=month&${of}` },
    { title: "Profit and loss by instrument", path: `pnl?by=instrument&${of}` },
    { title: "Profit and loss by strategy", path: `pnl?by=strategy&${of}` },
    { title: "Realised, first in first out", path: `tax?method=fifo&${of}` },
  ];
  return (
    <Panel title="Reports" id="reports">
      <ul className="report-links">
        {reports.map((report) => (
          <li key={report.title}>
            {report.title}
            <span className="report-forms">
              <a href={`/api/v1/reports/${report.path}&format=html`} target="_blank" rel="noreferrer" aria-label={`${report.title}, to print`}>
                print
              </a>
              <a href={`/api/v1/reports/${report.path}&format=csv`} download="report.csv" aria-label={`${report.title}, as CSV`}>
                CSV
              </a>
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const EARNED: Column<Earned>[] = [
  { title: "Month", lead: true, cell: (row) => <span className="strong">{row.name}</span> },
  { title: "In", cell: (row) => row.asset },
  { title: "Price", numeric: true, cell: (row) => <span className={tone(row.price)}>{change(row.price)}</span> },
  { title: "Fees", numeric: true, cell: (row) => change(row.fees) },
  { title: "Funding", numeric: true, wideOnly: true, cell: (row) => change(row.funding) },
  { title: "Interest", numeric: true, wideOnly: true, cell: (row) => change(row.interest) },
  { title: "Net", numeric: true, cell: (row) => <span className={tone(row.net)}>{change(row.net)}</span> },
  { title: "Trades", numeric: true, wideOnly: true, cell: (row) => row.trade_count },
];

function Earnings(): ReactNode {
  const { portfolio } = useDesk();
  const earnings = useEarnings(portfolio.id);
  return (
    <Panel title="What was made" id="earnings">
      <Asked query={earnings}>
        {(told) => (
          <Rows
            caption="Profit and loss by month, the newest first"
            columns={EARNED}
            rows={told.items.toReversed()}
            keyOf={(row) => `${row.name} ${row.asset}`}
            none="Nothing was realised."
            testId="earnings-table"
          />
        )}
      </Asked>
    </Panel>
  );
}

const HELD: Column<Position>[] = [
  {
    title: "Position",
    lead: true,
    cell: (row) => (
      <>
        <span className="strong">{row.symbol}</span>{" "}
        <span className={`side side-${row.side.toLowerCase()}`}>{row.side === "LONG" ? "Long" : "Short"}</span>
      </>
    ),
  },
  { title: "Quantity", numeric: true, cell: (row) => exact(row.quantity) },
  { title: "Entry", numeric: true, cell: (row) => <Value text={amount(row.entry_price)} why="nobody knows what it had cost" /> },
];

function ImportedBook(): ReactNode {
  const { portfolio } = useDesk();
  const positions = usePositions(portfolio.id);
  return (
    <section className="panel book" aria-label="Book" data-testid="book">
      <Tabs defaultValue="positions" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="positions">Positions</Tabs.Tab>
          <Tabs.Tab value="trades">Trades</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="positions">
          <Asked query={positions}>
            {(told) => (
              <Rows
                caption="What is held"
                columns={HELD}
                rows={told.items}
                keyOf={(row) => row.position_id}
                none="Nothing is held."
                testId="positions-table"
              />
            )}
          </Asked>
        </Tabs.Panel>
        <Tabs.Panel value="trades">
          <Trades />
        </Tabs.Panel>
      </Tabs>
    </section>
  );
}
