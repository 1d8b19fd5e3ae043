"""What travels: every request and answer of REST and stream, typed for the OpenAPI document and its clients.

Decimals travel as strings, times as ISO 8601 in UTC, ids as opaque text. Ratios are ratios (0.01 = 1 %). `null` means
*unknown*, never zero. Requests refuse fields that nobody knows.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    WithJsonSchema,
)

from plimsoll.model.account import TradingState
from plimsoll.model.errors import Illegal
from plimsoll.model.instrument import AssetType
from plimsoll.model.money import check_digits, decimal_text, parse_decimal
from plimsoll.model.order import OrderType, Side, TimeInForce

#: A decimal, written as its canonical text.
Dec = Annotated[
    Decimal, PlainSerializer(decimal_text, return_type=str), Field(json_schema_extra={"examples": ["0.01"]})
]


def _exact(value: object) -> Decimal:
    # A JSON number with a point has been a float by the time anybody sees it: 0.1 would already be another number.
    if isinstance(value, float):
        raise ValueError('a float is not exact: write it as text, such as "0.05"')  # noqa: TRY004  pydantic's way to refuse
    try:
        if isinstance(value, Decimal):
            return check_digits(value, "number")
        return parse_decimal(str(value) if type(value) is int else value, "number")
    except Illegal as refused:
        raise ValueError(refused.remedy) from refused


#: A decimal that comes in: plain text, or a whole number; never a float.
DecIn = Annotated[
    Decimal,
    BeforeValidator(_exact),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"}, {"type": "integer"}],
            "examples": ["0.01"],
        }
    ),
]


def _in_print(text: str) -> str:
    if not text.isprintable():
        raise ValueError("use printable characters only, on one line")
    return text


#: What a person writes and others read again, in a terminal too: nothing in it may move a cursor, or turn text around.
Words = Annotated[str, AfterValidator(_in_print)]
#: Name or id of something that is the caller's.
Named = Annotated[str, Field(max_length=200)]

#: Which orders are listed.
OrderStatus = Literal["open", "closed", "all"]
#: How long a bar is.
Interval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True)


# ------------------------------------------------------------------------------------------------------- errors


class Reason(_Out):
    """One rule's no."""

    code: str
    sentence: str
    observed: str = ""
    limit: str = ""
    remedy: str = ""
    #: Number and name of the control, where a control of the gate said it; null elsewhere.
    number: int | None = None
    name: str | None = None


class Problem(_Out):
    """RFC 9457 problem details; every error looks like this (`application/problem+json`)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    #: Stable, machine-readable.
    code: str
    #: Names this request in the log; also in the header `X-Request-Id`.
    request_id: str
    #: Every reason of a refusal; validation names the field in `observed`.
    reasons: list[Reason] = []


# ------------------------------------------------------------------------------------------------------- system


class PriceSource(_Out):
    """How one account's prices stand."""

    account: str
    #: `live:binance`, `synthetic`, `replay:…`: fixed when the account was made.
    source: str
    label: str
    state: Literal["CONNECTING", "RUNNING", "DOWN", "ENDED"]
    detail: str
    since: datetime
    reconnects: int
    #: Age of the newest quote of all; null before the first.
    age_seconds: float | None


class Health(_Out):
    """`ok` when the desk can trade, `degraded` when something is in doubt, with reasons."""

    status: Literal["ok", "degraded"]
    version: str
    time: datetime
    uptime_seconds: float
    reasons: list[str]
    #: Differences between the caller's accounts and their venues that wait for a person.
    open_breaks: int
    prices: list[PriceSource]


# --------------------------------------------------------------------------------------------------------- auth


class RedeemLink(_In):
    """Prove oneself by the one-time link, and choose a password."""

    token: str = Field(max_length=200)
    password: str = Field(max_length=1_000)


class SignIn(_In):
    """Prove oneself by name and password."""

    name: str = Field(max_length=200)
    password: str = Field(max_length=1_000)


class ChangePassword(_In):
    """Choose another password; every other session ends."""

    current: str = Field(max_length=1_000)
    new: str = Field(max_length=1_000)


class Me(_Out):
    """Who is asking."""

    user: str
    name: str
    role: str
    via: Literal["session", "key"]
    rights: list[Literal["read", "trade", "admin"]]


