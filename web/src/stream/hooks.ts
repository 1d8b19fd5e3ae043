/** The live stores as panels read them. */

import type { AccountPulse, Quote } from "../api/types";
import { link, placeOf, pulses, quotes, type Link, type Received } from "./live";
import { useStore } from "./store";

export const useLink = (): Link => useStore(link, (value) => value);

export const usePulse = (account: string): Received<AccountPulse> | undefined =>
  useStore(pulses, (value) => value.get(account));

export const useQuote = (source: string, symbol: string): Received<Quote> | undefined =>
  useStore(quotes, (value) => value.get(placeOf(source, symbol)));
