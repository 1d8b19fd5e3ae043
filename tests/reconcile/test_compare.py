"""The book against the venue: the numbered invariants of `reconcile/compare`, and the scenes behind them."""

from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.errors import Illegal, InvariantBroken
from plimsoll.model.ids import AccountId, BrokerOrderId, ClientOrderId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Order, OrderState, OrderType, Side
from plimsoll.model.trade import TradeEffect, TradeReport
from plimsoll.model.venue import VenueOrder
from plimsoll.reconcile.compare import LedgerView, Moved, VenueView, compare
from plimsoll.reconcile.differences import (
    BalanceBreak,
    Difference,
    FilledMismatch,
    MissingTrade,
    OrderNotAtVenue,
    Origin,
    PositionKind,
    PositionMismatch,
    StatusMismatch,
    TermsMismatch,
    UnknownOrder,
)
from tests.reconcile.scenes import (
    CURSOR,
    INSTRUMENTS,
    INVERSE,
    NOON,
    PERPETUAL,
    SPOT,
    SWEPT_TO,
    UNHELD,
    UNHELD_WALLET,
    D,
    as_told,
    books,
    broker_id,
    client_id,
    ledger,
    order,
    report,
    venue_of,
    with_balance,
    with_order,
    with_orders,
    with_position,
    with_trades,
)

LAST_PLACE = D("1E-18")
Planted = tuple[LedgerView, VenueView, Difference]


def compared(book: LedgerView, venue: VenueView) -> tuple[Difference, ...]:
    """Compare views of one moment."""
    found = compare(book, venue, INSTRUMENTS)
    assert not isinstance(found, Moved)
    return found


# ------------------------------------------------------------------------------- single differences to plant


def order_of_ours_that_the_book_lost(book: LedgerView) -> Planted:
    lost = as_told(order(77))
    return book, with_order(venue_of(book), lost), UnknownOrder(lost, Origin.OURS, SPOT.symbol)


def order_of_ours_that_the_book_no_longer_lists(book: LedgerView) -> Planted:
    first = as_told(book.orders[0])
    rest = replace(book, orders=book.orders[1:])
    return rest, venue_of(book), UnknownOrder(first, Origin.OURS, PERPETUAL.symbol)


def foreign_order(book: LedgerView) -> Planted:
    foreign = replace(as_told(order(77)), client_order_id=ClientOrderId("x-web-1"))
    return book, with_order(venue_of(book), foreign), UnknownOrder(foreign, Origin.FOREIGN, SPOT.symbol)


def nameless_foreign_order(book: LedgerView) -> Planted:
    foreign = replace(as_told(order(77)), client_order_id=None)
    return book, with_order(venue_of(book), foreign), UnknownOrder(foreign, Origin.FOREIGN, SPOT.symbol)


def doubled_order(book: LedgerView) -> Planted:
    twin = replace(as_told(book.orders[0]), broker_order_id=BrokerOrderId("v000"))
    return book, with_order(venue_of(book), twin), UnknownOrder(twin, Origin.DOUBLED, PERPETUAL.symbol)


def order_gone_from_the_venue(book: LedgerView) -> Planted:
    venue = with_orders(venue_of(book), lambda _: None, 1)
    return book, venue, OrderNotAtVenue(client_id(1), OrderState.PARTIALLY_FILLED)


def order_never_acknowledged(book: LedgerView) -> Planted:
    sent = replace(order(77), state=OrderState.PENDING, broker_order_id=None)
    told = replace(as_told(sent), state=OrderState.NEW)
    mismatch = StatusMismatch(client_id(77), OrderState.PENDING, OrderState.NEW)
    return replace(book, orders=(*book.orders, sent)), with_order(venue_of(book), told), mismatch


def order_of_unknown_fate(book: LedgerView) -> Planted:
    sent = replace(order(77), state=OrderState.UNKNOWN, broker_order_id=None)
    with_sent = replace(book, orders=(*book.orders, sent))
    return with_sent, venue_of(book), OrderNotAtVenue(client_id(77), OrderState.UNKNOWN)