class NewKey(_In):
    """A wish for an API key."""

    name: Words = Field(min_length=1, max_length=60)
    rights: list[Literal["read", "trade", "admin"]] = Field(min_length=1, max_length=3)
    #: At most 90 days.
    days: int = Field(default=90, ge=1, le=90, strict=True)
    #: Names or ids of portfolios; null for all.
    portfolios: list[Named] | None = Field(default=None, max_length=100)


class Key(_Out):
    """An API key; its secret is shown once, when it is made."""

    id: str
    name: str
    prefix: str
    rights: list[Literal["read", "trade", "admin"]]
    portfolios: list[str] | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class MadeKey(Key):
    """A new key with its secret."""

    secret: str


class Keys(_Out):
    """The caller's keys, those that have ended left out."""

    items: list[Key]


# ---------------------------------------------------------------------------------------- portfolios and positions


class Balance(_Out):
    """What a portfolio has of one asset in one pocket; negative is owed."""

    pocket: str
    asset: str
    amount: Dec


class PortfolioRow(_Out):
    """A portfolio and the account it belongs to."""

    id: str
    name: str
    account: str
    account_name: str
    mode: str
    base_currency: str
    price_source: str
    balances: list[Balance]


class Portfolios(_Out):
    """The caller's portfolios."""

    items: list[PortfolioRow]


class Load(_Out):
    """The load line: how deep the account is loaded."""

    #: Gross value / (equity × leverage cap); null when unknown, and on a plain spot account `applies` is false.
    load: Dec | None
    applies: bool
    level: Literal["SAFE", "WARNING", "CRITICAL", "EMERGENCY", "UNKNOWN"]
    #: 0.70, 0.80, 0.90.
    warning: Dec
    critical: Dec
    emergency: Dec
    #: No order may take the load past it.
    order_limit: Dec
    gross_value: Dec | None
    leverage_cap: Dec


class PortfolioPosition(_Out):
    """A position in the words of a portfolio."""

    product_id: str
    quantity: Dec
    crypto_balance: Dec
    #: What the part of known cost had cost, and its average; `null` where all of it came in at a cost nobody told.
    usd_invested: Dec | None
    average_cost_basis: Dec | None
    current_value: Dec | None
    unrealized_pnl: Dec | None
    pnl_pct: Dec | None


class PortfolioSummary(_Out):
    """What the caller's accounts are worth and how they are used; in the account's currency.

    `null` while something has no price in time: the total of an unknown part is unknown.
    """

    currency: str
    price_sources: list[str]
    total_value: Dec | None
    cash: Dec
    equity: Dec | None
    buying_power: Dec | None
    margin_used: Dec | None
    margin_available: Dec | None
    margin_utilization: Dec | None
    #: Balances at today's prices, without the open profit of derivatives.
    total_usd_balance: Dec | None
    #: Realised and open profit, less fees.
    total_pnl: Dec | None
    unrealized_pnl: Dec | None
    #: Gross: fees are apart.
    realized_pnl: Dec | None
    fees: Dec | None
    drawdown: Dec | None
    peak_equity: Dec | None
    load: Load
    #: Why something is unknown, in words; empty while all is known.
    unknown: list[str]
    positions: list[PortfolioPosition]


class PositionRow(_Out):
    """An open position."""

    position_id: str
    portfolio: str
    symbol: str
    side: Literal["LONG", "SHORT"]
    #: Unsigned.
    quantity: Dec
    #: Of the part whose cost is known; `null` where all of it came in at a cost that nobody told.
    entry_price: Dec | None
    current_price: Dec | None
    value: Dec | None
    unrealized_pnl: Dec | None
    #: Percent of the entry value.
    unrealized_pnl_pct: Dec | None
    realized_pnl: Dec
    leverage: Dec
    margin: Dec | None
    liquidation_price: Dec | None
    stop_loss: Dec | None
    take_profit: Dec | None
    status: Literal["OPEN", "CLOSING"]
    opened_at: datetime | None
    #: The last comparison found it equal at the venue.
    matched: bool
    strategy: str | None


class Positions(_Out):
    """Open positions, with the equity and drawdown of the account they belong to."""

    equity: Dec | None
    drawdown: Dec | None
    items: list[PositionRow]


