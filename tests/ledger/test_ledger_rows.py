"""Every noun through its row and back, and through a restart: nothing is lost, nothing made up."""

import json
import random
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.ledger import accounts, bots, cash, guarding, keys, orders, positions, schema, trades, verdicts
from plimsoll.ledger.books import LedgerBooks, write_meta
from plimsoll.ledger.bots import BotRecord
from plimsoll.ledger.keys import Nav
from plimsoll.ledger.log import Note, json_text, write_note
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.ids import BrokerOrderId, BrokerTradeId, PortfolioId, StrategyId
from plimsoll.model.order import LONG, Intent, Order, OrderState, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, TradeEffect
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.verdict import Finding, Judged, Outcome
from plimsoll.risk.guards.drawdown import Episode, GuardStatus, Suspicion
from plimsoll.risk.guards.reading import Reading
from plimsoll.risk.limits import PROFILES
from plimsoll.store.draft import Draft
from tests.builders.approved import approved
from tests.builders.ledger import (
    ACCOUNT,
    INSTRUMENTS,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    USER,
    Books,
    assert_hot_equals_database,
    books_at,
    books_in_memory,
    buy,
    client_order_id,
    market_intent,
    paying,
    placing,
    refusing,
)

D = Decimal


def full_order() -> Order:
    """Give an order with every field said."""
    terms = OrderTerms(
        SPOT.id,
        Side.SELL,
        OrderType.STOP_LIMIT,
        quote_value=D("250.5"),
        price=D("99.5"),
        stop_price=D("100.25"),
        time_in_force=TimeInForce.IOC,
        reduce_only=True,
        post_only=True,
    )
    intent = Intent(
        market_intent("k").key,
        ACCOUNT.id,
        MAIN.id,
        USER.id,
        terms,
        "bot:7",
        NOON,
        strategy_id=StrategyId(7),
        signal_context='{"score":"0.8"}',
        allow_smaller=True,
        allow_repeat=True,
    )
    return Order(
        id=3,
        uid="o-3",
        client_order_id=client_order_id("k"),
        intent=intent,
        terms=terms.sized(D("2.5")),
        state=OrderState.PARTIALLY_FILLED,
        placed_at=NOON,
        updated_at=NOON + timedelta(seconds=2),
        filled_quantity=D("0.000000000000000001"),
        broker_order_id=BrokerOrderId("b-3"),
        reason="waiting",
        reserved=D("1E+2"),
        reserved_asset="BTC",
        value=D("250.5"),
        closes=True,
        leg=LONG,
    )


def plain_order() -> Order:
    intent = market_intent("p")
    return Order(1, "o-1", client_order_id("p"), intent, intent.terms, OrderState.PENDING, NOON, NOON)


@pytest.mark.parametrize("order", [full_order(), plain_order()])
def test_an_order_comes_back_as_it_was(order: Order) -> None:
    row = orders.to_row(order)
    assert len(row) == len(schema.orders.columns)
    assert orders.from_row(row) == order


def test_every_field_of_the_full_order_is_said() -> None:
    """A field that the row forgets would come back as its default, and the test above would not see it."""
    full, plain = full_order(), plain_order()
    for part in (full, full.intent, full.terms):
        other = {Order: plain, Intent: plain.intent, OrderTerms: plain.terms}[type(part)]
        same = [item.name for item in fields(part) if getattr(part, item.name) == getattr(other, item.name)]
        assert set(same) <= {
            "placed_at",
            "account_id",
            "portfolio_id",
            "user_id",
            "made_at",
            "instrument_id",
            "quote_value",
            "closes_leg",  # not stored: what the gate made of it is
            "leg" if part is full.intent else "",
        }


def test_a_broken_number_in_a_row_is_not_read_as_one() -> None:
    row = list(orders.to_row(plain_order()))
    row[1] = "three"
    with pytest.raises(TypeError, match="three"):
        orders.from_row(tuple(row))


def test_an_order_is_told_in_one_line() -> None:
    """As the note says it that the chain covers."""
    told = orders.terms_text(full_order())
    assert told == f"SELL 2.5 of {SPOT.id} STOP_LIMIT at 99.5 stop 100.25 reduce-only leg LONG IOC"
    assert orders.terms_text(plain_order()) == f"BUY 1 of {SPOT.id} MARKET GTC"