def fill_that_no_trade_tells(book: LedgerView) -> Planted:
    venue = with_orders(venue_of(book), lambda seen: replace(seen, filled_quantity=D("1.5")), 1)
    return book, venue, FilledMismatch(client_id(1), D(1), D("1.5"))


def state_that_only_follows_from_a_fill(book: LedgerView) -> Planted:
    waiting = order(77)
    told = replace(as_told(waiting), state=OrderState.PARTIALLY_FILLED, filled_quantity=LAST_PLACE)
    mismatch = FilledMismatch(client_id(77), D(0), LAST_PLACE)
    return replace(book, orders=(*book.orders, waiting)), with_order(venue_of(book), told), mismatch


def another_instrument(book: LedgerView) -> Planted:
    venue = with_orders(venue_of(book), lambda seen: replace(seen, instrument_id=UNHELD), 1)
    return book, venue, TermsMismatch(client_id(1), "instrument", "2", "4")


def another_side(book: LedgerView) -> Planted:
    venue = with_orders(venue_of(book), lambda seen: replace(seen, side=Side.SELL), 1)
    return book, venue, TermsMismatch(client_id(1), "side", "BUY", "SELL")


def another_quantity(book: LedgerView) -> Planted:
    venue = with_orders(venue_of(book), lambda seen: replace(seen, quantity=D(2) + LAST_PLACE), 1)
    return book, venue, TermsMismatch(client_id(1), "quantity", "2", "2.000000000000000001")


def another_price(book: LedgerView) -> Planted:
    venue = with_orders(venue_of(book), lambda seen: replace(seen, price=D("100.01")), 1)
    return book, venue, TermsMismatch(client_id(1), "price", "100", "100.01")


def no_price(book: LedgerView) -> Planted:
    venue = with_orders(venue_of(book), lambda seen: replace(seen, price=None), 1)
    return book, venue, TermsMismatch(client_id(1), "price", "100", "none")


def another_stop(book: LedgerView) -> Planted:
    venue = with_orders(venue_of(book), lambda seen: replace(seen, stop_price=D("109.99")), 1)
    return book, venue, TermsMismatch(client_id(1), "stop_price", "110", "109.99")


def unknown_position(book: LedgerView) -> Planted:
    venue = with_position(venue_of(book), UNHELD, -LAST_PLACE)
    return book, venue, PositionMismatch(UNHELD, "NQ/USD:USD", D(0), -LAST_PLACE)


def position_of_an_unheard_instrument(book: LedgerView) -> Planted:
    venue = with_position(venue_of(book), InstrumentId(99), D(1))
    return book, venue, PositionMismatch(InstrumentId(99), "instrument 99", D(0), D(1))


def position_gone(book: LedgerView) -> Planted:
    held = book.positions[PERPETUAL.id]
    venue = with_position(venue_of(book), PERPETUAL.id, -held)
    return book, venue, PositionMismatch(PERPETUAL.id, PERPETUAL.symbol, held, D(0))


def position_of_another_size(book: LedgerView) -> Planted:
    held = book.positions[PERPETUAL.id]
    venue = with_position(venue_of(book), PERPETUAL.id, LAST_PLACE)
    return book, venue, PositionMismatch(PERPETUAL.id, PERPETUAL.symbol, held, held + LAST_PLACE)


def last_place_of_a_balance(book: LedgerView) -> Planted:
    held = book.balances["spot", "USDT"]
    venue = with_balance(venue_of(book), ("spot", "USDT"), -LAST_PLACE)
    return book, venue, BalanceBreak("spot", "USDT", held, held - LAST_PLACE)


def last_place_of_a_debt(book: LedgerView) -> Planted:
    owed = book.balances["loan", "USDT"]
    venue = with_balance(venue_of(book), ("loan", "USDT"), -LAST_PLACE)
    return book, venue, BalanceBreak("loan", "USDT", owed, owed - LAST_PLACE)


def unheard_asset(book: LedgerView) -> Planted:
    venue = with_balance(venue_of(book), UNHELD_WALLET, LAST_PLACE)
    return book, venue, BalanceBreak(*UNHELD_WALLET, D(0), LAST_PLACE)


