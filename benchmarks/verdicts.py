"""Verdicts alone: every control of the list on a resting perpetual order that passes them all."""

import time
from datetime import timedelta
from decimal import Decimal

from benchmarks.world import ACCOUNT, PERPETUAL, PORTFOLIO, START, USER
from plimsoll.model import ids
from plimsoll.model.account import Account, Mode, Portfolio, TradingState, User
from plimsoll.model.ids import IntentKey
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side
from plimsoll.model.quote import Fact, Quote, SourceFacts
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.snapshot import Snapshot, propose
from plimsoll.risk.gate.verdict import Approved, Verdict, judge
from plimsoll.risk.limits import STANDARD
from plimsoll.venues.paper.venue import FACTS


def measure(times: int) -> float:
    """Give verdicts a second, proposal included."""
    snapshot, intent = _snapshot(), _intent()
    client_order_id = ids.client_order_id("BNCH", ACCOUNT, USER, intent.key)
    slack = STANDARD.market_slack_ratio

    def once() -> Verdict:
        return judge(propose(intent, client_order_id, snapshot, slack), snapshot, STANDARD, CONTROLS)

    verdict = once()
    if not isinstance(verdict, Approved):
        raise TypeError(f"the benchmark's order was refused: {verdict}")
    begun = time.perf_counter()
    for _ in range(times):
        once()
    return times / (time.perf_counter() - begun)


def _intent() -> Intent:
    terms = OrderTerms(PERPETUAL.id, Side.BUY, OrderType.LIMIT, quantity=Decimal("0.01"), price=Decimal(49_900))
    return Intent(IntentKey("bench"), ACCOUNT, PORTFOLIO, USER, terms, "api", START)


def _snapshot() -> Snapshot:
    return Snapshot(
        now=START,
        user=User(USER, "u-1", "owner", "admin", approved=True),
        account=Account(ACCOUNT, "a-1", USER, "bench", "paper", Mode.PAPER, "USDT", "bench", "standard"),
        portfolio=Portfolio(PORTFOLIO, "p-1", ACCOUNT, USER, "main"),
        instrument=PERPETUAL,
        metadata_age=timedelta(minutes=5),
        venue=FACTS,
        source=SourceFacts("bench", frozenset({Fact.PRICE, Fact.SPREAD})),
        quote=Quote(PERPETUAL.id, START, Decimal(50_000), Decimal(50_001), Decimal(50_000)),
        state=TradingState.ACTIVE,
        state_source="",
        reconciled=True,
        unknown_orders=0,
        key_reused=False,
        equity=Decimal(100_000),
        cash_rate=Decimal(1),
        cash=Decimal(100_000),
        coins=Decimal(0),
        reserved_cash=Decimal(500),
        reserved_coins=Decimal(0),
        margin_used=Decimal(2_500),
        position_quantity=Decimal("0.1"),
        closing_quantity=Decimal(0),
        position_value=Decimal(5_000),
        pending_value=Decimal(1_000),
        gross_value=Decimal(6_000),
        net_value=Decimal(6_000),
        leverage=Decimal(2),
        has_load=True,
        fee_ratio=Decimal("0.001"),
        drawdown=Decimal("0.01"),
    )