def test_a_trade_comes_back_as_it_was() -> None:
    report = buy(
        PERPETUAL,
        "0.000000000000000001",
        "12345678901234567890.5",
        fee=D("-0.1"),
        fee_currency="BNB",
        revision=2,
        effect=TradeEffect.CORRECT,
        leg="LONG",
        broker_order_id=BrokerOrderId("b"),
        client_order_id=client_order_id("k"),
        realized_cash=D("-3.25"),
    )
    for told, strategy in ((report, StrategyId(7)), (buy(SPOT, "1", "2"), None)):
        trade = Trade(told, MAIN.id, strategy, "external", D("2"))
        row = trades.to_row(trade, 5, 6, 0)
        assert len(row) == len(schema.trades.columns)
        assert trades.from_row(row) == trade


def test_a_position_comes_back_as_it_was() -> None:
    flat = Position(ACCOUNT.id, MAIN.id, SPOT.id)
    open_ = Position(
        ACCOUNT.id,
        MAIN.id,
        SPOT.id,
        strategy_id=StrategyId(7),
        leg="long",
        quantity=D("-2"),
        cost=D("-200.000000000000000001"),
        realized_pnl=D("5"),
        fees=(("BNB", D("0.1")), ("USDT", D("-2"))),
        fee_cost=D("0.5"),
        opened_at=NOON,
        folded_to=(NOON, 4, BrokerTradeId("t4"), 1),
    )
    for position in (flat, open_):
        row = positions.to_row(position)
        assert len(row) == len(schema.positions.columns)
        assert positions.from_row(row) == position


def test_a_cash_line_comes_back_as_it_was() -> None:
    line = CashLine(ACCOUNT.id, MAIN.id, "isolated:BTC", "USDT", CashKind.INTEREST, D("-0.5"), "i-1", NOON)
    assert cash.from_row(cash.to_row(line, 1, 1)) == line


def everything(draft: Draft) -> None:
    """Write one of everything that lives in memory."""
    accounts.write_leverage(draft, ACCOUNT.id, PERPETUAL.id, D("2.5"))
    accounts.write_halt(
        draft, Halt(Scope.ACCOUNT, ACCOUNT.id, "manual", TradingState.REDUCE_ONLY, "asked", latched=True), NOON
    )
    accounts.write_halt(draft, Halt(Scope.DESK, 0, "parity", TradingState.HALTED, "broken"), NOON)
    accounts.write_halt(draft, Halt(Scope.USER, USER.id, "manual", TradingState.CANCEL_ONLY, "away"), NOON)
    accounts.write_halt(draft, Halt(Scope.USER, 2, "manual", TradingState.HALTED, "somebody else's"), NOON)
    accounts.write_policy(draft, ACCOUNT.id, {"max_order_value": "100"}, 1)
    accounts.write_policy(draft, ACCOUNT.id, {"max_order_value": "200", "repeat_window": "5"}, 2)
    accounts.write_portfolio(draft, replace(MAIN, id=PortfolioId(2), uid="p-2", name="second"))
    bots.write(
        draft,
        BotRecord(
            7, MAIN.id, SPOT.id, "first", "hold", "RUNNING", (("share", "1"), ("a", "b")), (("x", "y"), ("c", "d"))
        ),
    )
    guarding.write_nav(draft, ACCOUNT.id, Nav(D(100), D("1.5"), None, D("1.25")), NOON)
    reading = Reading(NOON, D(1000), D("1.25"), D("1.5"), confirmed=True)
    guarding.write_snapshot(draft, ACCOUNT.id, reading)
    calm = Episode(1, GuardStatus.CALM, "", NOON, NOON)
    guarding.write_episode(draft, ACCOUNT.id, guarding.DRAWDOWN, calm, D("0.15"))
    warned = Episode(
        2,
        GuardStatus.COUNTDOWN,
        "critical",
        NOON,
        NOON,
        NOON,
        Suspicion(NOON, "critical"),
        D("0.2"),
        D(800),
        2,
        D(-200),
    )
    guarding.write_episode(draft, ACCOUNT.id, guarding.DRAWDOWN, warned, D("0.2"))
    write_meta(draft, "desk_code", "DESK")
    draft.put(keys.trade_cursor(ACCOUNT.id), 12)
    draft.replace("trade_cursors", ACCOUNT.id, (ACCOUNT.id, 12))
    draft.put(keys.movement_cursor(ACCOUNT.id), 34)
    draft.replace("movement_cursors", ACCOUNT.id, (ACCOUNT.id, 34))
    write_note(draft, Note(ACCOUNT.id, "user:1", "UPDATE", "ACCOUNT", ACCOUNT.uid, NOON, {}))


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """What a fresh start reads is what memory was, every noun of it."""
    books = books_at(tmp_path / "desk.db").open()
    books.write(paying("10", "a"))
    books.place("live", SPOT, Side.BUY, "1", reserved="100")
    books.write(everything)
    assert_hot_equals_database(books)
    before = books.scribe.hot.snapshot()
    books.close()
    again = books_at(tmp_path / "desk.db")
    assert again.scribe.hot.snapshot() == before
    again.close()


