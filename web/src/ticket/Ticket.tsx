/** The order ticket: what is typed is asked about at once, and what is placed is exactly what was asked about. */

import { Button, Checkbox, NativeSelect, SegmentedControl, TextInput } from "@mantine/core";
import { useState, type ReactNode, type SyntheticEvent } from "react";
import type { Side, TimeInForce } from "../api/types";
import { useDesk, useInstrument } from "../app/desk-context";
import { exact, typed } from "../format/decimal";
import { ProblemNote } from "../parts/ProblemNote";
import { useLink } from "../stream/hooks";
import { EMPTY, TYPES, hasPrice, hasStop, wishOf, type Draft, type TicketType, type Wish } from "./draft";
import { LastOrder } from "./LastOrder";
import { PreviewView } from "./PreviewView";
import { usePlace } from "./usePlace";
import { usePreview, type LivePreview } from "./usePreview";

const SIDES: { value: Side; label: string }[] = [
  { value: "BUY", label: "Buy" },
  { value: "SELL", label: "Sell" },
];
const TYPE_NAMES: Record<TicketType, string> = { MARKET: "Market", LIMIT: "Limit", STOP: "Stop", STOP_LIMIT: "Stop-limit" };
const LIFETIMES: { value: TimeInForce; label: string }[] = [
  { value: "GTC", label: "Until cancelled" },
  { value: "DAY", label: "Today" },
  { value: "IOC", label: "At once, the rest cancelled" },
  { value: "FOK", label: "All at once or nothing" },
];

/** Control 45: the same order twice within two seconds. */
const DUPLICATE = 45;

export function Ticket(): ReactNode {
  const { portfolio, symbol, setSymbol, instruments, mayTrade } = useDesk();
  const instrument = useInstrument();
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const change = (part: Partial<Draft>): void => setDraft((before) => ({ ...before, allowRepeat: false, ...part }));
  const wish = wishOf(draft, symbol, portfolio.id);
  const live = usePreview(wish);
  const placing = usePlace();
  const linked = useLink().state;
  const blocked = placing.open === null ? reasonNotToPlace(wish, live, mayTrade, linked === "live") : null;
  const base = instrument?.base ?? "";

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    // The size goes with its order: another order is another decision, and the same one at once would be refused.
    const whenPlaced = (): void => change({ size: "" });
    if (placing.open !== null) placing.place(placing.open.wish, whenPlaced);
    else if (blocked === null && wish.complete) placing.place(wish.order, whenPlaced);
  }

  return (
    <form className="ticket" onSubmit={submit} aria-label="Order ticket" data-testid="ticket">
      <SegmentedControl
        fullWidth
        data={SIDES}
        value={draft.side}
        onChange={(side) => change({ side })}
        aria-label="Side"
        className={`sides sides-${draft.side.toLowerCase()}`}
      />
      <div className="ticket-row">
        <NativeSelect
          label="Instrument"
          data={instruments.map((one) => ({ value: one.symbol, label: one.symbol, disabled: !one.tradable }))}
          value={symbol}
          onChange={(event) => setSymbol(event.currentTarget.value)}
        />
        <NativeSelect
          label="Type"
          data={TYPES.map((value) => ({ value, label: TYPE_NAMES[value] }))}
          value={draft.type}
          onChange={(event) => change({ type: event.currentTarget.value as TicketType })}
        />
      </div>
      <div className="ticket-row">
        <TextInput
          label="Size"
          inputMode="decimal"
          autoComplete="off"
          placeholder={draft.sizeBy === "quantity" ? (instrument?.min_quantity ?? "") : (instrument?.min_notional ?? "")}
          value={draft.size}
          error={draft.size.trim() !== "" && typed(draft.size) === null}
          onChange={(event) => change({ size: event.currentTarget.value })}
          data-testid="ticket-size"
        />
        <NativeSelect
          label="Size in"
          data={[
            { value: "quantity", label: base === "" ? "Quantity" : base },
            { value: "quote", label: instrument?.quote ?? "Quote value" },
          ]}
          value={draft.sizeBy}
          onChange={(event) => change({ sizeBy: event.currentTarget.value as Draft["sizeBy"], size: "" })}
          data-testid="ticket-size-by"
        />
      </div>
      {(hasPrice(draft.type) || hasStop(draft.type)) && (
        <div className="ticket-row">
          {hasStop(draft.type) && (
            <TextInput
              label="Stop price"
              inputMode="decimal"
              autoComplete="off"
              value={draft.stop}
              onChange={(event) => change({ stop: event.currentTarget.value })}
              data-testid="ticket-stop"
            />
          )}
          {hasPrice(draft.type) && (
            <TextInput
              label="Limit price"
              inputMode="decimal"
              autoComplete="off"
              value={draft.price}
              onChange={(event) => change({ price: event.currentTarget.value })}
              data-testid="ticket-price"
            />
          )}
        </div>
      )}
      {draft.type !== "MARKET" && (
        <NativeSelect
          label="Waits"
          data={LIFETIMES}
          value={draft.timeInForce}
          onChange={(event) => change({ timeInForce: event.currentTarget.value as TimeInForce })}
        />
      )}
      <div className="ticket-flags">
        <Checkbox
          size="xs"
          label="Reduce only"
          checked={draft.reduceOnly}
          onChange={(event) => change({ reduceOnly: event.currentTarget.checked })}
        />
        {draft.type === "LIMIT" && (
          <Checkbox size="xs" label="Post only" checked={draft.postOnly} onChange={(event) => change({ postOnly: event.currentTarget.checked })} />
        )}
      </div>
      <Button
        type="submit"
        fullWidth
        loading={placing.isPending}
        disabled={blocked !== null}
        className={draft.side === "BUY" ? "place place-buy" : "place place-sell"}
        aria-describedby="ticket-why"
        data-testid="place"
      >
        {placing.open === null ? placeLabel(draft, live, base) : "Ask again about the last order"}
      </Button>
      <p id="ticket-why" className="small why" role="status">
        {placing.open === null ? blocked : "Its answer was lost. Asking again never makes a second order."}
      </p>
      {!placing.isPending && <ProblemNote failure={placing.failure} />}
      {placing.placed !== undefined && <LastOrder placed={placing.placed} />}
      {live.failure !== null && <ProblemNote failure={live.failure} />}
      {live.preview?.reasons.some((reason) => reason.number === DUPLICATE) === true && (
        <Button size="compact-xs" variant="default" onClick={() => change({ allowRepeat: true })}>
          I mean it: the same order again
        </Button>
      )}
      {live.preview !== undefined && (
        <PreviewView
          preview={live.preview}
          instrument={instrument}
          currency={portfolio.base_currency}
          takeLargest={(size) => change({ sizeBy: "quantity", size })}
        />
      )}
    </form>
  );
}

function placeLabel(draft: Draft, live: LivePreview, base: string): string {
  const quantity = exact(live.preview?.quantity);
  const what = quantity === null ? "" : ` ${quantity} ${base}`;
  return `${draft.side === "BUY" ? "Buy" : "Sell"}${what}`;
}

/** Why the button does nothing; null when it does. */
function reasonNotToPlace(wish: Wish, live: LivePreview, mayTrade: boolean, linked: boolean): string | null {
  if (!mayTrade) return "You may look, not trade.";
  if (!wish.complete) return wish.missing;
  if (!linked) return "The desk is not connected: what you see may be old.";
  if (live.failure !== null) return "The gate cannot be asked.";
  if (live.preview === undefined) return "Asking the gate…";
  return live.preview.approved ? null : "The gate would refuse this order; the reasons are below.";
}
