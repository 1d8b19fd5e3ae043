import { Suspense, lazy, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useEquity } from "../api/queries";
import type { EquityPoint } from "../api/types";
import { useDesk } from "../app/desk-context";
import { curveOf } from "../chart/curve";
import { amount, forChart, percent } from "../format/decimal";
import { moment } from "../format/time";
import { Asked } from "../parts/Asked";
import { Panel } from "../parts/Panel";
import { usePulse } from "../stream/hooks";

const EquityChart = lazy(() => import("../chart/EquityChart"));

/** What the account was worth, and how far below its peak. */
export function Equity(): ReactNode {
  const { portfolio } = useDesk();
  const curve = useEquity(portfolio.account);
  return (
    <Panel title="Equity and drawdown" id="equity-panel">
      <Asked query={curve}>{(told) => <Curve points={told.items} currency={told.currency} account={portfolio.account} />}</Asked>
    </Panel>
  );
}

/** How often the live end of the curve is drawn. */
const DRAW_EVERY_MS = 5_000;

function Curve({ points, currency, account }: { points: readonly EquityPoint[]; currency: string; account: string }): ReactNode {
  const now = useEvery(usePulse(account)?.value, DRAW_EVERY_MS);
  const drawn = useMemo(() => curveOf(points, now), [points, now]);
  const last = points.at(-1);
  const first = points[0];
  if (drawn.length < 2 || first === undefined || last === undefined) return <p className="none">The curve begins with the first readings.</p>;
  const deepest = points.reduce((deep, point) => (forChart(point.drawdown) > forChart(deep.drawdown) ? point : deep), first);
  const today = new Date();
  const label = `Equity from ${amount(first.equity) ?? ""} to ${amount(last.equity) ?? ""} ${currency} since ${moment(first.at, today)}; deepest drawdown ${percent(deepest.drawdown, 2) ?? ""}`;
  return (
    <div className="chart-box chart-box-low">
      <Suspense fallback={<p className="none">Drawing…</p>}>
        <EquityChart points={drawn} label={label} />
      </Suspense>
    </div>
  );
}

/** The value as it was at most `everyMs` ago. */
function useEvery<Value>(value: Value, everyMs: number): Value {
  const newest = useRef(value);
  const [shown, setShown] = useState(value);
  useEffect(() => {
    newest.current = value;
  }, [value]);
  useEffect(() => {
    const timer = setInterval(() => setShown(newest.current), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return shown;
}