def asset_gone(book: LedgerView) -> Planted:
    venue = venue_of(book)
    with_more = replace(book, balances={**book.balances, UNHELD_WALLET: LAST_PLACE})
    return with_more, venue, BalanceBreak(*UNHELD_WALLET, LAST_PLACE, D(0))


def followed_by_its_money(venue: VenueView, instrument: Instrument, side: Side) -> VenueView:
    """Move at the venue what `report` moves there: written out by hand, not by the desk's own rule."""
    venue = with_balance(venue, ("futures" if instrument.is_derivative else "spot", "BNB"), D("-0.25"))
    if instrument is SPOT:
        sign = 1 if side is Side.BUY else -1
        return with_balance(with_balance(venue, ("spot", "BTC"), sign * D("0.5")), ("spot", "USDT"), -sign * D(40))
    venue = with_position(venue, instrument.id, D("0.5") if side is Side.BUY else D("-0.5"))
    return with_balance(venue, ("futures", "BTC" if instrument is INVERSE else "USDT"), D(3))


def missing_trade(instrument: Instrument, side: Side) -> Callable[[LedgerView], Planted]:
    def plant(book: LedgerView) -> Planted:
        told = report(1, instrument, side=side)
        venue = followed_by_its_money(venue_of(book), instrument, side)
        return book, with_trades(venue, told), MissingTrade(told, instrument.symbol)

    plant.__name__ = f"missing_{side.lower()}_of_{instrument.symbol}"
    return plant


def missing_trade_of_an_order(book: LedgerView) -> Planted:
    told = report(1, PERPETUAL, of=book.orders[0])
    venue = with_trades(followed_by_its_money(venue_of(book), PERPETUAL, Side.BUY), told)
    filled = with_orders(venue, lambda seen: replace(seen, filled_quantity=D("1.5")), 1)
    return book, filled, MissingTrade(told, PERPETUAL.symbol)


def missing_trade_that_ends_an_order(book: LedgerView) -> Planted:
    nearly = replace(order(77), filled_quantity=D("1.5"), state=OrderState.PARTIALLY_FILLED, broker_order_id=None)
    # The venue's order id is news to the book: ours alone connects the fill.
    told = replace(report(1, SPOT, of=nearly), broker_order_id=broker_id(77))
    venue = with_trades(followed_by_its_money(venue_of(book), SPOT, Side.BUY), told)
    return replace(book, orders=(*book.orders, nearly)), venue, MissingTrade(told, SPOT.symbol)


ORDER_PLANTS: list[Callable[[LedgerView], Planted]] = [
    order_of_ours_that_the_book_lost,
    order_of_ours_that_the_book_no_longer_lists,
    foreign_order,
    nameless_foreign_order,
    doubled_order,
    order_gone_from_the_venue,
    order_never_acknowledged,
    order_of_unknown_fate,
    fill_that_no_trade_tells,
    state_that_only_follows_from_a_fill,
    another_instrument,
    another_side,
    another_quantity,
    another_price,
    no_price,
    another_stop,
]
HOLDING_PLANTS: list[Callable[[LedgerView], Planted]] = [
    unknown_position,
    position_of_an_unheard_instrument,
    position_gone,
    position_of_another_size,
    last_place_of_a_balance,
    last_place_of_a_debt,
    unheard_asset,
    asset_gone,
]
TRADE_PLANTS: list[Callable[[LedgerView], Planted]] = [
    *(missing_trade(instrument, side) for instrument in (SPOT, PERPETUAL, INVERSE) for side in Side),
    missing_trade_of_an_order,
    missing_trade_that_ends_an_order,
]
PLANTS = ORDER_PLANTS + HOLDING_PLANTS + TRADE_PLANTS