class EquityPoint(_Out):
    """What an account was worth."""

    at: datetime
    equity: Dec
    nav: Dec
    peak: Dec
    drawdown: Dec


class EquityCurve(_Out):
    """What an account was worth over time, oldest first; thinned out so that peaks and troughs stay."""

    account: str
    currency: str
    items: list[EquityPoint]


# -------------------------------------------------------------------------------------------------------- orders


class NewOrder(_In):
    """A wish to trade. Give a quantity (base) or a quote value, not both."""

    symbol: str = Field(max_length=64)
    side: Side
    type: OrderType = OrderType.MARKET
    quantity: DecIn | None = None
    quote_value: DecIn | None = None
    price: DecIn | None = None
    stop_price: DecIn | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: StrictBool = False
    post_only: StrictBool = False
    #: The gate may approve less instead of refusing.
    allow_smaller: StrictBool = False
    #: The same order again within two seconds is meant.
    allow_repeat: StrictBool = False
    #: Name or id; the caller's only account's `main` where there is no choice.
    portfolio: Named | None = None


class OrderRow(_Out):
    """An order as the book has it."""

    id: str
    client_order_id: str
    broker_order_id: str | None
    portfolio: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Dec
    filled_quantity: Dec
    price: Dec | None
    stop_price: Dec | None
    time_in_force: TimeInForce
    reduce_only: bool
    post_only: bool
    state: Literal["PENDING", "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED", "UNKNOWN"]
    reason: str
    triggered_by: str
    placed_at: datetime
    updated_at: datetime


class Page(_Out):
    """How to go on: pass `next` as `cursor`; null on the last page."""

    next: str | None


class OrdersPage(Page):
    items: list[OrderRow]


class Check(_Out):
    """One control of the gate, asked about one order."""

    number: int
    name: str
    outcome: Literal["PASS", "WARN", "REFUSE", "NOT_APPLICABLE"]
    code: str = ""
    sentence: str = ""
    observed: str = ""
    limit: str = ""
    remedy: str = ""


class PlacedOrder(_Out):
    """The answer to an order that the gate approved."""

    order: OrderRow
    #: The checks that did not plainly pass.
    remarks: list[Check]
    #: This key was answered before; nothing was done now.
    repeated: bool


class Preview(_Out):
    """What the gate would say, and what the order would do. Nothing is written."""

    approved: bool
    #: Every control, in its order.
    checks: list[Check]
    #: The refusing ones among them.
    reasons: list[Check]
    #: What would be sent: rounded down to the lot, or the smaller size that was allowed.
    quantity: Dec | None
    #: At the price it is valued at, in the account's currency.
    value: Dec | None
    price: Dec | None
    fee: Dec | None
    leverage: Dec
    #: Initial margin of a derivative, or the cash that spot takes.
    required: Dec | None
    required_asset: str
    load_before: Dec | None
    load_after: Dec | None
    margin_after: Dec | None
    available_after: Dec | None
    #: Of the position as it would be afterwards; null on spot, unknown or where there is none.
    liquidation_price: Dec | None
    position_after: Dec | None
    #: The largest quantity that would pass now; null where size is not what stands in the way.
    largest_quantity: Dec | None
    #: Where and when the prices came from.
    price_source: str
    quote_age_seconds: float | None


class ExecuteTrade(_In):
    """Trade at the market for a quote value."""

    product_id: str = Field(max_length=64)
    side: Side
    size_usd: DecIn
    portfolio: Named | None = None


class TradeRow(_Out):
    """A fill, or an execution that is under way."""

    id: str
    product_id: str
    side: Side
    size_usd: Dec | None
    size_crypto: Dec
    price: Dec | None
    status: str
    filled_at: datetime | None
    commission: Dec
    commission_currency: str
    triggered_by: str
    order_id: str | None
    portfolio: str


class TradesPage(Page):
    items: list[TradeRow]


# ------------------------------------------------------------------------------------------------------- history

#: What profit and loss are told by.
PnlBy = Literal["day", "month", "portfolio", "instrument", "strategy"]


class Amount(_Out):
    """So much of an asset."""

    asset: str
    amount: Dec


