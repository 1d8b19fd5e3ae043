/** The desk's nouns as the page calls them, taken from the contract: nothing is declared twice. */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type AccountPulse = Schemas["AccountPulse"];
export type Bot = Schemas["BotRow"];
export type Candles = Schemas["Candles"];
export type Check = Schemas["Check"];
export type Closed = Schemas["Closed"];
export type Countdown = Schemas["Countdown"];
export type Earned = Schemas["PnlReportRow"];
export type EquityPoint = Schemas["EquityPoint"];
export type EventFrame = Schemas["EventFrame"];
export type Flattened = Schemas["Flattened"];
export type Frame = Schemas["Frame"];
export type Guard = Schemas["GuardRow"];
export type Halt = Schemas["HaltRow"];
export type Halts = Schemas["Halts"];
export type Instrument = Schemas["InstrumentRow"];
export type Key = Schemas["Key"];
export type Load = Schemas["Load"];
export type MadeKey = Schemas["MadeKey"];
export type Me = Schemas["Me"];
export type NewBot = Schemas["NewBot"];
export type Order = Schemas["OrderRow"];
export type OrderState = Order["state"];
export type OrderType = Schemas["OrderType"];
export type PlacedOrder = Schemas["PlacedOrder"];
export type Portfolio = Schemas["PortfolioRow"];
export type Position = Schemas["PositionRow"];
export type Preview = Schemas["Preview"];
export type PriceSource = Schemas["PriceSource"];
export type Problem = Schemas["Problem"];
export type Quote = Schemas["QuoteRow"];
export type Reason = Schemas["Reason"];
export type Right = Me["rights"][number];
export type Side = Schemas["Side"];
export type Stopped = Schemas["Stopped"];
export type Summary = Schemas["PortfolioSummary"];
export type Temperature = NonNullable<Bot["temperature"]>;
export type TimeInForce = Schemas["TimeInForce"];
export type Trade = Schemas["TradeRow"];
export type TradingState = Schemas["TradingState"];

/**
 * An order as this page sends it: amounts are text (the contract would let whole numbers pass too, floats never). A
 * person sees the largest size in the preview, so a smaller one is never taken without asking.
 */
export interface OrderWish {
  symbol: string;
  side: Side;
  type: OrderType;
  quantity?: string;
  quote_value?: string;
  price?: string;
  stop_price?: string;
  time_in_force: TimeInForce;
  reduce_only: boolean;
  post_only: boolean;
  allow_smaller: false;
  allow_repeat: boolean;
  portfolio: string;
}
