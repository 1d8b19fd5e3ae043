/** The equity curve as it is drawn; pure. Floats are allowed here: a place on the screen is not money. */

import type { AccountPulse, EquityPoint } from "../api/types";
import { forChart } from "../format/decimal";
import { secondsOf } from "./bars";

/** One moment of the curve. */
export interface CurvePoint {
  readonly time: number;
  readonly equity: number;
  /** What the equity would be without the drawdown: deposits and withdrawals are in it, as they are in the equity. */
  readonly peak: number;
  readonly drawdown: number;
}

/** The stored curve and its live end, in order and each second once. */
export function curveOf(points: readonly EquityPoint[], pulse: AccountPulse | undefined): CurvePoint[] {
  const byTime = new Map<number, CurvePoint>();
  for (const point of points) {
    const time = secondsOf(point.at);
    byTime.set(time, { time, ...drawn(point.equity, point.drawdown) });
  }
  const curve = [...byTime.values()].sort((a, b) => a.time - b.time);
  const last = curve.at(-1);
  // An unknown equity adds no point: the curve ends where it was last known.
  if (last === undefined || pulse?.equity == null || pulse.drawdown === null) return curve;
  const time = pulse.guard.last_check_at === null ? last.time : secondsOf(pulse.guard.last_check_at);
  if (time <= last.time) return curve;
  return [...curve, { time, ...drawn(pulse.equity, pulse.drawdown) }];
}

function drawn(equityText: string, drawdownText: string): Omit<CurvePoint, "time"> {
  const equity = forChart(equityText);
  const drawdown = forChart(drawdownText);
  return { equity, drawdown, peak: drawdown < 1 ? equity / (1 - drawdown) : equity };
}