class Flow(_Out):
    """What was earned (+) or cost (-) beside the trades: `FUNDING`, `INTEREST`, `DIVIDEND`, ..."""

    kind: str
    asset: str
    amount: Dec


class PnlRow(_Out):
    """What something earned in one currency; only what it is told by is not null."""

    #: A day (2022-01-31) or a month (2022-01), in UTC.
    time: str | None
    portfolio: str | None
    symbol: str | None
    #: The bot; null also for what people traded by hand.
    strategy: str | None
    #: What profit and turnover are counted in.
    currency: str
    #: Before fees.
    realized_pnl: Dec
    fees: list[Amount]
    flows: list[Flow]
    #: Realised less fees plus flows; null where one of them is in another asset.
    net_pnl: Dec | None
    turnover: Dec
    trade_count: int


class Pnl(_Out):
    """What was earned between two days, both included."""

    first_day: date
    last_day: date
    by: PnlBy
    items: list[PnlRow]


class CashLineRow(_Out):
    """A movement of an asset."""

    id: str
    portfolio: str
    pocket: str
    asset: str
    kind: str
    amount: Dec
    reference: str
    at: datetime
    #: Which position it belongs to, where it is no trade's.
    symbol: str | None


class CashLinesPage(_Out):
    """Movements, newest first."""

    items: list[CashLineRow]
    next: str | None


class BreachRow(_Out):
    """A limit that was met."""

    account: str
    action: str
    #: The key of the wish that met it.
    intent_key: str
    #: What stood in the way of an order; empty where a guard acted.
    checks: list[Check]
    #: The numbers that were looked at.
    observed: dict[str, str | bool | int | None]
    at: datetime


class BreachesPage(_Out):
    """Limits that were met, newest first."""

    items: list[BreachRow]
    next: str | None


class NoteRow(_Out):
    """Who did what."""

    account: str
    #: Its place in the account's chain.
    number: int
    at: datetime
    actor: str
    entity: str
    entity_key: str
    action: str
    details: dict[str, str]


class NotesPage(_Out):
    """The log, newest first."""

    items: list[NoteRow]
    next: str | None


class EventRow(_Out):
    """What happened, under its number among all events of the desk."""

    number: int
    account: str
    kind: str
    at: datetime
    details: dict[str, str]


class EventsPage(_Out):
    """What happened, newest first."""

    items: list[EventRow]
    next: str | None


class PolicyRow(_Out):
    """Limits that somebody set, one version of them."""

    scope_type: str
    version: int
    #: Limit to value, as text; null lifts it.
    limits: dict[str, str | None]
    made_by: str | None
    made_at: datetime | None


class Policies(_Out):
    """Every version of every policy that binds the caller."""

    items: list[PolicyRow]


# --------------------------------------------------------------------------------------------------------- prices


class QuoteRow(_Out):
    """The last quote of an instrument, of any age: `fresh` says whether anything may be decided at it."""

    symbol: str
    bid: Dec
    ask: Dec
    last: Dec
    mark: Dec | None
    at: datetime
    age_seconds: float
    fresh: bool
    source: str


class Quotes(_Out):
    """The last quote of every instrument that ever had one."""

    items: list[QuoteRow]


class Candle(_Out):
    """A bar; the last one may still be open."""

    start: datetime
    open: Dec
    high: Dec
    low: Dec
    close: Dec
    volume: Dec | None
    closed: bool


class Candles(_Out):
    symbol: str
    interval: str
    source: str
    items: list[Candle]


class InstrumentRow(_Out):
    """What can be traded, and in which steps."""

    symbol: str
    venue: str
    asset_type: str
    base: str
    quote: str
    settle: str
    tick_size: Dec
    lot_size: Dec
    min_quantity: Dec
    min_notional: Dec
    max_leverage: Dec
    is_derivative: bool
    tradable: bool


class Instruments(_Out):
    """What the caller's accounts can trade."""

    items: list[InstrumentRow]


# ------------------------------------------------------------------------------------------------- margin and guards


class MarginStatus(_Out):
    margin_used: Dec | None
    margin_available: Dec | None
    margin_total: Dec | None
    margin_utilization: Dec | None
    #: Equity / margin used; null while nothing is used.
    margin_level: Dec | None
    maintenance_margin: Dec | None
    thresholds: dict[str, Dec]
    warnings: list[str]
    liquidation_risk: Literal["SAFE", "WARNING", "CRITICAL", "EMERGENCY", "UNKNOWN"]