def test_memory_is_asked_by_noun() -> None:
    """Halts that bind an account, its limits, guard and units; before anything was written, plain beginnings."""
    books = books_in_memory().open()
    hot = books.scribe.hot
    assert accounts.limits_of(hot, ACCOUNT) == PROFILES["standard"]
    assert guarding.nav_of(hot, ACCOUNT.id) == Nav()
    assert guarding.episode_of(hot, ACCOUNT.id, guarding.DRAWDOWN) == Episode()
    books.write(everything)
    assert [halt.source for halt in accounts.halts_over(hot, ACCOUNT)] == ["parity", "manual", "manual"]
    limits = accounts.limits_of(hot, ACCOUNT)
    assert limits.max_order_value == 200
    assert limits.repeat_window == timedelta(seconds=5)
    assert guarding.nav_of(hot, ACCOUNT.id).units == 100
    assert guarding.episode_of(hot, ACCOUNT.id, guarding.DRAWDOWN).number == 2
    lifted = Halt(Scope.DESK, 0, "parity", TradingState.ACTIVE, "lifted")
    books.write(lambda draft: accounts.write_halt(draft, lifted, NOON))
    assert [halt.source for halt in accounts.halts_over(hot, ACCOUNT)] == ["manual", "manual"]
    assert_hot_equals_database(books)


def test_a_part_of_an_account_is_bound_by_its_own_halts_too() -> None:
    """Strategy 7's halt binds strategy 7, wherever the account itself stands."""
    books = books_in_memory().open()
    for scope, number in ((Scope.PORTFOLIO, 1), (Scope.STRATEGY, 7), (Scope.PORTFOLIO, 2), (Scope.STRATEGY, 8)):
        halt = Halt(scope, number, f"{scope}{number}", TradingState.HALTED, "mine")
        books.write(lambda draft, halt=halt: accounts.write_halt(draft, halt, NOON))  # type: ignore[misc]
    hot = books.scribe.hot
    assert accounts.halts_over(hot, ACCOUNT) == []
    bound = accounts.halts_over(hot, ACCOUNT, PortfolioId(1), StrategyId(7))
    assert [halt.source for halt in bound] == ["PORTFOLIO1", "STRATEGY7"]
    assert [halt.source for halt in accounts.halts_over(hot, ACCOUNT, PortfolioId(1))] == ["PORTFOLIO1"]


def test_a_limit_can_be_switched_off_by_policy() -> None:
    books = books_in_memory().open()
    names = [item.name for item in fields(PROFILES["standard"]) if "None" in str(item.type)]
    books.write(lambda draft: accounts.write_policy(draft, ACCOUNT.id, {names[0]: None}, 1))
    assert getattr(accounts.limits_of(books.scribe.hot, ACCOUNT), names[0]) is None
    assert_hot_equals_database(books)


