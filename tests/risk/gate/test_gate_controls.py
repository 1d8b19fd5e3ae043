"""Every control by hand: what it lets pass, what it refuses, and what it says when it cannot tell."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from plimsoll.model.account import Mode, TradingState
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId, UserId
from plimsoll.model.order import OrderType, Side, TimeInForce
from plimsoll.model.quote import Fact, SourceFacts
from plimsoll.risk.gate.verdict import Outcome
from plimsoll.risk.limits import HARD_MAX_LEVERAGE
from plimsoll.risk.valuation import Bound
from tests.builders.gate import (
    BARS,
    FOREX,
    INVERSE,
    LIVE,
    NOON,
    PAPER,
    PERPETUAL,
    PORTFOLIO,
    QUOTE,
    SHARE,
    SPOT,
    TICKS,
    USER,
    VENUE,
    D,
    ask,
    intent,
    limits_of,
    snapshot,
)

NAN, INFINITE = Decimal("NaN"), Decimal("Infinity")
SECOND = timedelta(seconds=1)
PASSES, WARNS, NOT_APPLICABLE, UNKNOWN = "passes", "warns", "not applicable", "cannot_evaluate"


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Case(NamedTuple):
    """A control, an answer, and what is unusual about the order and the account."""

    number: int
    answer: str
    order: Mapping[str, Any] = NOTHING
    facts: Mapping[str, Any] = NOTHING
    profile: str = "standard"


def limit(price: str, **said: Any) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "price": D(price), **said}


def stop(price: str, **said: Any) -> dict[str, Any]:
    return {"type": OrderType.STOP, "stop_price": D(price), **said}


def stop_limit(trigger: str, price: str, **said: Any) -> dict[str, Any]:
    return {"type": OrderType.STOP_LIMIT, "stop_price": D(trigger), "price": D(price), **said}


def quoted(**changed: Any) -> dict[str, Any]:
    return {"quote": replace(QUOTE, **changed)}


def perp(**facts: Any) -> dict[str, Any]:
    return {"instrument": PERPETUAL, **facts}


def listed(**rules: Any) -> dict[str, Any]:
    return {"instrument": replace(SPOT, **rules)}


SELL: dict[str, Any] = {"side": Side.SELL}
CLOSE: dict[str, Any] = {"side": Side.SELL, "reduce_only": True}
NO_SPREAD = SourceFacts("live", frozenset({Fact.PRICE}))
WIDE = quoted(bid=D(9_900), ask=D(10_001))
NO_FLAG = {"venue": replace(VENUE, reduce_only=False)}
HEDGES = {"venue": replace(VENUE, reduce_only=False, hedging=True)}
MARKETABLE = {"venue": replace(VENUE, marketable_limit=True)}

TABLE = [
    # --- 1 trading state
    Case(1, PASSES),
    Case(1, "not_active", facts={"state": TradingState.REDUCE_ONLY, "state_source": "guard:drawdown"}),
    Case(1, "not_active", facts={"state": TradingState.CANCEL_ONLY}),
    Case(1, "not_active", facts={"state": TradingState.HALTED}, profile="cautious"),
    # --- 2 trusted book
    Case(2, PASSES),
    Case(2, "not_reconciled", facts={"reconciled": False}),
    Case(2, "order_outcome_unknown", facts={"unknown_orders": 1}),
    Case(2, "order_outcome_unknown", facts={"unknown_orders": -1}),
    # --- 5 identity
    Case(5, PASSES),
    Case(5, PASSES, facts={"user": replace(USER, role="admin")}),
    Case(5, UNKNOWN, facts={"user": None}),
    Case(5, UNKNOWN, facts={"account": None}),
    Case(5, UNKNOWN, facts={"portfolio": None}),
    Case(5, "user_may_not_trade", facts={"user": replace(USER, active=False)}),
    Case(5, "user_may_not_trade", facts={"user": replace(USER, approved=False)}),
    Case(5, "user_may_not_trade", facts={"user": replace(USER, role="viewer")}),
    Case(5, "user_may_not_trade", facts={"user": replace(USER, role="")}),
    Case(5, "not_yours", {"user_id": UserId(2)}),
    Case(5, "not_yours", {"account_id": AccountId(2)}),
    Case(5, "not_yours", {"portfolio_id": PortfolioId(2)}),
    Case(5, "not_yours", facts={"user": replace(USER, id=UserId(2))}),
    Case(5, "not_yours", facts={"account": replace(PAPER, user_id=UserId(2))}),
    Case(5, "not_yours", facts={"portfolio": replace(PORTFOLIO, user_id=UserId(2))}),
    Case(5, "not_yours", facts={"portfolio": replace(PORTFOLIO, account_id=AccountId(2))}),
    Case(5, "wrong_venue", facts={"venue": replace(VENUE, name="binance")}),
    # --- 8 intent key
    Case(8, PASSES),
    Case(8, "key_reused", facts={"key_reused": True}),
    # --- 9 sanity
    Case(9, PASSES),
    Case(9, PASSES, limit("10000", post_only=True)),
    Case(9, PASSES, {"quote_value": D(100)}),
    Case(9, "illegal_quantity", {"quantity": NAN}),
    Case(9, "illegal_quantity", {"quantity": INFINITE}),
    Case(9, "illegal_quantity", {"quantity": D("1E+20")}),
    Case(9, "illegal_quantity", {"quantity": D("1E-19")}),
    Case(9, "illegal_quote_value", {"quote_value": NAN}),
    Case(9, "illegal_quote_value", {"quote_value": D("1E+70")}),
    Case(9, "illegal_price", {"type": OrderType.LIMIT, "price": D("-Infinity")}),
    Case(9, "illegal_stop_price", {"type": OrderType.STOP, "stop_price": NAN}),
    Case(9, "quantity_not_positive", {"quantity": D(0)}),
    Case(9, "quantity_not_positive", {"quantity": D(-1)}),
    Case(9, "quote_value_not_positive", {"quote_value": D(-1)}),
    Case(9, "price_not_positive", limit("0")),
    Case(9, "stop_price_not_positive", stop("-5")),
    Case(9, "order_type_unsupported", {"type": OrderType.TRAILING}),
    Case(9, "time_in_force_unsupported", {"time_in_force": TimeInForce.DAY}),
    Case(9, "post_only_contradicts", {"post_only": True}),
    Case(9, "post_only_contradicts", limit("10000", post_only=True, time_in_force=TimeInForce.FOK)),
    # a close that waits needs a flag that its venue keeps
    Case(9, PASSES, limit("10000", **CLOSE), perp()),
    Case(9, PASSES, CLOSE, perp(**NO_FLAG)),
    Case(9, PASSES, {**SELL, "closes_leg": True}, perp(**NO_FLAG)),
    Case(9, PASSES, limit("10000", **CLOSE), NO_FLAG),
    Case(9, PASSES, limit("10000", **CLOSE), {"instrument": None, **NO_FLAG}),
    Case(9, PASSES, limit("10000", **SELL), perp(**NO_FLAG)),
    Case(9, "close_waits_unguarded", limit("10000", **CLOSE), perp(**NO_FLAG)),
    Case(9, "close_waits_unguarded", stop("9900", **CLOSE), perp(**NO_FLAG)),
    Case(9, "close_waits_unguarded", limit("10000", **SELL, closes_leg=True), perp()),
    Case(9, PASSES, stop("9900", **CLOSE), perp(**HEDGES)),
    Case(9, "close_waits_unguarded", stop("9900", **SELL, closes_leg=True), perp(**HEDGES)),
    # --- 10 steps and minimums
    Case(10, PASSES),
    Case(10, PASSES, {"quote_value": D(10)}),
    Case(10, PASSES, {"quote_value": D("9.99")}, {"instrument": SPOT, "cash_rate": D("1.01")}),
    Case(10, PASSES, {"quote_value": D(50)}, {"instrument": INVERSE, "cash_rate": D(10_000)}),
    Case(10, "not_whole_lots", {"quantity": D("0.000015")}),
    Case(10, "not_whole_lots", {"quantity": D(0)}),
    Case(10, "not_whole_lots", {"quantity": D(-1)}),
    Case(10, "not_whole_lots", {"quote_value": D("0.05")}),
    Case(10, "not_whole_ticks", limit("10000.005")),
    Case(10, "not_whole_ticks", stop("10100.005")),
    Case(10, "not_whole_ticks", {"type": OrderType.LIMIT, "price": NAN}),
    Case(10, "below_min_quantity", {"quantity": D("0.00005")}),
    Case(10, "below_min_notional", {"quantity": D("0.0005")}, listed(min_notional=D(6))),
    Case(10, "below_min_value", {"quantity": D("0.0009")}),
    Case(10, "below_min_value", {"quote_value": D("9.99")}),
    Case(10, UNKNOWN, facts={"instrument": None}),
    Case(10, UNKNOWN, {"quantity": NAN}),
    Case(10, UNKNOWN, facts={"quote": None}),
    Case(10, UNKNOWN, {"quote_value": D(100)}, {"quote": None}),
    Case(10, UNKNOWN, facts={"cash_rate": None}),
    Case(10, UNKNOWN, facts={"cash_rate": NAN}),
    Case(10, UNKNOWN, facts={"cash_rate": D(0)}),
    Case(10, UNKNOWN, facts={"cash_rate": D(-1)}),
    # of a close only the lot is asked
    Case(10, PASSES, {**CLOSE, "quantity": D("0.00001")}, {"cash_rate": None}),
    Case(10, PASSES, limit("10000.005", **CLOSE)),
    Case(10, "not_whole_lots", {**CLOSE, "quantity": D("0.000015")}),
    Case(10, UNKNOWN, {**CLOSE, "quote_value": D(100)}, {"quote": None}),
    # --- 11 instrument
    Case(11, PASSES),
    Case(11, PASSES, facts={"session_open": None}),
    Case(11, UNKNOWN, facts={"instrument": None}),
    Case(11, UNKNOWN, {"instrument_id": InstrumentId(2)}),
    Case(11, "not_tradable", facts=listed(tradable=False)),
    Case(11, UNKNOWN, facts={"metadata_age": None}),
    Case(11, UNKNOWN, facts={"metadata_age": -SECOND}),
    Case(11, PASSES, facts={"metadata_age": timedelta(hours=1)}),
    Case(11, "metadata_stale", facts={"metadata_age": timedelta(hours=1) + SECOND}),
    Case(11, PASSES, facts={"instrument": SHARE, "metadata_age": timedelta(hours=24)}),
    Case(11, "metadata_stale", facts={"instrument": SHARE, "metadata_age": timedelta(hours=24) + SECOND}),
    Case(11, "market_closed", facts={"instrument": SHARE, "session_open": False}),
    Case(11, UNKNOWN, facts={"instrument": SHARE, "session_open": None}),
    Case(11, NOT_APPLICABLE, facts={"instrument": SHARE, "source": BARS, "session_open": None}),
    Case(11, UNKNOWN, facts={"instrument": SHARE, "source": BARS, "session_open": None}, profile="cautious"),
    # --- 13 stop side
    Case(13, PASSES),
    Case(13, PASSES, stop("10001.01")),
    Case(13, PASSES, stop("9998.99", **SELL)),
    Case(13, PASSES, stop_limit("10100", "10110")),
    Case(13, "stop_on_wrong_side", stop("10001")),
    Case(13, "stop_on_wrong_side", stop("9999", **SELL)),
    Case(13, "stop_on_wrong_side", stop_limit("9900", "10110")),
    Case(13, UNKNOWN, stop("10100"), {"quote": None}),
    Case(13, UNKNOWN, {"type": OrderType.STOP, "stop_price": NAN}),
    # --- 15 price age
    Case(15, PASSES, facts=quoted(at=NOON - 5 * SECOND)),
    Case(15, "price_stale", facts=quoted(at=NOON - 5 * SECOND - timedelta(microseconds=1))),
    Case(15, PASSES, facts={"instrument": SHARE, **quoted(at=NOON - 15 * SECOND)}),
    Case(15, "price_stale", facts={"instrument": SHARE, **quoted(at=NOON - 16 * SECOND)}),
    Case(15, PASSES, facts={"source": BARS, **quoted(at=NOON - 90 * SECOND)}),
    Case(15, "price_stale", facts={"source": BARS, **quoted(at=NOON - 91 * SECOND)}),
    Case(15, PASSES, facts={"source": replace(BARS, interval=SECOND), **quoted(at=NOON - 5 * SECOND)}),
    Case(15, PASSES, facts=quoted(at=NOON + SECOND)),
    Case(15, "price_from_the_future", facts=quoted(at=NOON + 2 * SECOND)),
    Case(15, "price_of_another_source", facts={"source": replace(TICKS, name="synthetic")}),
    Case(15, UNKNOWN, facts={"quote": None}),
    Case(15, UNKNOWN, facts=quoted(instrument_id=InstrumentId(2))),
    Case(15, UNKNOWN, facts={"instrument": None}),
    Case(15, UNKNOWN, facts={"account": None}),
    # --- 16 price collar
    Case(16, PASSES),
    Case(16, PASSES, limit("10300")),
    Case(16, PASSES, limit("9700", **SELL)),
    Case(16, "price_outside_collar", limit("10300.01")),
    Case(16, "price_outside_collar", limit("9699.99")),
    Case(16, "price_outside_collar", stop("10300.01")),
    Case(16, "price_outside_collar", stop_limit("10100", "10300.01")),
    Case(16, PASSES, limit("10500"), {"instrument": SHARE}),
    Case(16, "price_outside_collar", limit("10500.01"), {"instrument": SHARE}),
    Case(16, PASSES, limit("10200"), {"instrument": FOREX}),
    Case(16, "price_outside_collar", limit("10200.01"), {"instrument": FOREX}),
    Case(16, PASSES, limit("10300"), {"source": NO_SPREAD}),
    Case(16, PASSES, limit("9500"), {"source": NO_SPREAD, **quoted(last=D(9_300))}),
    Case(16, UNKNOWN, facts={"quote": None}),
    Case(16, UNKNOWN, limit("10000"), {"quote": None}),
    Case(16, UNKNOWN, facts={"instrument": None}),
    Case(16, UNKNOWN, limit("10000"), {"source": NO_SPREAD, **quoted(last=INFINITE)}),
    Case(16, UNKNOWN, limit("10000"), quoted(ask=INFINITE)),
    Case(16, UNKNOWN, {"type": OrderType.LIMIT, "price": NAN}),
    Case(16, UNKNOWN, {"type": OrderType.STOP_LIMIT, "price": D(10_000), "stop_price": NAN}),
    # --- 18 market order
    Case(18, PASSES),
    Case(18, PASSES, limit("10000"), WIDE),
    Case(18, PASSES, facts={**WIDE, **MARKETABLE}),
    Case(18, PASSES, facts=quoted(bid=D(10_000), ask=D(10_050))),
    Case(18, "spread_too_wide", facts=quoted(bid=D(10_000), ask=D("10050.01"))),
    Case(18, "spread_too_wide", facts=quoted(bid=D(10_000), ask=D("10050.01")), profile="cautious"),
    Case(18, NOT_APPLICABLE, facts={"source": BARS}),
    Case(18, UNKNOWN, facts={"source": BARS}, profile="cautious"),
    Case(18, UNKNOWN, facts={"source": BARS, "account": replace(LIVE, mode=Mode.TESTNET)}),
    Case(18, UNKNOWN, facts={"source": BARS, "account": None}),
    Case(18, UNKNOWN, facts={"quote": None}),
    Case(18, UNKNOWN, facts=quoted(ask=INFINITE)),
    # --- 22 max order notional: cautious min(5 % of 10,000, 750), standard 400 %
    Case(22, PASSES, limit("10000", quantity=D("0.05")), profile="cautious"),
    Case(22, "order_too_large", limit("10000", quantity=D("0.05001")), profile="cautious"),
    Case(22, PASSES, limit("10000", quantity=D("0.075")), {"equity": D(90_000)}, profile="cautious"),
    Case(22, "order_too_large", limit("10000", quantity=D("0.07501")), {"equity": D(90_000)}, profile="cautious"),
    Case(22, PASSES, limit("10000", quantity=D(4))),
    Case(22, "order_too_large", limit("10000", quantity=D("4.00001"))),
    Case(22, "order_too_large", {"quote_value": D("40000.01")}),
    Case(22, "order_too_large", facts={"equity": D(-1)}),
    Case(22, UNKNOWN, facts={"equity": None}),
    Case(22, UNKNOWN, facts={"equity": NAN}),
    Case(22, UNKNOWN, facts={"equity": INFINITE}),
    Case(22, UNKNOWN, facts={"quote": None}),
    Case(22, UNKNOWN, {"quantity": NAN}),
    # --- 27 position per instrument: cautious 20 %, standard 400 %; the order's own side counts
    Case(27, PASSES, limit("10000", quantity=D("0.2")), profile="cautious"),
    Case(27, "position_too_large", limit("10000", quantity=D("0.20001")), profile="cautious"),
    Case(27, PASSES, limit("10000", quantity=D("0.05")), {"position_value": D(1_500)}, profile="cautious"),
    Case(27, "position_too_large", limit("10000", quantity=D("0.05001")), {"position_value": D(1_500)}, "cautious"),
    Case(27, "position_too_large", limit("10000", quantity=D("0.05001")), {"pending_value": D(1_500)}, "cautious"),
    Case(27, PASSES, limit("10000", **SELL), perp(position_value=D(50_000))),
    Case(27, PASSES, limit("10000", quantity=D(1)), perp(position_value=D(-50_000))),
    Case(27, "position_too_large", limit("10000", quantity=D(1), **SELL), perp(position_value=D(-39_000))),
    Case(27, PASSES, limit("10000", quantity=D(4))),
    Case(27, "position_too_large", limit("10000", quantity=D("4.00001"))),
    Case(27, UNKNOWN, facts={"equity": None}),
    Case(27, UNKNOWN, facts={"position_value": None}),
    Case(27, UNKNOWN, facts={"pending_value": NAN}),
    Case(27, UNKNOWN, facts={"quote": None}),
    # --- 28 exposure: cautious 200 / 100 %, standard 500 / 500 %
    Case(28, PASSES, limit("10000", quantity=D("0.5")), {"gross_value": D(15_000)}, profile="cautious"),
    Case(28, "gross_exposure_too_large", limit("10000"), {"gross_value": D(19_501)}, profile="cautious"),
    Case(28, "net_exposure_too_large", limit("10000"), {"net_value": D(9_501)}, profile="cautious"),
    Case(28, PASSES, limit("10000", **SELL), {"net_value": D(9_501)}, profile="cautious"),
    Case(28, "net_exposure_too_large", limit("10000", **SELL), {"net_value": D(-9_501)}, profile="cautious"),
    Case(28, PASSES, limit("10000"), {"gross_value": D(49_500), "net_value": D(49_500)}),
    Case(28, "gross_exposure_too_large", limit("10000"), {"gross_value": D(49_501)}),
    Case(28, "net_exposure_too_large", limit("10000"), {"net_value": D(49_501)}),
    Case(28, UNKNOWN, facts={"equity": None}),
    Case(28, UNKNOWN, facts={"gross_value": None}),
    Case(28, UNKNOWN, facts={"gross_value": D(-1)}),
    Case(28, UNKNOWN, facts={"net_value": INFINITE}),
    Case(28, UNKNOWN, facts={"quote": None}),
    # --- 31 leverage cap: cautious 2, standard 5
    Case(31, NOT_APPLICABLE),
    Case(31, PASSES, facts=perp()),
    Case(31, PASSES, facts=perp(leverage=D(2)), profile="cautious"),
    Case(31, "leverage_too_high", facts=perp(leverage=D("2.1")), profile="cautious"),
    Case(31, PASSES, facts=perp(leverage=HARD_MAX_LEVERAGE)),
    Case(31, "leverage_too_high", facts=perp(leverage=HARD_MAX_LEVERAGE + 1)),
    Case(31, "leverage_too_high", facts={"instrument": replace(PERPETUAL, max_leverage=D(3)), "leverage": D(4)}),
    Case(31, PASSES, facts={"instrument": replace(PERPETUAL, max_leverage=D(1))}),
    Case(31, UNKNOWN, facts=perp(leverage=NAN)),
    Case(31, UNKNOWN, facts=perp(leverage=D(0))),
    Case(31, UNKNOWN, facts={"instrument": None}),
    # --- 32 load: 70 % warns, 75 % refuses; buying power is equity × cap (cautious 2, standard 5)
    Case(32, NOT_APPLICABLE),
    Case(32, PASSES, limit("10000", quantity=D("0.1")), perp(gross_value=D(33_990))),
    Case(32, WARNS, limit("10000", quantity=D("0.1")), perp(gross_value=D(34_000))),
    Case(32, WARNS, limit("10000", quantity=D("0.1")), perp(gross_value=D(36_500))),
    Case(32, "load_too_high", limit("10000", quantity=D("0.1")), perp(gross_value=D(36_501))),
    Case(32, WARNS, limit("10000", quantity=D("0.1")), perp(gross_value=D(14_000)), profile="cautious"),
    Case(32, "load_too_high", limit("10000", quantity=D("0.1")), perp(gross_value=D(14_001)), profile="cautious"),
    Case(32, "load_too_high", facts=perp(equity=D(0))),
    Case(32, "load_too_high", facts=perp(equity=D(-5))),
    Case(32, UNKNOWN, facts=perp(equity=None)),
    Case(32, UNKNOWN, facts=perp(equity=NAN)),
    Case(32, UNKNOWN, facts=perp(gross_value=None)),
    Case(32, UNKNOWN, facts=perp(gross_value=D(-1))),
    Case(32, UNKNOWN, facts=perp(quote=None)),
    # --- 34 free cash or margin. Spot: 0.1 × 10,000 × 1.01 × 1.001 = 1,011.01, and 100 of buffer
    Case(34, PASSES, limit("10000", quantity=D("0.1")), {"cash": D("1111.01")}),
    Case(34, "not_enough_free", limit("10000", quantity=D("0.1")), {"cash": D("1111.00")}),
    Case(34, "not_enough_free", limit("10000", quantity=D("0.1")), {"cash": D(2_000), "reserved_cash": D(889)}),
    Case(34, PASSES, limit("10000", quantity=D("0.1")), {"cash": D("1061.01"), "cash_rate": D(2)}),
    Case(34, "not_enough_free", limit("10000", quantity=D("0.1")), {"cash": D("1061.00"), "cash_rate": D(2)}),
    Case(34, "not_enough_free", limit("10000", quantity=D("0.1")), {"cash": D("1109.00"), "fee_ratio": D(-1)}),
    Case(34, "not_enough_free", facts={"cash": D(-1)}),
    # a spot sale beyond the position is paid from coins that nothing else waits for
    Case(34, PASSES, SELL, {"coins": D("0.05")}),
    Case(34, "not_enough_free", SELL, {"coins": D("0.04999")}),
    Case(34, "not_enough_free", SELL, {"coins": D(1), "reserved_coins": D("0.96")}),
    Case(34, UNKNOWN, SELL, {"coins": NAN}),
    Case(34, UNKNOWN, SELL, {"reserved_coins": NAN}),
    Case(34, UNKNOWN, {**SELL, "quantity": NAN}),
    # One wallet: what derivatives bind or have lost of an asset buys and sells nothing; their profit is no money yet
    Case(34, PASSES, limit("10000", quantity=D("0.1")), {"cash_bound": Bound(D(8_000), D(0), D("888.99"))}),
    Case(34, "not_enough_free", limit("10000", quantity=D("0.1")), {"cash_bound": Bound(D(8_000), D(500), D(889))}),
    Case(34, PASSES, SELL, {"coins": D(1), "coins_bound": Bound(D("0.9"), D(0), D("0.05"))}),
    Case(34, "not_enough_free", SELL, {"coins": D(1), "coins_bound": Bound(D("0.9"), D(9), D("0.06"))}),
    Case(34, UNKNOWN, limit("10000", quantity=D("0.1")), {"cash_bound": None}),
    Case(34, UNKNOWN, SELL, {"coins_bound": None}),
    # a derivative: 1,010 / 2 + 1.01 = 506.01 of margin, and 100 of buffer
    Case(34, PASSES, limit("10000", quantity=D("0.1")), perp(margin_used=D("9393.99"))),
    Case(34, "not_enough_free", limit("10000", quantity=D("0.1")), perp(margin_used=D(9_394))),
    Case(34, "not_enough_free", limit("10000", quantity=D("0.1")), perp(reserved_cash=D(9_394))),
    Case(34, PASSES, limit("10000", quantity=D("0.1")), perp(margin_used=D(9_394), leverage=D(3))),
    Case(34, "not_enough_free", facts=perp(equity=D(-5))),
    # Coins bought on spot are equity and no margin: 505 and 1.01 of fee, 100 of buffer, and what there is of cash
    Case(34, PASSES, limit("10000", quantity=D("0.1")), perp(cash=D("606.01"))),
    Case(34, "not_enough_free", limit("10000", quantity=D("0.1")), perp(cash=D("606.00"))),
    Case(34, PASSES, limit("10000", quantity=D("0.1")), perp(cash=D(700), cash_bound=Bound(D(90), D(7), D("10.99")))),
    Case(
        34,
        "not_enough_free",
        limit("10000", quantity=D("0.1")),
        perp(cash=D(700), cash_bound=Bound(D(90), D(7), D(11))),
    ),
    Case(34, UNKNOWN, facts=perp(cash=NAN)),
    Case(34, UNKNOWN, facts=perp(cash_bound=None)),
    Case(34, UNKNOWN, facts=perp(margin_used=None)),
    Case(34, UNKNOWN, facts=perp(leverage=D(0))),
    Case(34, UNKNOWN, facts={"equity": None}),
    Case(34, UNKNOWN, facts={"cash": NAN}),
    Case(34, UNKNOWN, facts={"reserved_cash": NAN}),
    Case(34, UNKNOWN, facts={"fee_ratio": NAN}),
    Case(34, UNKNOWN, facts={"cash_rate": None}),
    Case(34, UNKNOWN, facts={"quote": None}),
    Case(34, UNKNOWN, facts={"instrument": None}),
    # a close is asked nothing, and remarked on only where it opens at the venue
    Case(34, PASSES, CLOSE, {"cash": NAN, "coins": D(0)}),
    Case(34, PASSES, CLOSE, perp(equity=D(-5))),
    Case(34, PASSES, CLOSE, {"instrument": None}),
    Case(34, PASSES, {**SELL, "closes_leg": True}, {"coins": D(0)}),
    Case(34, WARNS, {**SELL, "closes_leg": True}, perp()),
    Case(34, WARNS, {**SELL, "closes_leg": True}, perp(equity=D(-5))),
    Case(34, WARNS, {**SELL, "closes_leg": True}, perp(margin_used=None)),
    # --- 36 reduce-only
    Case(36, PASSES),
    Case(36, PASSES, CLOSE, perp(position_quantity=D("0.05"))),
    Case(36, PASSES, {"reduce_only": True}, perp(position_quantity=D("-0.05"))),
    Case(36, PASSES, SELL, {"position_quantity": D("0.05"), "coins": D("0.05")}),
    Case(36, PASSES, {**SELL, "closes_leg": True}, perp(position_quantity=D("0.05"))),
    Case(36, "close_larger_than_position", {**SELL, "closes_leg": True}, perp(position_quantity=D("0.049"))),
    Case(36, "close_larger_than_position", limit("10000", **CLOSE), {"position_quantity": D(1), "coins": D("0.04")}),
    Case(36, UNKNOWN, limit("10000", **CLOSE), {"position_quantity": D(1), "coins": NAN}),
    Case(36, "nothing_to_close", CLOSE, perp()),
    Case(36, "close_on_wrong_side", CLOSE, perp(position_quantity=D("-0.05"))),
    Case(36, "close_on_wrong_side", {"reduce_only": True}, perp(position_quantity=D("0.05"))),
    Case(36, "close_larger_than_position", CLOSE, perp(position_quantity=D("0.049"))),
    Case(36, "close_larger_than_position", CLOSE, perp(position_quantity=D("0.06"), closing_quantity=D("0.02"))),
    Case(36, "close_larger_than_position", CLOSE, perp(position_quantity=D("0.06"), closing_quantity=D("0.07"))),
    Case(36, UNKNOWN, CLOSE, perp(position_quantity=NAN)),
    Case(36, UNKNOWN, CLOSE, perp(position_quantity=D(1), closing_quantity=NAN)),
    Case(36, UNKNOWN, CLOSE, perp(position_quantity=D(1), closing_quantity=D(-1))),
    Case(36, UNKNOWN, {**CLOSE, "quantity": NAN}, perp(position_quantity=D(1))),
    # --- 38 drawdown
    Case(38, PASSES, facts={"drawdown": D("0.1499")}),
    Case(38, PASSES, facts={"drawdown": D("-0.01")}),
    Case(38, "drawdown_warning", facts={"drawdown": D("0.15")}),
    Case(38, "drawdown_critical", facts={"drawdown": D("0.20")}),
    Case(38, PASSES, facts={"equity": D(100)}),
    Case(38, "equity_below_minimum", facts={"equity": D("99.99")}),
    Case(38, UNKNOWN, facts={"drawdown": None}),
    Case(38, UNKNOWN, facts={"drawdown": NAN}),
    Case(38, UNKNOWN, facts={"equity": None}),
    # --- 45 duplicate order
    Case(45, PASSES),
    Case(45, PASSES, facts={"last_same_at": NOON - 2 * SECOND - timedelta(microseconds=1)}),
    Case(45, "repeated_order", facts={"last_same_at": NOON - 2 * SECOND}),
    Case(45, "repeated_order", facts={"last_same_at": NOON + SECOND}),
    Case(45, PASSES, {"allow_repeat": True}, {"last_same_at": NOON}),
    # --- 50 router parity
    Case(50, PASSES),
    Case(50, "parity_broken", facts={"parity_difference": 1}),
    Case(50, "parity_broken", facts={"parity_difference": -1}),
    # --- 51 intent age
    Case(51, PASSES, {"made_at": NOON - 30 * SECOND}),
    Case(51, PASSES, {"made_at": NOON - 30 * SECOND, "triggered_by": "telegram"}),
    Case(51, "intent_too_old", {"made_at": NOON - 31 * SECOND}),
    Case(51, PASSES, {"made_at": NOON - 5 * SECOND, "triggered_by": "bot:7", "strategy_id": StrategyId(7)}),
    Case(51, "intent_too_old", {"made_at": NOON - 6 * SECOND, "triggered_by": "bot:7"}),
    Case(51, "intent_too_old", {"made_at": NOON - 6 * SECOND, "triggered_by": "api"}),
    Case(51, "intent_too_old", {"made_at": NOON - 6 * SECOND, "triggered_by": "guard:drawdown"}),
    Case(51, PASSES, {"made_at": NOON + SECOND}),
    Case(51, "intent_from_the_future", {"made_at": NOON + 2 * SECOND}),
]


@pytest.mark.parametrize("case", TABLE, ids=[f"{case.number}-{case.answer}-{i}" for i, case in enumerate(TABLE)])
def test_a_control_answers_as_the_rule_book_says(case: Case) -> None:
    """One line of the table: a control, an order, an account, and the answer."""
    finding = ask(case.number, intent(**case.order), snapshot(case.profile, **case.facts), limits_of(case.profile))
    said = {Outcome.PASS: PASSES, Outcome.WARN: WARNS, Outcome.NOT_APPLICABLE: NOT_APPLICABLE}.get(finding.outcome)
    assert (said or (finding.refusal and finding.refusal.code)) == case.answer


@pytest.mark.parametrize("case", [case for case in TABLE if case.answer not in (PASSES, NOT_APPLICABLE, WARNS)])
def test_every_refusal_can_be_read_at_three_in_the_morning(case: Case) -> None:
    """A refusal has a code, a sentence and a remedy; what was seen and allowed, unless nothing could be seen."""
    finding = ask(case.number, intent(**case.order), snapshot(case.profile, **case.facts), limits_of(case.profile))
    refusal = finding.refusal
    assert refusal is not None
    assert refusal.code.islower()
    assert refusal.code.replace("_", "").isalpha()
    assert len(refusal.sentence) > 15
    assert refusal.remedy
    if refusal.code != UNKNOWN:
        assert refusal.observed
    if refusal.code != UNKNOWN and not refusal.code.startswith("illegal_"):
        assert refusal.limit


def test_the_load_is_told_in_percent_and_never_reads_as_the_limit_it_broke() -> None:
    """Rounded up: one hundredth above the line reads 75.01 %."""
    facts = snapshot(instrument=PERPETUAL, gross_value=D("36500.01"))
    refusal = ask(32, intent(**limit("10000", quantity=D("0.1"))), facts).refusal
    assert refusal is not None
    assert (refusal.observed, refusal.limit) == ("75.01 %", "75 %")


def test_a_load_without_equity_has_no_number() -> None:
    """A ratio of nothing is not told as a number."""
    refusal = ask(32, intent(), snapshot(instrument=PERPETUAL, equity=D(0))).refusal
    assert refusal is not None
    assert refusal.observed == "no equity to carry it"