class HaltRow(_Out):
    """A reason not to be ACTIVE."""

    scope_type: str
    account: str | None
    source: str
    state: TradingState
    reason: str
    latched: bool


class Halts(_Out):
    #: The strictest of all.
    state: TradingState
    items: list[HaltRow]


class SetHalt(_In):
    """Stop, more or less. Closing stays possible in every state."""

    state: Literal["REDUCE_ONLY", "CANCEL_ONLY", "HALTED"] = "REDUCE_ONLY"
    reason: Words = Field(default="", max_length=500)
    #: Account id; null for every account of the caller.
    account: Named | None = None


class LiftHalt(_In):
    """Take a halt out of force; `guard:drawdown` opens a latched guard and starts its peak anew."""

    source: Literal["manual", "guard:drawdown", "parity"] = "manual"
    account: Named | None = None


class Stopped(_Out):
    state: TradingState
    #: Client ids of the orders that were taken back.
    cancelled: list[str]
    failures: list[str]
    items: list[HaltRow]


class Flatten(_In):
    """Cancel ours, close everything, look again."""

    reason: Words = Field(default="", max_length=500)
    account: Named | None = None


class Closed(_Out):
    """What became of one position."""

    position_id: str
    symbol: str
    #: `FLAT`, `DUST`, `SENT`, `UNDER_WAY`, `WAITING`, `REFUSED`, …
    outcome: str
    quantity_left: Dec
    order: str | None
    realized_pnl: Dec


class Flattened(_Out):
    flat: bool
    positions: list[Closed]
    failures: list[str]


class ManualClose(_In):
    position_id: Named
    #: Kept with the order that closes, as what it was placed for.
    reason: Words = Field(default="", max_length=500)


class Countdown(_Out):
    """A guard will close everything at `deadline`; a person may close now, nobody may cancel it."""

    deadline: datetime
    seconds_left: float


class GuardRow(_Out):
    account: str
    kind: str
    #: `CALM`, `WARNED`, `COUNTDOWN`, `CLOSING`, `LATCHED`, and `BLIND` while the account cannot be valued.
    status: str
    blind: str
    drawdown: Dec | None
    equity: Dec | None
    peak_equity: Dec | None
    #: Warn and close lines, as drawdown; and the least equity.
    warn_at: Dec
    close_at: Dec
    min_equity: Dec
    #: Which line was crossed; empty while calm.
    line: str
    countdown: Countdown | None
    episode: int
    closed_count: int
    loss: Dec
    last_check_at: datetime | None


class Guards(_Out):
    items: list[GuardRow]
    history: list[GuardRow]


# ------------------------------------------------------------------------------------------------- reconciliation

#: What a comparison came to; `UNKNOWN` where the account did not stand still, and before the first.
ComparedSaid = Literal["EQUAL", "DIFFERENT", "UNKNOWN"]


class ComparisonRow(_Out):
    """A line of the log: one for each comparison that found another thing than the one before, and one an hour."""

    account: str
    at: datetime
    outcome: ComparedSaid
    duration_ms: int
    #: How many comparisons the line stands for.
    comparisons: int
    #: In sentences.
    differences: list[str]
    #: Equity, balances, counts, margin as they were seen; null is unknown.
    snapshot: dict[str, str | None]


class ComparisonsPage(Page):
    items: list[ComparisonRow]


class Reconciliation(_Out):
    """How the book stands to the venue; of several accounts the worst status, and sums."""

    status: ComparedSaid
    #: When they were last compared as of one moment; null before the first.
    last_sync_at: datetime | None
    #: Since the desk was started.
    total_syncs: int
    last_sync_duration_ms: int | None
    open_positions_count: int
    #: Those of them that the last comparison found nothing wrong with.
    matched_positions: int
    #: Differences that wait for a person.
    divergences_detected: int
    #: The newest lines of the log.
    recent_events: list[ComparisonRow]