def all_wrong(book: LedgerView) -> tuple[LedgerView, VenueView]:
    """Plant one of nearly everything at once."""
    waiting = replace(order(50), state=OrderState.PENDING)
    sent = replace(order(51), state=OrderState.UNKNOWN)
    half = order(52, filled="1")
    spoiled = replace(book, orders=(*book.orders, waiting, sent, half))
    venue = with_orders(venue_of(spoiled), lambda seen: replace(seen, state=OrderState.NEW), 50)
    venue = with_orders(venue, lambda _: None, 51)
    venue = with_orders(venue, lambda seen: replace(seen, filled_quantity=D("1.5")), 52)
    venue = with_orders(venue, lambda seen: replace(seen, price=D(1), side=Side.SELL), 1)
    twin = replace(as_told(order(1)), broker_order_id=BrokerOrderId("v000"))
    foreign = replace(as_told(order(60)), client_order_id=ClientOrderId("x-web-1"))
    venue = with_order(venue, twin, foreign, as_told(order(61)))
    venue = with_position(with_position(venue, UNHELD, D(1)), PERPETUAL.id, D(1))
    venue = with_balance(with_balance(venue, UNHELD_WALLET, D(1)), ("spot", "USDT"), D(1))
    return spoiled, with_trades(venue, report(2), report(1))


# ------------------------------------------------------------------------------------------------ 1 equal


@given(books())
def test_1_equal_views_have_no_differences(book: LedgerView) -> None:
    """Whatever is held and waits: told alike, nothing differs."""
    assert compared(book, venue_of(book)) == ()


@given(books())
def test_1_nothing_on_one_side_equals_zero_on_the_other(book: LedgerView) -> None:
    """A flat position and an empty wallet may be listed or left out, by either side."""
    venue = venue_of(book)
    emptied = with_balance(with_position(venue, UNHELD, D(0)), UNHELD_WALLET, D("-0.00"))
    assert compared(book, emptied) == ()
    listed = replace(
        book, positions={**book.positions, UNHELD: D("0.0")}, balances={**book.balances, UNHELD_WALLET: D(0)}
    )
    assert compared(listed, venue) == ()


def test_1_coins_are_balances_and_never_positions() -> None:
    """A broker that lists shares or coins among its positions is not compared with them twice; nor is the book."""
    book = ledger(balances={("spot", "BTC"): D(2)})
    assert compared(book, with_position(venue_of(book), SPOT.id, D(5))) == ()
    assert compared(replace(book, positions={SPOT.id: D(5)}), venue_of(book)) == ()


# ------------------------------------------------------------------------------------------------ 2 single


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
@given(book=books())
def test_2_a_single_difference_is_named_once_and_nothing_else(
    plant: Callable[[LedgerView], Planted], book: LedgerView
) -> None:
    """Whatever else the account holds."""
    spoiled, venue, difference = plant(book)
    assert compared(spoiled, venue) == (difference,)


def test_2_what_a_venue_may_tell_otherwise_is_no_difference() -> None:
    """The limit that a market order was sent with, a stop that was triggered, a trailing stop where it stands now."""
    kinds = [OrderType.MARKET, OrderType.STOP_LIMIT, OrderType.STOP, OrderType.TRAILING]
    book = ledger(*(order(number, kind=kind) for number, kind in enumerate(kinds, start=1)))
    venue = with_orders(venue_of(book), lambda seen: replace(seen, price=D(101)), 1)
    venue = with_orders(venue, lambda seen: replace(seen, type=OrderType.LIMIT, stop_price=None), 2)
    venue = with_orders(venue, lambda seen: replace(seen, type=OrderType.MARKET, stop_price=None), 3)
    venue = with_orders(venue, lambda seen: replace(seen, stop_price=D(97)), 4)
    assert compared(book, venue) == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [("0", "1", PositionKind.UNKNOWN), ("-1", "0", PositionKind.GONE), ("1", "-1", PositionKind.QUANTITY)],
)
def test_2_positions_differ_in_three_ways(ours: str, theirs: str, kind: PositionKind) -> None:
    """Unknown to the book, gone from the venue, or of another size."""
    assert PositionMismatch(PERPETUAL.id, PERPETUAL.symbol, D(ours), D(theirs)).kind is kind


# ------------------------------------------------------------------------------------------------ 3, 4 order

