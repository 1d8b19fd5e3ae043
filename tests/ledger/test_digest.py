"""The digest looks at what the books say, under names, and not at how they came to say it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from plimsoll.ledger.digest import canonical, digest
from plimsoll.model.order import OrderEvent, Side
from tests.builders.ledger import PERPETUAL, SPOT, Books, books_in_memory, buy, paying, refusing, sell

D = Decimal


def a_day() -> Books:
    books = books_in_memory().open()
    books.write(paying("1000", "d-1"))
    order = books.place("a", SPOT, Side.BUY, "3", reserved="300")
    books.book(buy(SPOT, "1", "110", 1, client_order_id=order.client_order_id))
    books.hear(books.place("b", SPOT, Side.SELL, "1"), OrderEvent.CANCELED)
    return books


def test_row_ids_links_verdicts_and_reservations_do_not_count() -> None:
    """Another way to the same books: refusals between, other reservations, other ids and groups."""
    other = books_in_memory().open(PERPETUAL, SPOT)
    other.write(refusing("r"))
    second = other.place("b", SPOT, Side.SELL, "1", reserved="7")
    order = other.place("a", SPOT, Side.BUY, "3", reserved="301")
    other.hear(second, OrderEvent.CANCELED)
    other.together(
        lambda draft: draft.next_id("trades") and None,
        paying("1000", "d-1"),
    )
    other.book(buy(SPOT, "1", "110", 1, client_order_id=order.client_order_id))
    plain = books_in_memory().open(SPOT, PERPETUAL)
    order = plain.place("a", SPOT, Side.BUY, "3", reserved="300")
    plain.book(buy(SPOT, "1", "110", 1, client_order_id=order.client_order_id))
    plain.hear(plain.place("b", SPOT, Side.SELL, "1"), OrderEvent.CANCELED)
    plain.write(paying("1000", "d-1"))
    assert digest(other.engine) == digest(plain.engine)


def test_a_correction_counts_with_the_trade_that_it_corrects() -> None:
    """Also where the venue's own trade ids hold an @; and one that came back to nothing does not count at all."""
    early, late = books_in_memory().open(), books_in_memory().open()
    fills = [buy(PERPETUAL, "1", "100", 1), buy(PERPETUAL, "1", "120", 2), sell(PERPETUAL, "1", "130", 3)]
    named = [replace(report, broker_trade_id=f"x@{report.broker_trade_id}@y") for report in fills]  # type: ignore[arg-type]
    for report in named:
        early.book(report)
    for report in (named[0], named[2], named[1]):
        late.book(report)
    with late.engine.connect() as connection:
        told = canonical(connection)["cash"]
        (corrections,) = connection.exec_driver_sql("SELECT count(*) FROM cash_lines WHERE kind = 'CORRECTION'").one()
    assert corrections == 1
    assert told == ['["Ada","practice","main","futures","USDT","TRADE","paper","BTC/USDT:USDT","x@t3@y","20"]']
    assert digest(early.engine) == digest(late.engine)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts SET price_source = 'live'",
        "UPDATE instruments SET lot_size = '1'",
        "UPDATE orders SET state = 'EXPIRED' WHERE id = 2",
        "UPDATE orders SET quantity = '4' WHERE id = 1",
        "UPDATE orders SET leg = 'LONG' WHERE id = 1",
        "UPDATE positions SET cost = '1'",
        "UPDATE positions SET realized_pnl = '1'",
        "UPDATE balances SET amount = '1.5' WHERE asset = 'BTC'",
        "INSERT INTO cash_lines SELECT account_id, 99, link_seq, portfolio_id, pocket, asset, kind, '1', 'd-2', at,"
        " NULL, NULL, NULL FROM cash_lines WHERE id = 1",
        "UPDATE pnl_days SET turnover = '1'",
        "INSERT INTO position_entries VALUES (1, 1, 1, 1, 1, 0, '', 'IN', '1', NULL, NULL, 'e-1',"
        " '2022-01-21T12:00:00.000000Z', 0)",
        'UPDATE positions SET flows_json = \'[["FUNDING","USDT","1"]]\'',
        "UPDATE positions SET uncosted = '1'",
    ],
)
def test_what_counts_changes_the_digest(statement: str) -> None:
    books = a_day()
    before = digest(books.engine)
    assert before == digest(a_day().engine)
    with books.engine.connect() as connection:
        connection.exec_driver_sql(statement)
        connection.commit()
    assert digest(books.engine) != before


def test_each_noun_is_told_under_names() -> None:
    """A person can read what was hashed."""
    with a_day().engine.connect() as connection:
        told = canonical(connection)
    assert told["balances"] == [
        '["Ada","practice","main","spot","BTC","1"]',
        '["Ada","practice","main","spot","USDT","890"]',
    ]
    assert told["positions"][0].startswith('["Ada","practice","main","paper","BTC/USDT",0,"","1","110","0"')
    assert {noun: len(lines) for noun, lines in told.items()} == {
        "instruments": 3,
        "accounts": 1,
        "orders": 2,
        "trades": 1,
        "entries": 0,
        "positions": 1,
        "days": 1,
        "cash": 3,
        "balances": 2,
    }
