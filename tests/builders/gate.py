"""A healthy account and a plain order, to be spoiled one fact at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from plimsoll.model.account import Account, Mode, Portfolio, TradingState, User
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId, IntentKey, PortfolioId, UserId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.quote import Fact, Quote, SourceFacts
from plimsoll.model.venue import DedupeScope, VenueFacts
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, propose
from plimsoll.risk.gate.verdict import Approved, Control, Finding, Refused, Verdict, judge
from plimsoll.risk.limits import CAUTIOUS, STANDARD, Limits

D = Decimal
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
CLIENT_ORDER_ID = ClientOrderId("DESKABCDEFGHIJKLMNOPQRSTUVWXYZ23")

SPOT = Instrument(
    InstrumentId(1), "BTC/USDT", "paper", AssetType.CRYPTO, "BTC", "USDT", "USDT", D("0.01"), D("0.00001"),
    min_quantity=D("0.0001"), min_notional=D(5),
)  # fmt: skip
PERPETUAL = Instrument(
    InstrumentId(1), "BTC/USDT:USDT", "paper", AssetType.PERPETUAL, "BTC", "USDT", "USDT", D("0.1"), D("0.001"),
    min_quantity=D("0.001"), min_notional=D(5), max_leverage=D(100),
)  # fmt: skip
INVERSE = Instrument(
    InstrumentId(1), "BTC/USD:BTC", "paper", AssetType.PERPETUAL, "BTC", "USD", "BTC", D("0.5"), D(1),
    min_quantity=D(1), min_notional=D(5), inverse=True, max_leverage=D(100),
)  # fmt: skip
SHARE = Instrument(
    InstrumentId(1), "ACME/USD", "paper", AssetType.EQUITY, "ACME", "USD", "USD", D("0.01"), D(1),
)  # fmt: skip
FOREX = Instrument(
    InstrumentId(1), "EUR/USD", "paper", AssetType.FOREX, "EUR", "USD", "USD", D("0.00001"), D(1),
)  # fmt: skip

USER = User(UserId(1), "u-1", "Ada", "trader", approved=True)
PAPER = Account(AccountId(1), "a-1", UserId(1), "practice", "paper", Mode.PAPER, "USDT", "live", "standard")
LIVE = replace(PAPER, mode=Mode.LIVE, name="savings", profile="cautious")
PORTFOLIO = Portfolio(PortfolioId(1), "p-1", AccountId(1), UserId(1), "main")
VENUE = VenueFacts(
    "paper", DedupeScope.FOREVER, timedelta(seconds=5), timedelta(seconds=1), reduce_only=True,
    order_types=frozenset(OrderType) - {OrderType.TRAILING}, times_in_force=frozenset(TimeInForce) - {TimeInForce.DAY},
)  # fmt: skip
#: Everything a source can know.
TICKS = SourceFacts("live", frozenset(Fact))
#: A recorded file of minutes: a price, and nothing else.
BARS = SourceFacts("live", frozenset({Fact.PRICE}), timedelta(minutes=1))
QUOTE = Quote(InstrumentId(1), NOON, bid=D(9_999), ask=D(10_001), last=D(10_000))

HEALTHY = Snapshot(
    now=NOON, user=USER, account=PAPER, portfolio=PORTFOLIO, instrument=SPOT, metadata_age=timedelta(minutes=5),
    venue=VENUE, source=TICKS, quote=QUOTE, state=TradingState.ACTIVE, state_source="", reconciled=True,
    unknown_orders=0, key_reused=False, equity=D(10_000), cash_rate=D(1), cash=D(10_000), coins=D(0),
    reserved_cash=D(0), reserved_coins=D(0), margin_used=D(0), position_quantity=D(0), closing_quantity=D(0),
    position_value=D(0), pending_value=D(0), gross_value=D(0), net_value=D(0), leverage=None, has_load=False,
    fee_ratio=D("0.001"), drawdown=D(0), session_open=True,
)  # fmt: skip


def account_of(profile: str) -> Account:
    return LIVE if profile == "cautious" else PAPER


def limits_of(profile: str) -> Limits:
    return CAUTIOUS if profile == "cautious" else STANDARD


def snapshot(profile: str = "standard", **spoiled: Any) -> Snapshot:
    """Give a healthy account with some facts spoiled; a derivative has a load."""
    facts: dict[str, Any] = {"account": account_of(profile), **spoiled}
    instrument = facts.get("instrument", SPOT)
    if instrument is not None and instrument.is_derivative:
        facts.setdefault("has_load", True)
    return replace(HEALTHY, **facts)


def intent(**said: Any) -> Intent:
    """Give a market buy of 0.05 by a person, just made; what is said replaces that."""
    terms: dict[str, Any] = {"instrument_id": InstrumentId(1), "side": Side.BUY, "type": OrderType.MARKET}
    about: dict[str, Any] = {"triggered_by": "manual", "made_at": NOON}
    for name, value in said.items():
        (terms if name in OrderTerms.__dataclass_fields__ else about)[name] = value
    if "quantity" not in terms and "quote_value" not in terms:
        terms["quantity"] = D("0.05")
    defaults: dict[str, Any] = {
        "key": IntentKey("k-1"), "account_id": AccountId(1), "portfolio_id": PortfolioId(1), "user_id": UserId(1),
    }  # fmt: skip
    return Intent(terms=OrderTerms(**terms), **{**defaults, **about})


def proposal(wish: Intent, facts: Snapshot, limits: Limits = STANDARD) -> Proposal:
    return propose(wish, CLIENT_ORDER_ID, facts, limits.market_slack_ratio)


def verdict(
    wish: Intent, facts: Snapshot, limits: Limits = STANDARD, controls: tuple[Control, ...] = CONTROLS
) -> Verdict:
    return judge(proposal(wish, facts, limits), facts, limits, controls)


def control(number: int) -> Control:
    return next(item for item in CONTROLS if item.number == number)


def ask(number: int, wish: Intent, facts: Snapshot, limits: Limits = STANDARD) -> Finding:
    """Ask one control directly."""
    return control(number).judge(proposal(wish, facts, limits), facts, limits)


def refusing(answer: Verdict) -> set[int]:
    """Give the numbers of the controls that refuse."""
    return {item.control.number for item in answer.reasons} if isinstance(answer, Refused) else set()


def approved(answer: Verdict) -> Approved:
    assert isinstance(answer, Approved), [f"{item.control.number} {item.finding.refusal}" for item in answer.reasons]
    return answer
