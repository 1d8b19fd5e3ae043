"""Coins that come or go without a symbol reach the position that holds them, and nobody is short for want of it."""

import random
from decimal import Decimal
from typing import Any

import pytest

from plimsoll.ledger.imported.build import short_spot
from plimsoll.model.cash import CashKind
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from tests.builders.telling import fill, made_of, movement, staged

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


def bought(number: int, quantity: str, symbol: str = "ETH/USD", venue: str = "kraken", **said: Any) -> Told:
    return fill(number, BUY, quantity, "100", symbol=symbol, venue=venue, **said)


def sold(number: int, quantity: str, symbol: str = "ETH/USD", venue: str = "kraken", **said: Any) -> Told:
    return fill(number, SELL, quantity, "200", symbol=symbol, venue=venue, **said)


def moved(number: int, kind: CashKind, amount: str, asset: str = "ETH", venue: str = "kraken", **said: Any) -> Told:
    return movement(number, kind, amount, asset, venue=venue, **said)


def held(*things: Told) -> dict[tuple[str, str], tuple[Decimal, Decimal, Decimal]]:
    """Give (quantity, cost, how much of it is of unknown cost) of every market, by venue and symbol."""
    with made_of(things) as built:
        return {
            (one.venue, one.symbol): (one.position.quantity, one.position.cost, one.position.uncosted)
            for one in built.holdings()
        }


def quantities(*things: Told) -> dict[str, Decimal]:
    return {f"{venue} {symbol}": quantity for (venue, symbol), (quantity, *_) in held(*things).items()}


# What moves coins -----------------------------------------------------------------------------------------------------


def test_a_reward_that_is_sold_with_the_rest_is_no_short_sale() -> None:
    things = [bought(1, "1"), moved(2, CashKind.INTEREST, "0.5"), sold(3, "1.5"), bought(4, "1")]
    with made_of(things[:3]) as built:
        (flat,) = built.holdings()
    position = flat.position
    assert (position.quantity, position.realized_pnl, position.uncosted_proceeds) == (D(0), D(100), D(100))
    assert held(*things[:2]) == {("kraken", "ETH/USD"): (D("1.5"), D(100), D("0.5"))}
    assert held(*things) == {("kraken", "ETH/USD"): (D(1), D(100), D(0))}


def test_coins_that_went_to_another_venue_are_sold_there_at_unknown_cost() -> None:
    things = [
        bought(1, "1", venue="coinbase"),
        moved(2, CashKind.WITHDRAWAL, "-1", venue="coinbase"),
        moved(3, CashKind.DEPOSIT, "1"),
        sold(4, "1"),
    ]
    with made_of(things) as built:
        here, there = built.holdings()
    assert (here.venue, here.position.quantity, here.position.realized_pnl) == ("coinbase", D(0), D(0))
    assert (there.position.quantity, there.position.realized_pnl) == (D(0), D(0))
    assert there.position.uncosted_proceeds == D(200)


def test_the_fee_of_a_withdrawal_leaves_no_coins_behind() -> None:
    fee = moved(2, CashKind.ADJUSTMENT, "-0.01", note="fee of withdrawal", reference="w1-fee")
    things = [bought(1, "1"), moved(2, CashKind.WITHDRAWAL, "-0.99", reference="w1"), fee]
    assert held(*things) == {("kraken", "ETH/USD"): (D(0), D(0), D(0))}


@pytest.mark.parametrize(
    ("kind", "amount", "quantity", "cost"),
    [
        (CashKind.DEPOSIT, "1", D(3), D(207)),
        (CashKind.TRANSFER, "1", D(3), D(207)),
        (CashKind.DIVIDEND, "1", D(3), D(207)),
        (CashKind.INTEREST, "1", D(3), D(207)),
        (CashKind.ADJUSTMENT, "1", D(3), D(207)),
        (CashKind.WITHDRAWAL, "-1", D(1), D(100)),
        (CashKind.TRANSFER, "-1", D(1), D(100)),
        (CashKind.INTEREST, "-1", D(1), D(100)),
        (CashKind.BORROW, "1", D(2), D(200)),
        (CashKind.REPAY, "-1", D(2), D(200)),
        (CashKind.FUNDING, "-1", D(2), D(200)),
    ],
)
def test_coins_come_at_the_cost_that_is_told_and_go_with_their_share(
    kind: CashKind, amount: str, quantity: Decimal, cost: Decimal
) -> None:
    """Loans are nobody's holding, and funding is paid in money."""
    things = [bought(1, "2"), moved(2, kind, amount, cost=D(7))]
    assert held(*things) == {("kraken", "ETH/USD"): (quantity, cost, D(0))}


