"""The story of a position, line by line: every number here was reckoned by hand, with a pencil."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from plimsoll.ledger.history import Step, Story, find_position, tell_story
from plimsoll.model import money
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import BrokerTradeId
from plimsoll.model.instrument import Instrument
from plimsoll.model.trade import LateFee, MadeBy, TradeEffect, TradeReport
from plimsoll.store.place import Place, reader
from tests.builders.happenings import Fact, days_of_facts, telling
from tests.builders.happenings import told as told_facts
from tests.builders.ledger import (
    ACCOUNT,
    INVERSE,
    MAIN,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    books_in_memory,
    buy,
    sell,
)
from tests.builders.places import books_in

D = Decimal


def story(books: Books, *words: str) -> Story:
    with books.engine.connect() as connection:
        return tell_story(connection, find_position(connection, words))


def books_of(*facts: Fact) -> Books:
    """Tell facts in the order they are given."""
    books = books_in_memory().open()
    for fact in facts:
        books.write(telling(fact))
    return books


def line(step: Step) -> tuple[str, ...]:
    """Give a line as a person reads it: what, how it was reckoned, then held, cost and realised."""
    after = step.position
    return (
        step.what,
        step.words,
        *(f"{number.normalize():f}" for number in (after.quantity, after.cost, after.realized_pnl)),
    )


def at(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


def busted(report: TradeReport) -> TradeReport:
    return replace(report, revision=1, effect=TradeEffect.BUST)


def flow(kind: CashKind, amount: str, second: int, instrument: Instrument) -> CashEvent:
    when = NOON + timedelta(seconds=second)
    return CashEvent(
        ACCOUNT.id,
        MAIN.id,
        kind,
        "USDT",
        D(amount),
        f"{kind}-{second}",
        when,
        pocket="futures",
        instrument_id=instrument.id,
    )


def entry(kind: EntryKind, quantity: str, second: int, instrument: Instrument, **said: Any) -> Entry:
    when = NOON + timedelta(seconds=second)
    return Entry(ACCOUNT.id, MAIN.id, instrument.id, None, "", kind, D(quantity), f"e-{second}", when, **said)


def told(books: Books, symbol: str) -> list[tuple[str, ...]]:
    """Give the lines of a story that comes to what is stored."""
    whole = story(books, "main", symbol)
    assert whole.equal, whole.differences
    return [line(step) for step in whole.steps]


def test_a_contract_that_is_closed_turned_split_and_told_of_late() -> None:
    mistaken = buy(PERPETUAL, "50", "20", 3)
    late_fee = LateFee(ACCOUNT.id, PERPETUAL.id, BrokerTradeId("t2"), "f", D("0.5"), "USDT", at(8))
    books = books_of(
        buy(PERPETUAL, "100", "10", 1, fee=D(1)),
        sell(PERPETUAL, "50", "12", 2),
        mistaken,
        flow(CashKind.FUNDING, "-3", 4, PERPETUAL),
        sell(PERPETUAL, "80", "15", 5),
        entry(EntryKind.SPLIT, "3", 6, PERPETUAL, per=D(1)),
        buy(PERPETUAL, "90", "4", 7),
        replace(mistaken, revision=1, effect=TradeEffect.BUST),
        late_fee,
    )
    assert told(books, "BTC/USDT:USDT") == [
        # 100 bought at 10 cost 1,000.
        ("buy", "value 100 × 10 = 1000; cost 0 + 1000 = 1000", "100", "1000", "0"),
        # Half of them cost half of it.
        ("sell", "value 50 × 12 = 600; released 50 of 100 × 1000 = 500; realised 600 − 500 = 100", "50", "500", "100"),
        ("buy", "counts no more: busted by revision 1", "50", "500", "100"),
        ("busted", "there was no such fill", "50", "500", "100"),
        ("funding", "paid beside its trades; cost and profit stay", "50", "500", "100"),
        # 50 of the 80 close what was long: 750 − 500 = 250 more; 30 are sold short for the other 450.
        (
            "sell",
            "value 80 × 15 = 1200; turns: 50 of 80 × 1200 = 750 closes; released 50 of 50 × 500 = 500;"
            " realised 750 − 500 = 250; opens -30 at cost 750 − 1200 = -450",
            *("-30", "-450", "350"),
        ),
        ("split", "-30 × 3 / 1 = -90; the cost stays", "-90", "-450", "350"),
        # Short for 450, bought back for 360.
        ("buy", "value 90 × 4 = 360; released 90 of 90 × -450 = -450; realised -360 + 450 = 90", "0", "0", "440"),
        ("fee", "told after its fill; fees 1 + 0.5 = 1.5 USDT", "0", "0", "440"),
    ]
    whole = story(books, "main", "BTC/USDT:USDT")
    assert whole.told.flows == (("FUNDING", "USDT", D(-3)),)
    assert [step.amount for step in whole.steps if step.what in {"fee", "funding"}] == [D(-3), D("0.5")]


def test_coins_that_came_went_and_paid_a_fee() -> None:
    """Three coins, one of them at a cost that nobody knows; the two others had cost 30."""
    sold = sell(SPOT, "1", "12", 3)
    books = books_of(
        entry(EntryKind.IN, "2", 1, SPOT, cost=D(30)),
        entry(EntryKind.IN, "2", 2, SPOT),
        sold,
        replace(sold, revision=1, effect=TradeEffect.CORRECT, price=D(20)),
        buy(SPOT, "1.5", "10", 4, fee=D("0.9"), fee_currency="BTC"),
        entry(EntryKind.OUT, "1.2", 5, SPOT),
        entry(EntryKind.OUT, "1.2", 6, SPOT, cost=D(7)),
    )
    assert told(books, "BTC/USDT") == [
        ("in", "cost 0 + 30 = 30", "2", "30", "0"),
        ("in", "at unknown cost 0 + 2 = 2", "4", "30", "0"),
        ("sell", "counts no more: corrected by revision 1", "4", "30", "0"),
        # Half a coin of each kind: 10 of the 20 are nobody's profit, the other 10 paid what had cost 7.5.
        (
            "sell",
            "as corrected by revision 1: value 1 × 20 = 20; at unknown cost 1 of 4 × 2 = 0.5, which brought"
            " 0.5 of 1 × 20 = 10, no profit and no loss; released 0.5 of 2 × 30 = 7.5; realised 20 − 10 − 7.5 = 2.5",
            *("3", "22.5", "2.5"),
        ),
        # 4.5 coins, a third of them at unknown cost; 0.9 is a fifth of all.
        (
            "buy",
            "value 1.5 × 10 = 15; cost 22.5 + 15 = 37.5; the fee takes 0.9, of them at unknown cost"
            " 0.9 of 4.5 × 1.5 = 0.3; cost of 0.6 of 3 × 37.5 = 7.5",
            *("3.6", "30", "2.5"),
        ),
        (
            "out",
            "takes 1.2, of them at unknown cost 1.2 of 3.6 × 1.2 = 0.4; cost of 0.8 of 2.4 × 30 = 10",
            *("2.4", "20", "2.5"),
        ),
        (
            "out",
            "takes 1.2, of them at unknown cost 1.2 of 2.4 × 0.8 = 0.4; cost of 0.8 of 1.6 × 20 = 10;"
            " went at cost 7: realised 7 − 10 = -3",
            *("1.2", "10", "-0.5"),
        ),
    ]


def test_an_inverse_contract_is_reckoned_in_its_coin() -> None:
    books = books_of(buy(INVERSE, "100", "10", 1), sell(INVERSE, "300", "20", 2))
    assert told(books, "BTC/USD:BTC") == [
        ("buy", "value 100 / 10 = 10; cost 0 − 10 = -10", "100", "-10", "0"),
        (
            "sell",
            "value 300 / 20 = 15; turns: 100 of 300 × -15 = -5 closes; released 100 of 100 × -10 = -10;"
            " realised -5 + 10 = 5; opens -200 at cost -5 + 15 = 10",
            *("-200", "10", "5"),
        ),
    ]


def test_coins_that_cover_what_was_sold_short_and_a_split_that_leaves_nothing() -> None:
    books = books_of(
        sell(SPOT, "4", "10", 1),
        entry(EntryKind.IN, "1", 2, SPOT),
        entry(EntryKind.IN, "2", 3, SPOT, cost=D(12)),
        entry(EntryKind.IN, "2", 4, SPOT),
        entry(EntryKind.SPLIT, "3", 5, SPOT, per=D(1)),
        replace(buy(SPOT, "1", "8", 6), fee=D("4"), fee_currency="BTC"),
        entry(EntryKind.OUT, "1", 7, SPOT),
    )
    assert told(books, "BTC/USDT") == [
        ("sell", "value 4 × 10 = 40; cost 0 − 40 = -40", "-4", "-40", "0"),
        (
            "in",
            "covers 1 of 4 × -40 = -10: what their sale brought is no profit and no loss, as nobody knows what they had"
            " cost",
            *("-3", "-30", "0"),
        ),
        ("in", "released 2 of 3 × -30 = -20; realised -12 + 20 = 8", "-1", "-10", "8"),
        (
            "in",
            "covers 1 of 1 × -10 = -10: what their sale brought is no profit and no loss, as nobody knows what they had"
            " cost",
            *("1", "0", "8"),
        ),
        ("split", "1 × 3 / 1 = 3; the cost stays; at unknown cost 1 × 3 / 1 = 3", "3", "0", "8"),
        (
            "buy",
            "value 1 × 8 = 8; cost 0 + 8 = 8; the fee takes 4, of them at unknown cost 4 of 4 × 3 = 3;"
            " cost of 1 of 1 × 8 = 8",
            *("0", "0", "8"),
        ),
        ("out", "takes none: the position holds no such coins", "0", "0", "8"),
    ]
    tiny = books_of(
        buy(PERPETUAL, "0.001", "10", 1), entry(EntryKind.SPLIT, "1", 2, PERPETUAL, per=D("10000000000000000"))
    )
    assert told(tiny, "BTC/USDT:USDT")[-1] == (
        "split",
        "0.001 × 1 / 10000000000000000 = 0; the cost stays; nothing is left, its cost is lost: realised -0.01",
        *("0", "0", "-0.01"),
    )


# With a pencil --------------------------------------------------------------------------------------------------------

NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
SHARE = re.compile(rf"({NUMBER}) of ({NUMBER}) × ({NUMBER}) = ({NUMBER})")
RATIO = re.compile(rf"(?<! of )({NUMBER}) × ({NUMBER}) / ({NUMBER}) = ({NUMBER})")
SUM = re.compile(rf"({NUMBER})((?: [+−] {NUMBER})+) = ({NUMBER})")
VALUE = re.compile(rf"value ({NUMBER}) ([×/]) ({NUMBER}) = ({NUMBER})")


def rightly(words: str) -> int:
    """Reckon everything again that a line says; give how much there was."""
    reckoned = 0
    for part, whole, amount, result in SHARE.findall(words):
        assert money.settle_share(D(amount), D(part), D(whole)) == D(result), words
        reckoned += 1
    for quantity, new, per, result in RATIO.findall(words):
        assert money.settle_share(D(quantity), D(new), D(per)) == D(result), words
        reckoned += 1
    for first, others, result in SUM.findall(words):
        signed = others.replace(" ", "").replace("−", "-").replace("+-", "-").replace("--", "+")
        assert D(first) + sum(map(D, re.findall(r"[+-][0-9.]+", signed))) == D(result), words
        reckoned += 1
    for left, sign, right, result in VALUE.findall(words):
        value = money.settle(D(left) * D(right)) if sign == "×" else money.settle_quotient(D(left), D(right))
        assert value == D(result), words
        reckoned += 1
    return reckoned


@settings(max_examples=40)
@given(days_of_facts())
def test_every_line_of_every_story_can_be_reckoned_again(facts: list[Fact]) -> None:
    """And every story comes to what is stored."""
    books = told_facts(facts)
    with books.engine.connect() as connection:
        for account, portfolio, instrument, strategy, leg in connection.exec_driver_sql(
            "SELECT account_id, portfolio_id, instrument_id, strategy_id, leg FROM positions"
        ).all():
            name = f"p-{portfolio}.{instrument}.{strategy}.{leg}"
            told_story = tell_story(connection, find_position(connection, [name]))
            assert told_story.equal, told_story.differences
            assert account == ACCOUNT.id
            for step in told_story.steps:
                assert rightly(step.words) or "counts no more" in step.words or step.words in PLAIN


PLAIN = {
    "there was no such fill",
    "earned beside its trades; cost and profit stay",
    "paid beside its trades; cost and profit stay",
    "takes none: the position holds no such coins",
}


# Names ----------------------------------------------------------------------------------------------------------------


def test_a_position_is_named_by_its_id_or_by_portfolio_and_symbol() -> None:
    books = books_of(buy(SPOT, "1", "10", 1))
    assert story(books, "MAIN", "btc/usdt").named == story(books, "p-1.1.0.").named
    assert story(books, "p-1.1.0.").named.symbol == "BTC/USDT"


def test_a_wrong_name_is_told_what_is_near() -> None:
    books = books_of(buy(SPOT, "1", "10", 1))
    for words, near in (
        (["mian", "BTC/USDT"], "main BTC/USDT"),
        (["main BTC-USDT"], "main"),
        (["p-1.1.7."], "p-1.1.0."),
    ):
        with pytest.raises(Illegal, match=rf"there is none of this name.*such as: .*{near}"):
            story(books, *words)
    with pytest.raises(Illegal, match="main BTC/USDT"):
        story(books, "zzz")


def test_a_name_of_several_says_between_what_to_choose() -> None:
    books = books_of(buy(PERPETUAL, "1", "10", 1), buy(PERPETUAL, "1", "10", 2, leg="LONG"))
    with pytest.raises(Illegal, match=r"it names several.*p-1\.2\.0\. .*p-1\.2\.0\.LONG"):
        story(books, "main", "BTC/USDT:USDT")
    assert len(story(books, "p-1.2.0.LONG").steps) == 1


def test_an_empty_desk_has_no_position() -> None:
    with pytest.raises(Illegal, match="the desk has no position yet"):
        story(books_in_memory().open(), "main", "BTC/USDT")


def test_a_position_that_was_changed_is_not_equal() -> None:
    books = books_of(buy(SPOT, "1", "10", 1))
    with books.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE positions SET cost = '11'")
        named = find_position(connection, ["p-1.1.0."])
        changed = tell_story(connection, named)
        connection.exec_driver_sql("DELETE FROM positions")
        gone = tell_story(connection, named)
    assert (changed.equal, changed.differences) == (False, ("cost",))
    assert (gone.equal, gone.differences, gone.stored) == (False, ("no position is stored",), None)


def test_both_engines_tell_the_same_story(place: Place) -> None:
    books = books_in(place).open()
    books.book(buy(SPOT, "3", "10", 1, fee=D("0.1"), fee_currency="BTC"), sell(SPOT, "1", "12", 2))
    books.close()
    engine = reader(place)
    with engine.connect() as connection:
        whole = tell_story(connection, find_position(connection, ["main", "BTC/USDT"]))
    engine.dispose()
    assert whole.equal
    assert [line(step) for step in whole.steps] == [
        (
            "buy",
            "value 3 × 10 = 30; cost 0 + 30 = 30; the fee takes 0.1; cost of 0.1 of 3 × 30 = 1",
            *("2.9", "29", "0"),
        ),
        ("sell", "value 1 × 12 = 12; released 1 of 2.9 × 29 = 10; realised 12 − 10 = 2", "1.9", "19", "2"),
    ]


def test_what_the_venue_traded_itself_is_told_by_its_word() -> None:
    """And the fee of it beside it, as what the position paid."""
    books = books_of(
        buy(PERPETUAL, "1", "100", 1),
        sell(PERPETUAL, "1", "60", 2, made_by=MadeBy.LIQUIDATION, realized_cash=D(-40)),
        flow(CashKind.LIQUIDATION, "-3", 3, PERPETUAL),
    )
    _bought, liquidated, fee = told(books, "BTC/USDT:USDT")
    assert liquidated[1].startswith("liquidation by the venue: value 1 × 60 = 60")
    assert (liquidated[2:], fee[0]) == (("0", "0", "-40"), "liquidation")