class BreakRow(_Out):
    """A difference between book and venue."""

    id: str
    account: str
    #: `position`, `balance`, `order`, `terms`, `filled`, `trade`.
    kind: str
    subject: str
    sentence: str
    proposal: str
    status: Literal["OPEN", "GONE", "RESOLVED"]
    #: By how many comparisons.
    seen_count: int
    first_seen: datetime
    last_seen: datetime
    resolved_by: str | None
    #: When a person resolved it, or it was not there any more.
    resolved_at: datetime | None
    resolution: str | None


class BreaksPage(Page):
    items: list[BreakRow]


class ResolveBreak(_In):
    """Say what became of a difference; one that is still found comes again as a new one."""

    resolution: Words = Field(min_length=1, max_length=500)


class ExternalOrderRow(_Out):
    """An order that waits at the venue and is none of the book's."""

    id: str
    account: str
    symbol: str | None
    broker_order_id: str
    client_order_id: str | None
    #: This desk sent it once and has forgotten it.
    ours: bool
    side: Literal["BUY", "SELL"]
    type: str
    quantity: Dec
    filled_quantity: Dec
    price: Dec | None
    state: str
    first_seen: datetime
    last_seen: datetime
    status: Literal["OPEN", "ASSIGNED", "IGNORED"]


class ExternalOrders(_Out):
    items: list[ExternalOrderRow]


class SettleExternal(_In):
    """Say what an order at the venue is: somebody's here, or nobody's of this desk."""

    status: Literal["ASSIGNED", "IGNORED"]


class AttemptRow(_Out):
    """An attempt to hear from a venue; kept thirty days."""

    account: str
    at: datetime
    cause: Literal["SCHEDULED", "MANUAL", "PRE_TRADE", "START"]
    duration_ms: int
    outcome: Literal["OK", "FAILED"]
    error: str | None


class AttemptsPage(Page):
    items: list[AttemptRow]


# -------------------------------------------------------------------------------------------------------- brokers


class CredentialFieldRow(_Out):
    """Something that a broker asks for."""

    name: str
    label: str
    kind: Literal["text", "number", "password", "multiline"]
    required: bool
    #: Encrypted at rest, and never shown again.
    secret: bool
    #: What the whole of it must match.
    regex: str
    help: str


class RateLimitRow(_Out):
    """So many requests within so many seconds."""

    what: str
    count: int
    seconds: int


class BrokerRow(_Out):
    """What can be connected."""

    slug: str
    name: str
    kind: Literal["paper", "crypto", "broker", "mt5"]
    markets: list[AssetType]
    order_types: list[OrderType]
    spot: bool
    margin: bool
    futures: bool
    leverage_min: Dec
    leverage_max: Dec
    #: Null where it is no ratio of the value, or none that holds for everybody.
    maker_fee_ratio: Dec | None
    taker_fee_ratio: Dec | None
    rate_limits: list[RateLimitRow]
    credential_fields: list[CredentialFieldRow]
    #: Counts changes by admins; 0 is as the release brought it.
    version: int


class Brokers(_Out):
    items: list[BrokerRow]


class NewCredentialField(_In):
    name: str = Field(pattern="^[a-z][a-z0-9_]{0,39}$")
    label: Words = Field(min_length=1, max_length=60)
    kind: Literal["text", "number", "password", "multiline"] = "text"
    required: StrictBool = True
    secret: StrictBool = False
    regex: str = Field(default=".{1,500}", max_length=300)
    help: Words = Field(default="", max_length=300)


class NewRateLimit(_In):
    what: Words = Field(min_length=1, max_length=60)
    count: int = Field(ge=1, le=10_000_000)
    seconds: int = Field(ge=1, le=86_400)


class BrokerDefinition(_In):
    """All that a definition says, but its slug."""

    name: Words = Field(min_length=1, max_length=60)
    kind: Literal["paper", "crypto", "broker", "mt5"]
    markets: list[AssetType] = Field(max_length=20)
    order_types: list[OrderType] = Field(max_length=20)
    spot: StrictBool
    margin: StrictBool
    futures: StrictBool
    leverage_min: DecIn = Decimal(1)
    leverage_max: DecIn
    maker_fee_ratio: DecIn | None = None
    taker_fee_ratio: DecIn | None = None
    rate_limits: list[NewRateLimit] = Field(default=[], max_length=20)
    credential_fields: list[NewCredentialField] = Field(default=[], max_length=20)


