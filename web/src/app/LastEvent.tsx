import type { ReactNode } from "react";
import type { EventFrame } from "../api/types";
import { exact } from "../format/decimal";
import { clockTime } from "../format/time";
import { ORDER_STATES, TRADING_STATES, plain } from "../format/words";
import { lastEvent } from "../stream/live";
import { useStore } from "../stream/store";

/** What happened last, in a line at the foot of the page, and spoken to those who hear it. */
export function LastEvent(): ReactNode {
  const event = useStore(lastEvent, (value) => value);
  return (
    <p className="last-event" role="status" data-testid="last-event" data-number={event?.number}>
      {event === null ? (
        "Nothing has happened since you opened this page."
      ) : (
        <>
          <time dateTime={event.at}>{clockTime(event.at)}</time> {sentenceOf(event)}
        </>
      )}
    </p>
  );
}

/** An event in words; a kind that is not known yet is named as the desk names it. */
export function sentenceOf({ kind, details }: Pick<EventFrame, "kind" | "details">): string {
  const about = (name: string): string => details[name] ?? "";
  const states: Record<string, string> = ORDER_STATES;
  switch (kind) {
    case "TRADE_BOOKED":
      return `Trade booked: ${plain(about("side"))} ${exact(about("quantity")) ?? ""} at ${exact(about("price")) ?? ""}`;
    case "ORDER_WRITTEN":
    case "ORDER_CHANGED":
      return `Order ${states[about("state")] ?? about("what")}: ${exact(about("filled")) ?? "0"} of ${exact(about("quantity")) ?? "?"} filled`;
    case "ORDER_REFUSED":
      return "The gate refused an order";
    case "HALT_CHANGED": {
      const titles: Record<string, { title: string } | undefined> = TRADING_STATES;
      return `Trading state: ${titles[about("state")]?.title ?? about("state")}${about("reason") === "" ? "" : ` (${about("reason")})`}`;
    }
    case "BREAK_FOUND":
      return `Book and venue differ: ${about("sentence") || about("what")}`;
    default: {
      const words = plain(kind);
      return words.charAt(0).toUpperCase() + words.slice(1);
    }
  }
}
