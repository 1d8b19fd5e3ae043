"""Orders of a venue where long and short stand beside each other: their leg in the row, the sums, the chain."""

import sqlite3
from contextlib import closing as closed
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.ledger import keys, orders, verdicts
from plimsoll.ledger.verify import Finding, verify
from plimsoll.model.order import LONG, SHORT, Order, OrderEvent, OrderState, Side
from plimsoll.model.position import PositionKey
from plimsoll.store.place import SqlitePlace
from tests.builders.ledger import (
    ACCOUNT,
    CHAIN_KEY,
    MAIN,
    PERPETUAL,
    Books,
    assert_hot_equals_database,
    books_at,
    books_in_memory,
    fill,
)
from tests.ledger.test_ledger_rows import full_order, plain_order


def key_of(leg: str) -> PositionKey:
    return (MAIN.id, PERPETUAL.id, 0, leg)


def closing(books: Books, leg: str) -> object:
    return books.get(keys.closing(ACCOUNT.id, key_of(leg)))


def selling(books: Books, leg: str) -> object:
    return books.get(keys.selling(ACCOUNT.id, key_of(leg)))


def close(books: Books, name: str, side: Side, quantity: str, leg: str) -> Order:
    return books.place(name, PERPETUAL, side, quantity, price=None, reduce_only=True, leg=leg)


def test_closes_on_their_way_are_counted_by_leg() -> None:
    """Or the close of one leg would keep the other from being closed."""
    books = books_in_memory().open()
    close(books, "of-long", Side.SELL, "2", LONG)
    short = close(books, "of-short", Side.BUY, "3", SHORT)
    assert [closing(books, leg) for leg in ("", LONG, SHORT)] == [None, 2, 3]
    assert [selling(books, leg) for leg in ("", LONG, SHORT)] == [None, 2, None]
    assert_hot_equals_database(books)
    books.book(fill(PERPETUAL, Side.BUY, "3", "100", 1, client_order_id=short.client_order_id, leg=SHORT))
    assert [closing(books, leg) for leg in ("", LONG, SHORT)] == [None, 2, None]
    books.hear(close(books, "again", Side.SELL, "1", LONG), OrderEvent.REJECTED)
    assert [closing(books, leg) for leg in ("", LONG, SHORT)] == [None, 2, None]
    assert_hot_equals_database(books)


def test_a_fill_of_an_order_goes_to_the_leg_that_is_told_and_the_order_keeps_its_own() -> None:
    books = books_in_memory().open()
    order = books.place("k", PERPETUAL, Side.BUY, "2", leg=LONG)
    books.book(fill(PERPETUAL, Side.BUY, "2", "100", 1, client_order_id=order.client_order_id, leg=LONG))
    ended = orders.from_row(books.connection.find("order_by_client_id", (ACCOUNT.id, order.client_order_id))[0])
    assert (ended.leg, ended.state, ended.filled_quantity) == (LONG, OrderState.FILLED, Decimal(2))
    assert books.get(keys.position(ACCOUNT.id, key_of(LONG))).quantity == 2
    assert books.get(keys.position(ACCOUNT.id, key_of(""))) is None


@pytest.mark.parametrize("named", [True, False])
def test_the_wish_behind_an_order_of_a_leg_is_proved_whether_it_named_it_or_not(tmp_path: Path, named: bool) -> None:
    """A close names its leg, anybody else's order is given one: the row does not say which it was."""
    books = books_at(tmp_path / "desk.db").open()
    books.place("k", PERPETUAL, Side.SELL, "2", leg=LONG, names_leg=named)
    books.close()
    assert findings(tmp_path / "desk.db") == ()


def findings(path: Path) -> tuple[Finding, ...]:
    return verify(SqlitePlace(path), CHAIN_KEY, None).findings


@pytest.mark.parametrize("leg", ["", SHORT])
def test_a_leg_that_was_changed_is_found(tmp_path: Path, leg: str) -> None:
    """The chain covers it: with another one the order would close what it opened."""
    books = books_at(tmp_path / "desk.db").open()
    books.place("k", PERPETUAL, Side.SELL, "2", leg=LONG)
    books.close()
    with closed(sqlite3.connect(tmp_path / "desk.db")) as connection:
        connection.execute("UPDATE orders SET leg = ?", (leg,))
        connection.commit()
    assert [finding.code for finding in findings(tmp_path / "desk.db")] == ["terms_not_noted"]


def test_what_names_no_leg_is_written_and_hashed_as_ever() -> None:
    """By these texts the chains of earlier releases are proved."""
    plain, full = plain_order(), replace(full_order(), leg="")
    assert orders.fixed_hash(plain) == "358e3927da18a169b97b9470800283eb"
    assert orders.fixed_hash(full) == "d6972c78e3a575fe9eaf67a0c51b2bad"
    assert verdicts.body_hash(plain.intent) == "c4bd8722b72535b618b7337f7782e094f2cbbf287499f5b947d78f505bd6e9ba"
    assert verdicts.body_hash(full.intent) == "ecb41f44b206581662990ce82a7ebd8a2f3d256f0c0506f2da6211cadd202a4a"
    assert "leg" not in orders.terms_text(full)


def test_orders_that_differ_in_their_leg_alone_are_told_apart() -> None:
    each = [replace(full_order(), leg=leg) for leg in ("", LONG, SHORT)]
    assert len({orders.fixed_hash(order) for order in each}) == 3
    assert len({orders.terms_text(order) for order in each}) == 3
    wishes = [replace(order.intent, leg=order.leg) for order in each]
    assert len({verdicts.body_hash(wish) for wish in wishes}) == 3