KINDS_IN_ORDER = [
    MissingTrade,
    UnknownOrder,
    OrderNotAtVenue,
    StatusMismatch,
    FilledMismatch,
    TermsMismatch,
    PositionMismatch,
    BalanceBreak,
]


def test_3_differences_come_by_kind_and_then_by_name() -> None:
    """The whole list of a thoroughly wrong account."""
    base = ledger(order(1), positions={PERPETUAL.id: D(2)}, balances={("spot", "USDT"): D(7)})
    book, venue = all_wrong(base)
    twin = replace(as_told(order(1)), broker_order_id=BrokerOrderId("v000"))
    foreign = replace(as_told(order(60)), client_order_id=ClientOrderId("x-web-1"))
    assert compared(book, venue) == (
        MissingTrade(report(1), "BTC/USDT"),
        MissingTrade(report(2), "BTC/USDT"),
        UnknownOrder(twin, Origin.DOUBLED, "BTC/USDT"),
        UnknownOrder(foreign, Origin.FOREIGN, "BTC/USDT"),
        UnknownOrder(as_told(order(61)), Origin.OURS, "BTC/USDT"),
        OrderNotAtVenue(client_id(51), OrderState.UNKNOWN),
        StatusMismatch(client_id(50), OrderState.PENDING, OrderState.NEW),
        FilledMismatch(client_id(52), D(1), D("1.5")),
        TermsMismatch(client_id(1), "side", "BUY", "SELL"),
        TermsMismatch(client_id(1), "price", "100", "1"),
        PositionMismatch(PERPETUAL.id, "BTC/USDT:USDT", D(2), D(3)),
        PositionMismatch(UNHELD, "NQ/USD:USD", D(0), D(1)),
        # The money of the two trades never moved at the venue.
        BalanceBreak("spot", "BNB", D("-0.5"), D(0)),
        BalanceBreak("spot", "BTC", D(1), D(0)),
        BalanceBreak("spot", "DOGE", D(0), D(1)),
        BalanceBreak("spot", "USDT", D(-73), D(8)),
    )


def test_3_one_kind_comes_by_name_and_trades_by_time() -> None:
    """However the answers were sorted: our ids, instruments, wallets, and the hour of a fill, not its id."""
    last, first = order(2), order(1, instrument=PERPETUAL)
    book = ledger(
        last, first, positions={UNHELD: D(1), INVERSE.id: D(1)}, balances={("b", "x"): D(1), ("a", "x"): D(1)}
    )
    empty = venue_of(ledger())
    assert compared(book, empty) == (
        OrderNotAtVenue(client_id(1), OrderState.NEW),
        OrderNotAtVenue(client_id(2), OrderState.NEW),
        PositionMismatch(INVERSE.id, "BTC/USD:BTC", D(1), D(0)),
        PositionMismatch(UNHELD, "NQ/USD:USD", D(1), D(0)),
        BalanceBreak("a", "x", D(1), D(0)),
        BalanceBreak("b", "x", D(1), D(0)),
    )
    told = tuple(replace(as_told(known), filled_quantity=D(1)) for known in (last, first))
    assert compared(ledger(last, first), replace(empty, open_orders=told)) == (
        FilledMismatch(client_id(1), D(0), D(1)),
        FilledMismatch(client_id(2), D(0), D(1)),
    )
    found = compared(ledger(), with_trades(empty, report(10), report(9)))
    assert found[:2] == (MissingTrade(report(9), SPOT.symbol), MissingTrade(report(10), SPOT.symbol))


@given(books())
def test_3_kinds_never_mix(book: LedgerView) -> None:
    """Each kind is told as one run, in the order that is written down."""
    kinds = [KINDS_IN_ORDER.index(type(difference)) for difference in compared(*all_wrong(book))]
    assert kinds == sorted(kinds)
    assert set(kinds) == set(range(len(KINDS_IN_ORDER)))


