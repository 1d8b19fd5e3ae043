/**
 * The load line: how deep the account is loaded, drawn as the mark on a ship's hull.
 *
 * The water stands at the load. The line through the circle is the deepest that an order may take it; the ladder beside
 * it has the marks of the guard. An unknown load has no water line at all: a gauge at zero would be a lie.
 */

import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Load } from "../api/types";
import { useDesk } from "../app/desk-context";
import { amount, exact, forGauge, percent, signOf } from "../format/decimal";
import { Asked } from "../parts/Asked";
import { Panel } from "../parts/Panel";
import { Value } from "../parts/Value";
import { useSummary } from "../api/queries";
import { usePulse } from "../stream/hooks";

const LEVELS: Record<Load["level"], string> = {
  SAFE: "Safe",
  WARNING: "Warning",
  CRITICAL: "Critical",
  EMERGENCY: "Emergency",
  UNKNOWN: "Unknown",
};

export function LoadLine(): ReactNode {
  const { portfolio } = useDesk();
  const summary = useSummary(portfolio.id);
  const pulse = usePulse(portfolio.account);
  return (
    <Panel title="Load line" id="load-line">
      <Asked query={summary}>
        {(told) => <Reading load={pulse?.value.load ?? told.load} currency={told.currency} why={told.unknown.join("; ")} />}
      </Asked>
    </Panel>
  );
}

function Reading({ load, currency, why }: { load: Load; currency: string; why: string }): ReactNode {
  const said = sentence(load, why);
  return (
    <div className={`load load-${load.level.toLowerCase()}`}>
      <Gauge load={load} said={said} />
      <div className="load-words">
        {load.applies ? (
          <p className="load-number" data-testid="load">
            <Value text={percent(load.load)} why={why === "" ? undefined : why} />
          </p>
        ) : (
          <p className="load-number load-none">No load line</p>
        )}
        <p className="load-level">{load.applies ? LEVELS[load.level] : "A plain spot account borrows nothing."}</p>
        {load.applies && (
          <Text size="xs" c="dimmed" component="p">
            {load.load === null ? (
              why
            ) : (
              <>
                Gross <span className="num">{amount(load.gross_value) ?? "unknown"}</span> {currency} against{" "}
                <span className="num">{exact(load.leverage_cap)}</span> × equity. Orders stop at{" "}
                <span className="num">{percent(load.order_limit, 0)}</span>.
              </>
            )}
          </Text>
        )}
      </div>
    </div>
  );
}

/** The gauge in words, for those who hear the page. */
export function sentence(load: Load, why: string): string {
  if (!load.applies) return "No load line: a plain spot account borrows nothing.";
  const known = percent(load.load);
  if (known === null) return `The load is unknown${why === "" ? "" : `: ${why}`}.`;
  const marks = `Warning at ${percent(load.warning, 0) ?? ""}, critical at ${percent(load.critical, 0) ?? ""}, all is closed at ${percent(load.emergency, 0) ?? ""}.`;
  return `Load ${known}, ${LEVELS[load.level].toLowerCase()}. ${marks} No order may take it past ${percent(load.order_limit, 0) ?? ""}.`;
}

const TOP = 8;
const HEIGHT = 144;
const WIDTH = 148;

/** From a ratio to a place on the hull; 100 % is the deck. */
const yOf = (ratio: string): number => TOP + HEIGHT * (1 - forGauge(ratio));

function Gauge({ load, said }: { load: Load; said: string }): ReactNode {
  const line = yOf(load.order_limit);
  const known = load.applies && load.load !== null;
  const afloat = known && signOf(load.load) === 1;
  const marks = [load.warning, load.critical, load.emergency];
  return (
    <svg
      className="gauge"
      viewBox={`0 0 ${WIDTH} ${HEIGHT + 2 * TOP}`}
      role="meter"
      aria-label="Load line"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? forGauge(load.load ?? "0") * 100 : undefined}
      aria-valuetext={said}
    >
      <rect className="hull" x="1" y={TOP} width={WIDTH - 2} height={HEIGHT} rx="2" />
      {afloat && <Water at={yOf(load.load ?? "0")} />}
      {load.applies && load.load === null && <rect className="water-unknown" x="1" y={TOP} width={WIDTH - 2} height={HEIGHT} rx="2" />}
      <g className="disc">
        <circle cx="50" cy={line} r="19" />
        <path d={`M14 ${line}h72`} />
      </g>
      {load.applies && (
        <g className="ladder">
          <path d={`M104 ${TOP + 6}V${yOf("0.55")}`} />
          {marks.map((mark) => (
            <g key={mark}>
              <path d={`M104 ${yOf(mark)}h13`} />
              <text x="121" y={yOf(mark) + 3.5}>
                {percent(mark, 0)?.replace(" %", "")}
              </text>
            </g>
          ))}
        </g>
      )}
    </svg>
  );
}

/** A still surface with the least of a swell, and its reading. */
function Water({ at }: { at: number }): ReactNode {
  const swell = Array.from({ length: 6 }, () => "q6.1 -3.4 12.2 0t12.2 0").join("");
  return (
    <g className="water" style={{ transform: `translateY(${at}px)` }}>
      <clipPath id="hull-inside" clipPathUnits="userSpaceOnUse">
        <rect x="1" y={TOP - at} width={WIDTH - 2} height={HEIGHT} rx="2" />
      </clipPath>
      <path clipPath="url(#hull-inside)" d={`M0 0${swell}V${HEIGHT + TOP}H0Z`} />
    </g>
  );
}
