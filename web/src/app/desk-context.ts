/** What the whole page is about: one portfolio and one instrument at a time. */

import { createContext, useContext } from "react";
import type { Instrument, Portfolio } from "../api/types";

export interface DeskContext {
  portfolio: Portfolio;
  symbol: string;
  setSymbol: (symbol: string) => void;
  instruments: readonly Instrument[];
  mayTrade: boolean;
}

const Context = createContext<DeskContext | null>(null);

export const DeskProvider = Context.Provider;

export function useDesk(): DeskContext {
  const desk = useContext(Context);
  if (desk === null) throw new Error("Invariant: a panel is drawn inside the desk");
  return desk;
}

/** The instrument that the page is about; undefined before the desk has named it. */
export function useInstrument(): Instrument | undefined {
  const { instruments, symbol } = useDesk();
  return instruments.find((instrument) => instrument.symbol === symbol);
}

export function tickOf(instruments: readonly Instrument[], symbol: string): string | null {
  return instruments.find((instrument) => instrument.symbol === symbol)?.tick_size ?? null;
}

/** An imported book: it has no prices, and nobody trades on it. */
export function isImported(portfolio: Portfolio): boolean {
  return portfolio.price_source === "none";
}
