/** How charts look: the page's own colours, read from its style sheet, so that light and dark are said once. */

import { useComputedColorScheme } from "@mantine/core";
import { CrosshairMode, type ChartOptions, type DeepPartial } from "lightweight-charts";
import { useMemo } from "react";

export interface Look {
  readonly ink: string;
  readonly rule: string;
  readonly sea: string;
  readonly gain: string;
  readonly loss: string;
  readonly up: string;
  readonly down: string;
  readonly options: DeepPartial<ChartOptions>;
}

/** The look of the present colour scheme. */
export function useLook(): Look {
  const scheme = useComputedColorScheme("light");
  return useMemo(() => readLook(scheme), [scheme]);
}

/** The scheme is what the style sheet answers by: it stands on the root element already. */
function readLook(scheme: "light" | "dark"): Look {
  document.documentElement.dataset.mantineColorScheme = scheme;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const ink = colour("ink-2");
  const rule = colour("rule");
  return {
    ink,
    rule,
    sea: colour("sea"),
    gain: colour("gain"),
    loss: colour("loss"),
    up: colour("candle-up"),
    down: colour("candle-down"),
    options: {
      autoSize: true,
      layout: { background: { color: "transparent" }, textColor: ink, fontSize: 11, fontFamily: "system-ui, sans-serif" },
      grid: { vertLines: { visible: false }, horzLines: { color: rule } },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderColor: rule, timeVisible: true, secondsVisible: false, rightOffset: 14 },
      crosshair: { mode: CrosshairMode.Normal, vertLine: { color: ink, labelBackgroundColor: ink }, horzLine: { color: ink, labelBackgroundColor: ink } },
      localization: { timeFormatter: (time: unknown) => localTime(time) },
    },
  };
}

/** The chart counts in UTC; people live somewhere. */
function localTime(time: unknown): string {
  return typeof time === "number" ? new Date(time * 1_000).toLocaleString() : "";
}

/** Times as they are in this place, for the axis below a chart. */
export function tickTime(time: unknown, kind: number): string | null {
  if (typeof time !== "number") return null;
  const at = new Date(time * 1_000);
  // 0, 1, 2: a year, a month, a day begins (lightweight-charts `TickMarkType`).
  if (kind <= 2) return at.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  return at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
}