def test_one_id_of_a_deposit_and_of_a_reward_is_two_entries() -> None:
    things = [
        bought(1, "1"),
        moved(2, CashKind.DEPOSIT, "1", reference="r"),
        moved(3, CashKind.INTEREST, "1", reference="r"),
        moved(4, CashKind.DEPOSIT, "1", reference="r", venue="elsewhere"),
        moved(5, CashKind.WITHDRAWAL, "1", reference="r"),
    ]
    with made_of(things) as built:
        rows = staged(built.path)["position_entries"]
        lines = staged(built.path)["cash_lines"]
    assert [row[12] for row in rows] == ["r kraken", "r INTEREST ETH kraken", "r elsewhere", "r WITHDRAWAL ETH kraken"]
    assert len({(row[6], row[7], row[9]) for row in lines}) == len(lines)


# Where they belong ----------------------------------------------------------------------------------------------------


def test_coins_belong_to_what_is_traded_at_their_own_venue() -> None:
    things = [bought(1, "1"), bought(2, "1", "ETH/EUR", "binance"), moved(3, CashKind.DEPOSIT, "5", venue="binance")]
    assert quantities(*things) == {"kraken ETH/USD": D(1), "binance ETH/EUR": D(6)}


def test_where_nothing_is_traded_they_belong_to_the_only_market_of_the_book() -> None:
    things = [bought(1, "1"), moved(2, CashKind.WITHDRAWAL, "-1", venue="wallet")]
    assert quantities(*things) == {"kraken ETH/USD": D(0)}


def test_among_several_markets_elsewhere_nobody_chooses() -> None:
    things = [bought(1, "1"), bought(2, "1", venue="coinbase"), moved(3, CashKind.DEPOSIT, "5", venue="wallet")]
    assert quantities(*things) == {"kraken ETH/USD": D(1), "coinbase ETH/USD": D(1)}


def test_coins_of_several_markets_belong_to_the_one_with_the_most_fills_however_it_is_told() -> None:
    """Also when it is told many times over: what counts is the book."""
    things = [
        *(bought(number, "1", "ETH/EUR") for number in (1, 2)),
        *(bought(number, "1") for number in (3, 4, 5)),
        moved(6, CashKind.DEPOSIT, "5"),
    ]
    expected = {"kraken ETH/EUR": D(2), "kraken ETH/USD": D(8)}
    assert quantities(*things) == expected
    often = [*things, *things[:2], *things[:2], *things[:2]]
    random.Random(3).shuffle(often)
    assert quantities(*often) == expected
    # Fills of the same symbol at another venue say nothing about this one.
    more = [bought(number, "1", "ETH/EUR", "binance") for number in range(10, 15)]
    assert quantities(*things, *more) == {**expected, "binance ETH/EUR": D(5)}


def test_of_equals_they_belong_to_the_first_by_its_symbol() -> None:
    things = [bought(1, "1"), bought(2, "1", "ETH/EUR"), moved(3, CashKind.DEPOSIT, "5")]
    assert quantities(*things) == {"kraken ETH/EUR": D(6), "kraken ETH/USD": D(1)}


def test_coins_that_others_are_paid_with_are_still_held() -> None:
    """One trade of ETH/BTC takes no deposit of BTC out of BTC/USD."""
    things = [moved(1, CashKind.DEPOSIT, "1", "BTC"), sold(2, "1", "BTC/USD"), bought(3, "1", "ETH/BTC")]
    assert quantities(*things) == {"kraken BTC/USD": D(0), "kraken ETH/BTC": D(1)}


def test_money_that_others_are_paid_with_is_no_holding() -> None:
    dollars = moved(3, CashKind.DEPOSIT, "500", "USD", venue="ibkr")
    yen, euro = bought(1, "1", "USD/JPY", "ibkr"), bought(2, "1", "EUR/USD", "ibkr")
    assert quantities(yen, dollars) == {"ibkr USD/JPY": D(501)}
    assert quantities(yen, euro, dollars) == {"ibkr EUR/USD": D(1), "ibkr USD/JPY": D(1)}
    contract = bought(2, "1", "XAU/USD:USD", "ibkr")
    assert quantities(yen, contract, dollars) == {"ibkr USD/JPY": D(1), "ibkr XAU/USD:USD": D(1)}


def test_contracts_hold_no_coins() -> None:
    things = [bought(1, "1", "ETH/USD:USD"), moved(2, CashKind.DEPOSIT, "5")]
    assert quantities(*things) == {"kraken ETH/USD:USD": D(1)}


# Short ----------------------------------------------------------------------------------------------------------------


def test_what_was_sold_and_never_came_is_named() -> None:
    """Not what is a contract, and not what a strategy or a leg was kept apart for."""
    things = [
        sold(1, "1"),
        sold(2, "1", "ETH/USD:USD"),
        sold(3, "1", strategy="grid"),
        sold(4, "1", leg="ft-1"),
        bought(5, "1", "BTC/USD"),
        bought(6, "1", "SOL/USD"),
        sold(7, "1", "SOL/USD"),
    ]
    with made_of(things) as built:
        short = short_spot(built.holdings())
    assert [(one.symbol, one.strategy, one.position.leg, one.position.quantity) for one in short] == [
        ("ETH/USD", "", "", D(-1))
    ]