@given(books(), st.randoms(use_true_random=False), st.booleans())
def test_4_a_permutation_and_a_repetition_change_nothing(book: LedgerView, chance: object, repeat: bool) -> None:
    """Either side's lists in any order, pages that overlap: the same differences in the same order."""
    shuffled = chance.shuffle  # type: ignore[attr-defined]  # hypothesis gives a random.Random of its own
    spoiled, venue = all_wrong(book)
    orders, told, trades = list(spoiled.orders), list(venue.open_orders), list(venue.trades_after_cursor)
    positions, balances = list(venue.account.positions), list(venue.account.balances)
    ours, wallets = list(spoiled.positions.items()), list(spoiled.balances.items())
    if repeat:
        told, trades = told * 2, trades * 2
    for listed in (orders, told, trades, positions, balances, ours, wallets):
        shuffled(listed)
    mixed = replace(spoiled, orders=tuple(orders), positions=dict(ours), balances=dict(wallets))
    account = replace(venue.account, positions=tuple(positions), balances=tuple(balances))
    mixed_venue = replace(venue, account=account, open_orders=tuple(told), trades_after_cursor=tuple(trades))
    assert compared(mixed, mixed_venue) == compared(spoiled, venue)


def test_4_of_two_words_on_one_order_the_latest_counts() -> None:
    """An order that was listed on two pages, and changed in between, is not compared with its past."""
    book = ledger(order(1, filled="1"))
    now = as_told(book.orders[0])
    past = replace(now, quantity=D(9), updated_at=NOON - timedelta(seconds=1))
    for told in [(now, past), (past, now)]:
        assert compared(book, replace(venue_of(book), open_orders=told)) == ()


def test_4_two_contradicting_words_of_one_instant_count_alike_in_either_order() -> None:
    """Which one counts is arbitrary, and always the same."""
    told = as_told(order(1)), replace(as_told(order(1)), price=D(99))
    fills = report(1), replace(report(1), price=D(79))
    book = ledger(order(1))
    one = with_trades(replace(venue_of(book), open_orders=told), *fills)
    other = with_trades(replace(venue_of(book), open_orders=told[::-1]), *fills[::-1])
    assert compared(book, one) == compared(book, other)
    assert sum(isinstance(difference, MissingTrade) for difference in compared(book, one)) == 1


# ------------------------------------------------------------------------------------------------ 5 tolerance


@given(books(), st.sampled_from([LAST_PLACE, -LAST_PLACE]))
def test_5_the_last_place_is_a_difference(book: LedgerView, moved: Decimal) -> None:
    """In every wallet and every position, up or down, also beside twenty digits before the point."""
    venue = venue_of(book)
    for (pocket, asset), amount in book.balances.items():
        found = compared(book, with_balance(venue, (pocket, asset), moved))
        assert found == (BalanceBreak(pocket, asset, amount, amount + moved),)
    for instrument_id, quantity in book.positions.items():
        symbol = INSTRUMENTS[instrument_id].symbol
        found = compared(book, with_position(venue, instrument_id, moved))
        assert found == (PositionMismatch(instrument_id, symbol, quantity, quantity + moved),)


# ------------------------------------------------------------------------------------------------ 7 one moment

cursors = st.integers(CURSOR - 1, CURSOR + 1)
marks = st.integers(SWEPT_TO - 1, SWEPT_TO + 1)


@given(book=books(), before=cursors, at=cursors, after=cursors, asked=marks, swept_to=marks)
def test_7_views_of_different_moments_are_not_compared(
    *, book: LedgerView, before: int, at: int, after: int, asked: int, swept_to: int
) -> None:
    """Moved exactly when a cursor differs, whatever else does: no false difference, and none hidden."""
    spoiled, venue = all_wrong(book)
    moved = replace(
        venue,
        account=replace(venue.account, cursor=at),
        cursor_before=before,
        cursor_after=after,
        trades_asked_after=asked,
    )
    found = compare(replace(spoiled, trade_cursor=swept_to), moved, INSTRUMENTS)
    if before == at == after and asked == swept_to:
        assert found == compared(spoiled, venue)
    else:
        assert found == Moved((before, at, after), (asked, swept_to))


def test_7_two_accounts_are_never_compared() -> None:
    """Another account's answer is a bug of ours, not a difference."""
    book = ledger(order(1))
    with pytest.raises(InvariantBroken, match="its own account"):
        compare(replace(book, account_id=AccountId(2)), venue_of(book), INSTRUMENTS)