class NewBroker(BrokerDefinition):
    slug: str = Field(pattern="^[a-z0-9-]{1,60}$")


# ----------------------------------------------------------------------------------------------------------- bots


class NewBot(_In):
    name: Words = Field(min_length=1, max_length=60)
    strategy: str = Field(max_length=60)
    symbol: str = Field(max_length=64)
    params: dict[Annotated[str, Field(max_length=60)], Annotated[str, Field(max_length=200)]] = Field(
        default={}, max_length=50
    )
    portfolio: Named | None = None


class EvaluationResult(_Out):
    """What a decision came to."""

    temperature: Literal["HOT", "WARM", "COOL", "FROZEN"] | None
    trade_executed: bool
    #: Id of the order that the gate approved; null where nothing was ordered.
    trade_id: str | None


class BotRow(_Out):
    id: str
    name: str
    strategy: str
    product_id: str
    portfolio: str
    params: dict[str, str]
    status: Literal["RUNNING", "STOPPED", "ERROR"]
    #: Why it is in ERROR.
    detail: str
    temperature: Literal["HOT", "WARM", "COOL", "FROZEN"] | None
    combined_score: str | None
    recommended_action: Literal["BUY", "SELL", "HOLD"] | None
    last_evaluation: datetime | None
    ready_to_trade: bool
    blocking_reason: str
    position_quantity: Dec
    #: What it came to on the last bar that it took in: at its close, or asked since.
    result: EvaluationResult


class BotSignal(_Out):
    bot_id: str
    product_id: str
    temperature: Literal["HOT", "WARM", "COOL", "FROZEN"] | None
    combined_score: str | None
    recommended_action: Literal["BUY", "SELL", "HOLD"] | None
    last_evaluation: datetime | None
    ready_to_trade: bool
    blocking_reason: str


class Bots(_Out):
    """The caller's bots."""

    items: list[BotRow]


class BotSignals(_Out):
    """What the caller's bots make of the market now; looking never trades."""

    items: list[BotSignal]


class Evaluate(_In):
    """Have a bot decide now; `forced` skips its confirmation, nothing else."""

    forced: StrictBool = False


class Evaluation(_Out):
    """What a bot decided just now."""

    bot_id: str
    result: EvaluationResult


class StrategyRow(_Out):
    """A strategy that a bot can run, with its parameters and what they are where nothing is said."""

    name: str
    params: dict[str, str]


class Strategies(_Out):
    """Every strategy that can be chosen."""

    items: list[StrategyRow]


# --------------------------------------------------------------------------------------------------------- stream


class EventFrame(_Out):
    """Something that happened. A client whose last number is not `previous` has missed something and asks again."""

    type: Literal["event"] = "event"
    #: Counts up over the whole desk; a subscriber sees those of his own accounts, so numbers have gaps.
    number: int
    #: The number of the event before this one *for this subscriber*; 0 before the first.
    previous: int
    kind: str
    account: str | None
    at: datetime
    details: dict[str, str]


class QuotesFrame(_Out):
    """The newest quotes; older ones that nobody had time to send are left out."""

    type: Literal["quotes"] = "quotes"
    at: datetime
    items: list[QuoteRow]


class PulseFrame(_Out):
    """How the caller's accounts stand, once a second; not numbered, the newest counts."""

    type: Literal["pulse"] = "pulse"
    at: datetime
    accounts: list["AccountPulse"]


class AccountPulse(_Out):
    account: str
    equity: Dec | None
    drawdown: Dec | None
    load: Load
    state: TradingState
    prices: PriceSource
    guard: GuardRow
    reconciled: bool


class HelloFrame(_Out):
    """The first frame: where the stream stands. `number` is the last event of this subscriber so far."""

    type: Literal["hello"] = "hello"
    number: int
    heartbeat_seconds: float


class SnapshotFrame(_Out):
    """The number asked for is older than what is kept: read everything again, then follow from `number`."""

    type: Literal["snapshot_required"] = "snapshot_required"
    number: int


class HeartbeatFrame(_Out):
    type: Literal["heartbeat"] = "heartbeat"
    at: datetime


Frame = Annotated[
    EventFrame | QuotesFrame | PulseFrame | HelloFrame | SnapshotFrame | HeartbeatFrame, Field(discriminator="type")
]
