/** The market of one instrument: its last prices, and the chart with what we have in it. */

import { NativeSelect, SegmentedControl } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Suspense, lazy, useEffect, useMemo, useState, type ReactNode } from "react";
import { useCandles, useOrders, usePositions, useTrades, type Interval } from "../api/queries";
import type { Order, Position } from "../api/types";
import { useDesk, useInstrument } from "../app/desk-context";
import { INTERVAL_SECONDS, barsOf } from "../chart/bars";
import { marksOf } from "../chart/marks";
import { levelsOf, type Level } from "../chart/levels";
import { atStep } from "../format/decimal";
import { Asked } from "../parts/Asked";
import { Value } from "../parts/Value";
import { useQuote } from "../stream/hooks";

const PriceChart = lazy(() => import("../chart/PriceChart"));
const INTERVALS = Object.keys(INTERVAL_SECONDS) as Interval[];
/** A bar is asked for when it should be closed and written. */
const SETTLE_MS = 1_500;

export function Market(): ReactNode {
  const { symbol, setSymbol, instruments } = useDesk();
  const [interval, chooseInterval] = useState<Interval>("1m");
  return (
    <section className="panel market" aria-label="Market" data-testid="market">
      <header className="panel-head market-head">
        <NativeSelect
          size="xs"
          aria-label="Instrument on the chart"
          className="market-symbol"
          data={instruments.map((one) => one.symbol)}
          value={symbol}
          onChange={(event) => setSymbol(event.currentTarget.value)}
          data-testid="symbol"
        />
        <Prices />
        <SegmentedControl size="xs" aria-label="Interval" data={INTERVALS} value={interval} onChange={chooseInterval} data-testid="interval" />
      </header>
      <Chart interval={interval} />
    </section>
  );
}

function Prices(): ReactNode {
  const { portfolio, symbol } = useDesk();
  const tick = useInstrument()?.tick_size ?? null;
  const quote = useQuote(portfolio.price_source, symbol)?.value;
  const why = "no quote has come yet";
  return (
    <dl className={quote?.fresh === false ? "prices prices-old" : "prices"} data-testid="prices">
      <div className="prices-last">
        <dt className="sr-only">Last</dt>
        <dd>
          <Value text={atStep(quote?.last, tick)} why={why} />
        </dd>
      </div>
      <div>
        <dt>Bid</dt>
        <dd>
          <Value text={atStep(quote?.bid, tick)} why={why} />
        </dd>
      </div>
      <div>
        <dt>Ask</dt>
        <dd>
          <Value text={atStep(quote?.ask, tick)} why={why} />
        </dd>
      </div>
      {quote?.fresh === false && <span className="tag tag-bad">too old to trade on</span>}
    </dl>
  );
}

function Chart({ interval }: { interval: Interval }): ReactNode {
  const { portfolio, symbol } = useDesk();
  const tick = useInstrument()?.tick_size ?? null;
  const candles = useCandles(portfolio.id, symbol, interval);
  const trades = useTrades(portfolio.id).data;
  const orders = useOrders(portfolio.id, "open").data;
  const positions = usePositions(portfolio.id).data?.items;
  const seconds = INTERVAL_SECONDS[interval];
  useReadAtBarEnd(portfolio.id, symbol, interval, seconds);

  const bars = useMemo(() => (candles.data === undefined ? [] : barsOf(candles.data)), [candles.data]);
  const first = bars[0]?.time ?? Infinity;
  const marks = useMemo(() => marksOf(trades ?? [], symbol, seconds, first), [trades, symbol, seconds, first]);
  const levels = useLevels(positions, orders, symbol);

  return (
    <Asked query={candles}>
      {(told) =>
        told.items.length === 0 ? (
          <p className="none">There are no bars of {symbol} yet; they come with the prices.</p>
        ) : (
          <div className="chart-box">
            <Suspense fallback={<p className="none">Drawing…</p>}>
              <PriceChart
                source={portfolio.price_source}
                symbol={symbol}
                bars={bars}
                intervalSeconds={seconds}
                tick={tick}
                marks={marks}
                levels={levels}
                label={`Price of ${symbol} in bars of ${interval}, with ${levels.length} lines of ours and ${marks.length} marks of trades`}
              />
            </Suspense>
          </div>
        )
      }
    </Asked>
  );
}

/** The lines of what we have and want. They are the same object while their prices are: a chart would blink otherwise. */
function useLevels(positions: readonly Position[] | undefined, orders: readonly Order[] | undefined, symbol: string): readonly Level[] {
  const text = JSON.stringify(levelsOf(positions ?? [], orders ?? [], symbol));
  return useMemo(() => JSON.parse(text) as Level[], [text]);
}

/** Read the candles again at the end of each bar: the desk's own bar takes the place of the one grown from quotes. */
function useReadAtBarEnd(portfolio: string, symbol: string, interval: Interval, seconds: number): void {
  const client = useQueryClient();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const wait = (): void => {
      const length = seconds * 1_000;
      timer = setTimeout(() => {
        void client.invalidateQueries({ queryKey: ["candles", portfolio, symbol, interval] });
        wait();
      }, length - (Date.now() % length) + SETTLE_MS);
    };
    wait();
    return () => clearTimeout(timer);
  }, [client, portfolio, symbol, interval, seconds]);
}
