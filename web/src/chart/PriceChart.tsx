/** The live chart: candles from the desk, grown by its quotes, with our trades, position and waiting orders on it. */

import {
  CandlestickSeries,
  LineStyle,
  createChart,
  createSeriesMarkers,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useRef, type ReactNode } from "react";
import { forChart, placesOf } from "../format/decimal";
import { placeOf, quotes } from "../stream/live";
import { afterPrice, secondsOf, type Bar } from "./bars";
import type { Level } from "./levels";
import { tickTime, useLook, type Look } from "./look";
import type { Mark } from "./marks";

interface PriceChartProps {
  /** Whose prices grow the last bar. */
  source: string;
  symbol: string;
  bars: readonly Bar[];
  intervalSeconds: number;
  tick: string | null;
  marks: readonly Mark[];
  levels: readonly Level[];
  label: string;
}

interface Parts {
  chart: IChartApi;
  candles: ISeriesApi<"Candlestick">;
  marks: ISeriesMarkersPluginApi<Time>;
  /** Where the market is now; the series' own label takes its colour from a hollow candle, which has none. */
  lastPrice: IPriceLine;
}

/** How wide a bar is at first, and how much of the width is left to the names of our lines. */
const BAR_PX = 6.5;
const LABELS_SHARE = 0.14;

const asTime = (seconds: number): UTCTimestamp => seconds as UTCTimestamp;

export default function PriceChart({ source, symbol, bars, intervalSeconds, tick, marks, levels, label }: PriceChartProps): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const parts = useRef<Parts | null>(null);
  const last = useRef<Bar | undefined>(undefined);
  const look = useLook();

  useEffect(() => {
    if (box.current === null) return;
    const chart = createChart(box.current, { timeScale: { tickMarkFormatter: tickTime } });
    const candles = chart.addSeries(CandlestickSeries, { borderVisible: true, lastValueVisible: false, priceLineVisible: false });
    const lastPrice = candles.createPriceLine({ price: 0, lineVisible: false, axisLabelVisible: false });
    parts.current = { chart, candles, marks: createSeriesMarkers(candles, []), lastPrice };
    return () => {
      parts.current = null;
      chart.remove();
    };
  }, []);

  useEffect(() => {
    const places = placesOf(tick);
    parts.current?.chart.applyOptions(look.options);
    parts.current?.lastPrice.applyOptions({ axisLabelColor: look.ink });
    parts.current?.candles.applyOptions({
      upColor: "transparent",
      downColor: look.down,
      borderUpColor: look.up,
      borderDownColor: look.down,
      wickUpColor: look.up,
      wickDownColor: look.down,
      priceFormat: { type: "price", precision: places, minMove: tick === null ? 0.01 : forChart(tick) },
    });
  }, [look, tick]);

  // What is looked at stays in sight while the same bars are read again; other bars are shown from their end.
  const shown = `${source} ${symbol} ${intervalSeconds}`;
  const fitted = useRef("");
  useEffect(() => {
    const made = parts.current;
    if (made === null) return;
    made.candles.setData(bars.map((bar) => ({ ...bar, time: asTime(bar.time) })));
    last.current = bars.at(-1);
    if (last.current !== undefined) made.lastPrice.applyOptions({ price: last.current.close, axisLabelVisible: true });
    if (fitted.current === shown || bars.length === 0) return;
    fitted.current = shown;
    const count = Math.round((box.current?.clientWidth ?? 720) / BAR_PX);
    made.chart.timeScale().setVisibleLogicalRange({ from: bars.length - count, to: bars.length + count * LABELS_SHARE });
  }, [bars, shown]);

  useEffect(
    () =>
      quotes.subscribe(() => {
        const quote = quotes.get().get(placeOf(source, symbol))?.value;
        if (quote === undefined || parts.current === null) return;
        const bar = afterPrice(last.current, forChart(quote.last), secondsOf(quote.at), intervalSeconds);
        if (bar === null) return;
        last.current = bar;
        parts.current.candles.update({ ...bar, time: asTime(bar.time) });
        parts.current.lastPrice.applyOptions({ price: bar.close, axisLabelVisible: true });
      }),
    [source, symbol, intervalSeconds],
  );

  useEffect(() => {
    parts.current?.marks.setMarkers(marks.map((mark) => markerOf(mark, look)));
  }, [marks, look]);

  useEffect(() => {
    const candles = parts.current?.candles;
    if (candles === undefined) return;
    const lines: IPriceLine[] = levels.map((level) => candles.createPriceLine({ ...lineOf(level, look) }));
    return () => {
      // The chart may be gone already, and its lines with it.
      if (parts.current !== null) for (const line of lines) candles.removePriceLine(line);
    };
  }, [levels, look]);

  return <div className="chart" ref={box} role="img" aria-label={label} data-testid="price-chart" data-bars={bars.length} data-marks={marks.length} />;
}

function markerOf(mark: Mark, look: Look) {
  const buy = mark.side === "BUY";
  return {
    time: asTime(mark.time),
    position: buy ? ("belowBar" as const) : ("aboveBar" as const),
    shape: buy ? ("arrowUp" as const) : ("arrowDown" as const),
    color: buy ? look.sea : look.ink,
    text: mark.quantity,
  };
}

function lineOf(level: Level, look: Look) {
  const colours: Record<Level["kind"], string> = { entry: look.sea, order: look.ink, liquidation: look.loss };
  return {
    price: forChart(level.price),
    color: colours[level.kind],
    lineWidth: 1 as const,
    lineStyle: level.kind === "entry" ? LineStyle.Solid : LineStyle.Dashed,
    axisLabelVisible: true,
    title: level.title,
  };
}
