/** What the account is worth and how it is used. The pulse keeps equity and drawdown current, the desk tells the rest. */

import type { ReactNode } from "react";
import { useSummary } from "../api/queries";
import type { AccountPulse, Summary } from "../api/types";
import { useDesk } from "../app/desk-context";
import { amount, change, percent } from "../format/decimal";
import { Asked } from "../parts/Asked";
import { Figure } from "../parts/Figure";
import { Panel } from "../parts/Panel";
import { usePulse } from "../stream/hooks";

export function Figures(): ReactNode {
  const { portfolio } = useDesk();
  const summary = useSummary(portfolio.id);
  const pulse = usePulse(portfolio.account);
  return (
    <Panel title="Account" id="figures">
      <Asked query={summary}>{(told) => <List told={told} pulse={pulse?.value} />}</Asked>
    </Panel>
  );
}

function List({ told, pulse }: { told: Summary; pulse: AccountPulse | undefined }): ReactNode {
  const why = told.unknown.length === 0 ? "the desk gave no reason" : told.unknown.join("; ");
  // A pulse that says null says unknown: the older summary must not stand in for it.
  const equity = pulse === undefined ? told.equity : pulse.equity;
  const drawdown = pulse === undefined ? told.drawdown : pulse.drawdown;
  const unit = told.currency;
  return (
    <>
      <dl className="figures">
        <Figure label="Equity" text={amount(equity)} why={why} unit={unit} strong testId="equity" />
        <Figure label="P&L" text={change(told.total_pnl)} why={why} toneOf={told.total_pnl} strong testId="total-pnl" />
        <Figure label="Unrealised" text={change(told.unrealized_pnl)} why={why} toneOf={told.unrealized_pnl} />
        <Figure label="Realised" text={change(told.realized_pnl)} toneOf={told.realized_pnl} />
        <Figure label="Fees" text={amount(told.fees)} why={why} />
        <Figure label="Cash" text={amount(told.cash)} testId="cash" />
        <Figure label="Margin used" text={amount(told.margin_used)} why={why} />
        <Figure label="Margin free" text={amount(told.margin_available)} why={why} />
        <Figure label="Buying power" text={amount(told.buying_power)} why={why} />
        <Figure label="Drawdown" text={percent(drawdown, 2)} why={why} testId="drawdown" />
        <Figure label="Peak equity" text={amount(told.peak_equity)} why={why} />
      </dl>
      {told.unknown.length > 0 && (
        <ul className="note" data-testid="unknown-reasons">
          {told.unknown.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
    </>
  );
}