def test_a_wish_that_comes_again_finds_its_first_answer() -> None:
    """In its own group, and in the database for ever; another body has another hash."""
    books = books_in_memory().open()
    wish = approved("k", Side.BUY, "1", SPOT, price="100").intent
    body = verdicts.body_hash(wish)
    seen: list[object] = []

    def look(draft: Draft) -> None:
        seen.append(verdicts.find(draft, wish))

    look_and_refuse = refusing("r")
    books.together(look, placing("k", SPOT, Side.BUY, "1"), look, look_and_refuse)
    books.write(look)
    given = verdicts.GivenVerdict(client_order_id("k"), body, True, "[]")
    assert seen == [None, given, given]
    refused = books.write(lambda draft: verdicts.find(draft, approved("r", Side.BUY, "1", SPOT).intent))
    assert not refused.approved
    assert '"code":"too_large"' in refused.checks_json
    larger = replace(wish, terms=replace(wish.terms, quantity=D("1.000000000000000001")))
    by_value = replace(wish, terms=replace(wish.terms, quantity=None, quote_value=D(1)))
    market = approved("k", Side.BUY, "1", SPOT).intent
    stop = approved("k", Side.BUY, "1", SPOT, stop="90").intent
    assert len({verdicts.body_hash(intent) for intent in (wish, larger, by_value, market, stop)}) == 5
    assert verdicts.body_hash(replace(wish, made_at=NOON + timedelta(days=1))) == body


def test_a_reference_counts_once_in_its_group_and_for_ever() -> None:
    books = books_in_memory().open()
    assert books.together(paying("5", "a"), paying("5", "a"), paying("5", "b")) == [True, False, True]
    assert books.write(paying("9", "a")) is False
    assert books.balance("spot", "USDT") == 10
    books.write(lambda draft: cash.post(draft, []))
    assert_hot_equals_database(books)


def test_json_is_the_same_for_the_same_value() -> None:
    """Keys sorted, no spaces: equal values are equal text."""
    keyed = list({"b": "2", "a": "a", "c": "1"}.items())
    random.Random(1).shuffle(keyed)
    assert json_text(dict(keyed)) == '{"a":"a","b":"2","c":"1"}'


def test_fresh_books_start_at_the_beginning() -> None:
    """Without a head, without an account; the desk's own chain is account 0."""
    books = books_in_memory()
    assert_hot_equals_database(books)
    books.write(lambda draft: write_note(draft, Note(0, "desk", "CREATE", "DESK", "x", NOON, {})))
    assert books.get(keys.chain(0)).seq == 1
    assert_hot_equals_database(books)
    assert set(LedgerBooks.tables) | {"heads", "leases"} == set(schema.metadata.tables)
    assert Books.__doc__ is not None
    assert len(INSTRUMENTS) == 3


def test_what_a_verdict_rests_on_is_kept_as_text_or_as_a_hash() -> None:
    """The text says numbers and times canonically; the hash differs when any of them does."""
    seen = {"equity": D("1E+2"), "at": NOON, "state": "ACTIVE", "unknown_orders": 0, "drawdown": None}
    assert verdicts.observed_text(seen) == (
        '{"at":"2022-01-21T12:00:00.000000Z","drawdown":null,"equity":"100","state":"ACTIVE","unknown_orders":0}'
    )
    hashes = {verdicts.input_hash({**seen, **other}) for other in ({}, {"equity": D(101)}, {"drawdown": D(0)})}
    assert len(hashes) == 3
    assert verdicts.input_hash(seen) == verdicts.input_hash(dict(seen))


def test_a_remark_without_a_reason_is_kept_too() -> None:
    told = verdicts.checks_json([Judged(CONTROLS[0], Finding(Outcome.WARN))])
    assert json.loads(told) == [{"number": CONTROLS[0].number, "name": CONTROLS[0].name, "outcome": "WARN"}]


def test_an_account_s_positions_are_listed() -> None:
    books = books_in_memory().open()
    books.book(buy(SPOT, "1", "100"), buy(PERPETUAL, "1", "100"))
    found = books.write(lambda draft: positions.of_account(draft, ACCOUNT.id))
    assert [position.instrument_id for position in found] == [SPOT.id, PERPETUAL.id]


def test_keys_of_what_lives_in_memory_only() -> None:
    """One shelf a slot, so that a whole slot can be forgotten."""
    assert keys.recent_order(ACCOUNT.id, 3, ("what",))[:2] == keys.recent_order(ACCOUNT.id, 3, ("else",))[:2]
    assert keys.recent_order(ACCOUNT.id, 3, ("what",))[:2] != keys.recent_order(ACCOUNT.id, 4, ("what",))[:2]
    assert keys.recent_slot(ACCOUNT.id)[0] in keys.IN_MEMORY_ONLY