def test_7_an_answer_that_is_missing_makes_no_view() -> None:
    """No field of the venue's view has a default that could stand for a question not asked."""
    assert [field.name for field in fields(VenueView) if field.default is not MISSING] == []
    assert [field.name for field in fields(VenueView) if field.default_factory is not MISSING] == []


def test_7_a_view_holds_one_account_and_names_what_it_was_told() -> None:
    """Another account's fill, and an unbooked fill that nobody told, are refused at the door."""
    venue = venue_of(ledger())
    with pytest.raises(Illegal, match="this account alone"):
        with_trades(venue, replace(report(1), account_id=AccountId(2)))
    with pytest.raises(Illegal, match="trades that the venue told"):
        replace(venue, unbooked=frozenset({report(1).key}))


# ------------------------------------------------------------------------------------------------ 8 missing trades


def test_8_a_booked_trade_explains_nothing() -> None:
    """A fill that the venue repeats and the book has: neither named nor counted again."""
    book = ledger(balances={("spot", "USDT"): D(5)})
    repeated = replace(with_trades(venue_of(book), report(1)), unbooked=frozenset())
    assert compared(book, repeated) == ()


@given(books(), st.permutations([1, 2, 3]))
def test_8_many_missing_trades_of_one_order_explain_it(book: LedgerView, numbers: list[int]) -> None:
    """Three fills of 0.5 on an empty order leave it partly filled with 1.5 at the venue, told in any order."""
    waiting = order(77)
    fills = {number: report(number, of=waiting) for number in numbers}
    told = replace(as_told(waiting), filled_quantity=D("1.5"), state=OrderState.PARTIALLY_FILLED)
    venue = with_order(venue_of(book), told)
    for _ in fills:
        venue = followed_by_its_money(venue, SPOT, Side.BUY)
    found = compared(replace(book, orders=(*book.orders, waiting)), with_trades(venue, *fills.values()))
    assert found == tuple(MissingTrade(fills[number], SPOT.symbol) for number in (1, 2, 3))


def test_8_a_nameless_trade_fills_no_order() -> None:
    """A liquidation that names no order is not the fill of one whose acknowledgement is still on its way."""
    sent = replace(order(1), broker_order_id=None)
    book = ledger(sent)
    venue = with_trades(followed_by_its_money(venue_of(book), SPOT, Side.BUY), report(1))
    assert compared(book, venue) == (MissingTrade(report(1), SPOT.symbol),)


def test_8_what_a_missing_trade_does_not_explain_is_named_beside_it() -> None:
    """A fill accounts for its own amounts and for no more."""
    book = ledger()
    venue = with_trades(followed_by_its_money(venue_of(book), SPOT, Side.BUY), report(1))
    stolen = with_balance(venue, ("spot", "USDT"), -LAST_PLACE)
    assert compared(book, stolen) == (
        MissingTrade(report(1), SPOT.symbol),
        BalanceBreak("spot", "USDT", D(-40), D(-40) - LAST_PLACE),
    )


def test_8_an_order_that_its_missing_fills_complete_and_that_still_waits_is_named() -> None:
    """The venue contradicts itself: the whole quantity filled, and waiting."""
    nearly = order(1, filled="1.5")
    book = ledger(nearly)
    venue = with_trades(followed_by_its_money(venue_of(book), SPOT, Side.BUY), report(1, of=nearly))
    assert compared(book, venue)[1:] == (FilledMismatch(client_id(1), D(2), D("1.5")),)


@pytest.mark.parametrize(
    ("told", "named"),
    [
        (replace(report(1), revision=1, effect=TradeEffect.CORRECT), [BalanceBreak("spot", "USDT", D(0), D(-40))]),
        (replace(report(1), instrument_id=InstrumentId(99)), [BalanceBreak("spot", "USDT", D(0), D(-40))]),
    ],
    ids=["a correction", "an unheard instrument"],
)
def test_8_what_cannot_be_foretold_is_not_guessed(told: TradeReport, named: list[Difference]) -> None:
    """What follows from such a trade stays named until it is booked: unknown is not zero."""
    book = ledger()
    found = compared(book, with_trades(with_balance(venue_of(book), ("spot", "USDT"), D(-40)), told))
    assert [type(found[0]), *found[1:]] == [MissingTrade, *named]


