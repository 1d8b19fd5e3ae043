/** Equity above, drawdown below, on one axis of time. */

import { AreaSeries, LineSeries, LineStyle, createChart, type IChartApi, type ISeriesApi, type UTCTimestamp } from "lightweight-charts";
import { useEffect, useRef, type ReactNode } from "react";
import type { CurvePoint } from "./curve";
import { tickTime, useLook } from "./look";

interface Parts {
  chart: IChartApi;
  equity: ISeriesApi<"Area">;
  peak: ISeriesApi<"Line">;
  drawdown: ISeriesApi<"Area">;
}

const percentFormat = { type: "custom" as const, minMove: 0.0001, formatter: (ratio: number) => `${(ratio * 100).toFixed(1)} %` };

export default function EquityChart({ points, label }: { points: readonly CurvePoint[]; label: string }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const parts = useRef<Parts | null>(null);
  const look = useLook();

  useEffect(() => {
    if (box.current === null) return;
    const chart = createChart(box.current, { timeScale: { tickMarkFormatter: tickTime }, handleScroll: false, handleScale: false });
    const plain = { priceLineVisible: false, crosshairMarkerVisible: false };
    const peak = chart.addSeries(LineSeries, { ...plain, lineWidth: 1, lineStyle: LineStyle.Dotted, lastValueVisible: false });
    const equity = chart.addSeries(AreaSeries, { ...plain, lineWidth: 2 });
    const drawdown = chart.addSeries(AreaSeries, { ...plain, lineWidth: 1, invertFilledArea: true, priceFormat: percentFormat }, 1);
    chart.panes()[0]?.setStretchFactor(3);
    chart.panes()[1]?.setStretchFactor(1);
    parts.current = { chart, equity, peak, drawdown };
    return () => {
      parts.current = null;
      chart.remove();
    };
  }, []);

  useEffect(() => {
    const made = parts.current;
    if (made === null) return;
    made.chart.applyOptions(look.options);
    made.chart.applyOptions({ timeScale: { rightOffset: 0 }, layout: { attributionLogo: false, panes: { separatorColor: look.rule, enableResize: false } } });
    made.equity.applyOptions({ lineColor: look.sea, topColor: `${look.sea}38`, bottomColor: `${look.sea}00` });
    made.peak.applyOptions({ color: look.ink });
    made.drawdown.applyOptions({ lineColor: look.loss, topColor: `${look.loss}00`, bottomColor: `${look.loss}40` });
  }, [look]);

  useEffect(() => {
    const made = parts.current;
    if (made === null) return;
    const of = (part: "equity" | "peak") => points.map((point) => ({ time: point.time as UTCTimestamp, value: point[part] }));
    made.equity.setData(of("equity"));
    made.peak.setData(of("peak"));
    made.drawdown.setData(points.map((point) => ({ time: point.time as UTCTimestamp, value: -point.drawdown })));
    made.chart.timeScale().fitContent();
  }, [points]);

  return <div className="chart" ref={box} role="img" aria-label={label} data-testid="equity-chart" data-points={points.length} />;
}
