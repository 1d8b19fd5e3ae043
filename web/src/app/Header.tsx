/** What has to be in sight always: whose money, which prices and how old, whether the page is live, and the red stop. */

import { ActionIcon, NativeSelect } from "@mantine/core";
import type { ReactNode } from "react";
import { useHalts, useHealth } from "../api/queries";
import type { Portfolio, PriceSource, TradingState } from "../api/types";
import { age, ageNow, freshness } from "../format/time";
import { TRADING_STATES } from "../format/words";
import { RedStop } from "../panels/RedStop";
import { Mark } from "../parts/Mark";
import { useNow } from "../parts/useNow";
import { useLink, usePulse } from "../stream/hooks";
import { quotes } from "../stream/live";
import { isImported, useDesk } from "./desk-context";

interface HeaderProps {
  portfolios: readonly Portfolio[];
  choose: (id: string) => void;
  openSettings: () => void;
}

export function Header({ portfolios, choose, openSettings }: HeaderProps): ReactNode {
  const imported = isImported(useDesk().portfolio);
  return (
    <header className="header">
      <div className="brand">
        <Mark />
        <h1>Plimsoll</h1>
      </div>
      <Account portfolios={portfolios} choose={choose} />
      <div className="signs">
        {imported ? null : <Prices />}
        <Stream />
        {imported ? null : <State />}
      </div>
      <div className="header-acts">
        <ActionIcon variant="subtle" color="gray" size="lg" onClick={openSettings} aria-label="Settings" data-testid="settings">
          <svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" aria-hidden="true">
            <path d="M4 7h9M17 7h3M4 12h3M11 12h9M4 17h11M19 17h1" />
            <circle cx="15" cy="7" r="2" />
            <circle cx="9" cy="12" r="2" />
            <circle cx="17" cy="17" r="2" />
          </svg>
        </ActionIcon>
        <RedStop />
      </div>
    </header>
  );
}

function Account({ portfolios, choose }: Pick<HeaderProps, "portfolios" | "choose">): ReactNode {
  const { portfolio } = useDesk();
  const name = (one: Portfolio): string => (one.name === "main" || isImported(one) ? one.account_name : `${one.account_name} / ${one.name}`);
  return (
    <div className="account" data-testid="account">
      {portfolios.length === 1 ? (
        <span className="strong">{name(portfolio)}</span>
      ) : (
        <NativeSelect
          size="xs"
          aria-label="Account"
          data={portfolios.map((one) => ({ value: one.id, label: name(one) }))}
          value={portfolio.id}
          onChange={(event) => choose(event.currentTarget.value)}
        />
      )}
      <span className={portfolio.mode === "LIVE" ? "tag tag-live" : "tag"}>
        {isImported(portfolio) ? "imported" : portfolio.mode.toLowerCase()}
      </span>
    </div>
  );
}

/** Which prices, and how old the newest of them is: it grows by itself, whether or not the desk says anything. */
function Prices(): ReactNode {
  const { portfolio } = useDesk();
  const pulse = usePulse(portfolio.account);
  const health = useHealth().data;
  const source = pulse?.value.prices ?? health?.prices.find((one) => one.account === portfolio.account);
  const now = useNow(250);
  const seconds = newestAge(portfolio.price_source, pulse, now);
  const state = source === undefined ? "unknown" : source.state === "RUNNING" ? freshness(seconds) : "stale";
  return (
    <div className={`sign sign-${state}`} data-testid="prices-sign" data-freshness={state}>
      <span className="sign-label">Prices</span>
      <span className="strong" data-testid="price-source">
        {source?.label ?? portfolio.price_source}
      </span>
      <span className="num sign-age" data-testid="data-age">
        {seconds === null ? <span className="unknown">age unknown</span> : age(seconds)}
      </span>
      {source !== undefined && source.state !== "RUNNING" && <span className="small">{sourceTrouble(source)}</span>}
    </div>
  );
}

function newestAge(source: string, pulse: ReturnType<typeof usePulse>, now: number): number | null {
  const told = [...quotes.get().values()]
    .filter((quote) => quote.value.source === source)
    .map((quote) => ageNow({ seconds: quote.value.age_seconds, receivedAt: quote.at }, now));
  const pulsed = pulse?.value.prices.age_seconds;
  if (pulse !== undefined && pulsed != null) told.push(ageNow({ seconds: pulsed, receivedAt: pulse.at }, now));
  return told.length === 0 ? null : Math.min(...told);
}

function sourceTrouble(source: PriceSource): string {
  const words: Record<PriceSource["state"], string> = { CONNECTING: "connecting", RUNNING: "", DOWN: "down", ENDED: "ended" };
  return source.detail === "" ? words[source.state] : `${words[source.state]}: ${source.detail}`;
}

function Stream(): ReactNode {
  const words = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" } as const;
  const { state } = useLink();
  return (
    <div className={`sign sign-${state === "live" ? "fresh" : "ageing"}`} role="status" data-testid="link" data-state={state}>
      <i className="dot" aria-hidden="true" />
      <span className="sr-only">Connection to the desk: </span>
      {words[state]}
    </div>
  );
}

/** The state of trading: of the last pulse and the last answer, the newer word. */
export function useTradingState(): TradingState | null {
  const { portfolio } = useDesk();
  const pulse = usePulse(portfolio.account);
  const halts = useHalts().data;
  if (pulse !== undefined && (halts === undefined || pulse.at > halts.receivedAt)) return pulse.value.state;
  return halts?.state ?? null;
}

function State(): ReactNode {
  const state = useTradingState();
  if (state === null) return <div className="sign sign-unknown">Trading state unknown</div>;
  return (
    <div
      className={`sign ${state === "ACTIVE" ? "sign-fresh" : "sign-stopped"}`}
      title={TRADING_STATES[state].meaning}
      role="status"
      data-testid="trading-state"
      data-state={state}
    >
      <span className="sr-only">Trading: </span>
      <span className="strong">{TRADING_STATES[state].title}</span>
    </div>
  );
}