def test_8_profit_that_the_venue_does_not_report_is_not_guessed() -> None:
    """Position and fee of such a fill are foretold; the profit stays named until our fold has it."""
    told = replace(report(1, PERPETUAL), realized_cash=None)
    book = ledger()
    venue = followed_by_its_money(venue_of(book), PERPETUAL, Side.BUY)
    assert compared(book, with_trades(venue, told)) == (
        MissingTrade(told, PERPETUAL.symbol),
        BalanceBreak("futures", "USDT", D(0), D(3)),
    )


# ------------------------------------------------------------------------------------------------ 9 matching


def matched(ours: Order, *told: VenueOrder) -> tuple[Difference, ...]:
    book = ledger(ours)
    return compared(book, replace(venue_of(book), open_orders=told))


def test_9_the_venues_id_counts_before_ours() -> None:
    """A venue that forgets our id, or tells it otherwise, still has our order."""
    told = as_told(order(1))
    assert matched(order(1), replace(told, client_order_id=None)) == ()
    assert matched(order(1), replace(told, client_order_id=ClientOrderId("x"))) == ()


def test_9_our_id_counts_where_the_venues_is_not_known() -> None:
    """An acknowledgement that was lost, and an order that the venue gave a new id."""
    assert matched(replace(order(1), broker_order_id=None), as_told(order(1))) == ()
    assert matched(order(1), replace(as_told(order(1)), broker_order_id=BrokerOrderId("v999"))) == ()


def test_9_a_venues_id_may_repeat_in_another_instrument() -> None:
    """Venues that number orders per symbol: the same number is another order."""
    foreign = replace(as_told(order(1)), instrument_id=PERPETUAL.id, client_order_id=None)
    assert matched(order(1), as_told(order(1)), foreign) == (UnknownOrder(foreign, Origin.FOREIGN, PERPETUAL.symbol),)


@given(st.sampled_from(["v000", "v999"]), st.booleans())
def test_9_the_doubled_order_does_not_take_the_place_of_the_known_one(twins_id: str, acknowledged: bool) -> None:
    """Whatever number the venue gave the second order; without an acknowledgement the lower number is ours."""
    known = order(1) if acknowledged else replace(order(1), broker_order_id=None)
    told = as_told(order(1))
    twin = replace(told, broker_order_id=BrokerOrderId(twins_id))
    second = twin if acknowledged else max(told, twin, key=lambda seen: seen.broker_order_id)
    assert matched(known, told, twin) == (UnknownOrder(second, Origin.DOUBLED, SPOT.symbol),)


def test_9_two_lost_orders_of_one_id_are_one_lost_and_one_doubled() -> None:
    """Also where the book has neither."""
    first = as_told(order(5))
    second = replace(first, broker_order_id=BrokerOrderId("v999"))
    found = compared(ledger(), replace(venue_of(ledger()), open_orders=(second, first)))
    assert found == (
        UnknownOrder(first, Origin.OURS, SPOT.symbol),
        UnknownOrder(second, Origin.DOUBLED, SPOT.symbol),
    )


def test_9_nameless_orders_are_not_each_others_double() -> None:
    """Two orders without a client order id are two foreign orders."""
    told = [replace(as_told(order(number)), client_order_id=None) for number in (5, 6)]
    found = compared(ledger(), replace(venue_of(ledger()), open_orders=tuple(told)))
    assert found == tuple(UnknownOrder(seen, Origin.FOREIGN, SPOT.symbol) for seen in told)


def test_9_an_order_that_ended_is_not_missed() -> None:
    """A closed order among those of the book is not asked for at the venue."""
    closed = replace(order(1), state=OrderState.CANCELED)
    assert compared(ledger(closed), venue_of(ledger())) == ()
