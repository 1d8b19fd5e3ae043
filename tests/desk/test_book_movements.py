"""Money that moved at the venue without a trade: booked once, whoever told it, and never taken for profit or loss."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.book_movements import sweep_movements, take_in
from plimsoll.desk.book_trades import hear
from plimsoll.desk.place_order import place_order
from plimsoll.ledger import guarding, keys
from plimsoll.ledger.book_trade import Booking
from plimsoll.ledger.cash import Balance
from plimsoll.ledger.keys import Nav
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.cash import LOAN, SPOT, CashKind, debt
from plimsoll.model.errors import Illegal, TryAgain
from plimsoll.model.ids import AccountId, BrokerTradeId, InstrumentId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.position import Position
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import Movement
from plimsoll.risk.guards.reading import Blind, Reading
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Draft
from tests.builders.desk import ACCOUNT, COARSE, MAIN, Desk, play
from tests.builders.paper import PERPETUAL, START
from tests.builders.paper import SPOT as BTC

D = Decimal
DEPOSIT, WITHDRAWAL, FUNDING = CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.FUNDING


def moved(kind: CashKind, amount: str, reference: str = "m-1", **said: object) -> Movement:
    """Give a movement as the venue tells it, in USDT unless it says otherwise."""
    plain = Movement(ACCOUNT, reference, kind, "USDT", D(amount), START + timedelta(hours=1), SPOT)
    return replace(plain, **said)  # type: ignore[arg-type]


def funding(amount: str, reference: str = "f-1", of: Instrument = PERPETUAL, **said: object) -> Movement:
    return moved(FUNDING, amount, reference, instrument_id=of.id, **said)


def tells(desk: Desk, *movements: Movement, a_page: int = 100, settled: int | None = None) -> None:
    """Let the venue have a ledger of its own, with these rows."""
    desk.venue.facts_said = replace(desk.venue.facts_said, tells_movements=True)
    desk.venue.movements[:] = movements
    desk.venue.movements_a_page, desk.venue.movements_settled = a_page, settled


def nav_of(desk: Desk) -> Nav:
    return guarding.nav_of(desk.ports.books.hot, ACCOUNT)


def cursor_of(desk: Desk) -> int:
    return desk.ports.books.hot.get(keys.movement_cursor(ACCOUNT)) or 0


def money_in(desk: Desk, pocket: str, asset: str = "USDT") -> Decimal:
    found: Balance | None = desk.ports.books.hot.get(keys.balance(ACCOUNT, MAIN, pocket, asset))
    return D(0) if found is None else found.amount


async def hold(desk: Desk, *held: tuple[int, str, str]) -> None:
    """Trade the perpetual to this: (strategy, or 0 for nobody's order; leg; quantity) each, 0 after it was held."""
    for number, (strategy, leg, quantity) in enumerate(held):
        sides = [Side.BUY, Side.SELL] if D(quantity) == 0 else [Side.BUY if D(quantity) > 0 else Side.SELL]
        size = abs(D(quantity)) or D(1)
        for side in sides:
            if strategy:
                wish = desk.intent(side, str(size), of=PERPETUAL, by=f"bot:{strategy}")
                answer = await place_order(desk.ports, replace(wish, strategy_id=StrategyId(strategy)))
                assert answer.order is not None, answer
            else:
                await hear(desk.ports, [filled(side, size, f"{leg}{number}", leg=leg)])


def filled(side: Side, quantity: Decimal, trade_id: str, **said: object) -> TradeReport:
    """Give a fill of the perpetual that no order of ours caused."""
    place = (ACCOUNT, PERPETUAL.id, BrokerTradeId(trade_id), side, quantity, D(50_000))
    return replace(TradeReport(*place, D(0), "USDT", START + timedelta(hours=1)), **said)  # type: ignore[arg-type]


def flows(desk: Desk) -> dict[tuple[int, str], tuple[tuple[str, str, Decimal], ...]]:
    """Give what each position of the perpetual earned or paid beside its trades, by strategy and leg."""
    found: list[Position] = desk.ports.books.hot.shelf(keys.POSITION, ACCOUNT)
    return {(one.strategy_id or 0, one.leg): one.flows for one in found if one.flows}


# Flows ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "amount"), [(DEPOSIT, "26750"), (WITHDRAWAL, "-26750")])
def test_what_comes_or_goes_is_neither_profit_nor_a_drawdown(tmp_path: Path, kind: CashKind, amount: str) -> None:
    """C9: withdraw a quarter, or bring one; a unit is worth what it was, and so is its peak."""

    async def story(desk: Desk) -> None:
        await desk.buy("1")
        for bid in ("60000", "60000", "60000", "57000", "57000"):
            await desk.look(bid, after=1)
        before = desk.guard.last
        assert isinstance(before, Reading)
        assert before.drawdown > D("0.02")
        assert await take_in(desk.ports, [moved(kind, amount)]) == [Booking.BOOKED]
        assert desk.cash() == D(50_000) + D(amount)
        # The venue told it, so it has it too.
        desk.venue.equity_factor = 1 + D("0.25").copy_sign(D(amount))
        await desk.look("57000")
        after = desk.guard.last
        assert isinstance(after, Reading)
        assert abs(after.nav - before.nav) < D("1e-12")
        assert (after.peak, after.equity) == (before.peak, before.equity + D(amount))
        assert desk.guard.episode.number == 0

    play(tmp_path, story)


def test_a_flow_is_booked_once_whoever_tells_it(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        told = moved(DEPOSIT, "500")
        tells(desk, told)
        await hear(desk.ports, [told])
        await hear(desk.ports, [replace(told, at=told.at + timedelta(microseconds=400))])
        assert await sweep_movements(desk.ports) == 0
        assert await take_in(desk.ports, [told, told]) == [Booking.REPEATED] * 2
        assert (desk.cash(), nav_of(desk).units, cursor_of(desk)) == (D(100_500), D(100_500), 1)
        assert desk.ports.reconciled

    play(tmp_path, story)


def test_the_order_of_what_is_told_changes_nothing(tmp_path: Path) -> None:
    """Money, units and what the position earned are the same, with a repetition in between."""
    told = (moved(DEPOSIT, "900", "a"), moved(WITHDRAWAL, "-300", "b"), funding("-1.5", "c"), funding("0.25", "d"))
    seen: set[tuple[Decimal, Decimal, str]] = set()
    units: list[Decimal] = []

    def told_as(order: Sequence[Movement]) -> None:
        async def story(desk: Desk) -> None:
            await hold(desk, (3, "", "1"))
            for movement in (*order, order[0]):
                await hear(desk.ports, [movement])
            seen.add((desk.cash(), nav_of(desk).peak, str(flows(desk))))
            units.append(nav_of(desk).units)

        play(tmp_path / "-".join(one.reference for one in order), story, trades_in=PERPETUAL)

    for order in itertools.islice(itertools.permutations(told), 0, 24, 5):
        told_as(order)
    # A unit is worth a trace more or less where funding came before a deposit or after it.
    assert max(units) - min(units) < D("0.02")
    assert len(seen) == 1
    assert seen.pop()[2] == str({(3, ""): (("FUNDING", "USDT", D("-1.25")),)})


def test_another_amount_under_a_reference_is_an_incident_and_changes_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        first = (moved(DEPOSIT, "500", "a"), moved(CashKind.INTEREST, "-2", "b"))
        await take_in(desk.ports, first)
        before, units = desk.cash(), nav_of(desk)
        others = [moved(DEPOSIT, "600", "a"), moved(CashKind.INTEREST, "-3", "b")]
        assert await take_in(desk.ports, others) == [Booking.CONTRADICTED] * 2
        assert (desk.cash(), nav_of(desk)) == (before, units)
        assert not desk.ports.reconciled
        await desk.flush()
        rejected = desk.rows("SELECT actor, entity, entity_key FROM audit_log WHERE action = 'REJECT' ORDER BY seq")
        assert rejected == [("venue:paper", "CASH", "a"), ("venue:paper", "CASH", "b")]
        assert desk.rows("SELECT count(*) FROM events WHERE kind = 'BREAK_FOUND'") == [(2,)]

    play(tmp_path, story)


def test_a_flow_waits_until_the_account_can_be_valued_and_nothing_of_it_is_half_done(tmp_path: Path) -> None:
    """The cursor stays before it; what comes behind it is booked and read again."""

    async def story(desk: Desk) -> None:
        await desk.buy("1")
        tells(desk, moved(DEPOSIT, "500", "a"), moved(CashKind.INTEREST, "-2", "b"), moved(WITHDRAWAL, "-5", "c"))
        desk.venue.movements_a_page = 1
        await desk.wait(6)  # the last price is too old by then
        units = nav_of(desk)
        assert await sweep_movements(desk.ports) == 1
        assert (desk.cash(), nav_of(desk), cursor_of(desk)) == (D(49_998), units, 0)
        assert not desk.ports.reconciled
        before = desk.everything()
        assert await sweep_movements(desk.ports) == 0
        await desk.flush()
        assert desk.everything() == before
        await desk.quote("50000")
        assert await sweep_movements(desk.ports) == 2
        assert (desk.cash(), cursor_of(desk)) == (D(50_493), 3)

    play(tmp_path, story)


def test_coins_are_valued_by_their_price_and_stand_in_their_pair_at_a_cost_that_nobody_knows(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert await take_in(desk.ports, [moved(DEPOSIT, "2", asset="BTC")]) == [Booking.BOOKED]
        held = desk.position(BTC)
        assert held is not None
        assert (held.quantity, held.cost, held.uncosted, desk.cash("BTC")) == (D(2), D(0), D(2), D(2))
        assert nav_of(desk).units == D(200_000)
        assert await take_in(desk.ports, [moved(DEPOSIT, "2", asset="BTC")]) == [Booking.REPEATED]
        # More than the position has: the rest was somebody else's, whose position stays as it is.
        assert await take_in(desk.ports, [moved(WITHDRAWAL, "-3", "w", asset="BTC")]) == [Booking.BOOKED]
        assert (desk.held(BTC), desk.cash("BTC"), nav_of(desk).units) == (D(0), D(-1), D(50_000))
        assert await take_in(desk.ports, [moved(WITHDRAWAL, "-1", "x", asset="BTC")]) == [Booking.BOOKED]
        assert (desk.held(BTC), desk.cash("BTC")) == (D(0), D(-2))

    play(tmp_path, story)


def test_coins_outside_the_spot_pocket_or_without_a_pair_stand_in_no_position(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert await take_in(desk.ports, [moved(DEPOSIT, "1", asset="BTC", pocket="margin")]) == [Booking.BOOKED]
        assert (desk.held(BTC), money_in(desk, "margin", "BTC")) == (D(0), D(1))
        # No pair of any kind: nobody can say what it is worth.
        before = desk.cash("XYZ"), nav_of(desk)
        assert await take_in(desk.ports, [moved(DEPOSIT, "5", "x", asset="XYZ")]) == [Booking.WAITING]
        assert (desk.cash("XYZ"), nav_of(desk)) == before

    play(tmp_path, story)


def test_coins_that_are_priced_over_another_asset_stand_in_no_position(tmp_path: Path) -> None:
    """ETH has a pair with USDT; an account valued in BTC prices it over two."""

    async def story(desk: Desk) -> None:
        account = desk.ports.books.hot.get(keys.account(ACCOUNT))

        def unit(draft: Draft) -> None:
            draft.put(keys.account(ACCOUNT), replace(account, base_currency="BTC"))
            write_note(draft, Note(ACCOUNT, "user:1", "UPDATE", "ACCOUNT", account.uid, START, {}))

        await desk.ports.books.write(unit)
        await desk.quote("2000", of=COARSE)
        await desk.quote("50000")
        assert await take_in(desk.ports, [moved(DEPOSIT, "10", asset="ETH")]) == [Booking.BOOKED]
        assert (desk.held(COARSE), desk.cash("ETH")) == (D(0), D(10))
        assert await take_in(desk.ports, []) == []
        await desk.ports.books.write(lambda draft: draft.put(keys.account(ACCOUNT), account))

    play(tmp_path, story)


def test_all_that_is_there_goes_out_and_what_comes_then_begins_anew(tmp_path: Path) -> None:
    """No unit is left, nobody can be shown a drawdown, and nothing is bought of units worth nothing."""

    async def story(desk: Desk) -> None:
        assert await take_in(desk.ports, [moved(WITHDRAWAL, "-100000", "all")]) == [Booking.BOOKED]
        assert (desk.cash(), nav_of(desk).units) == (D(0), D(0))
        await desk.guard.look()
        assert isinstance(desk.guard.last, Blind)
        assert desk.guard.last.why == "everything that was deposited went out again"
        assert await take_in(desk.ports, [moved(DEPOSIT, "700", "anew")]) == [Booking.BOOKED]
        nav = nav_of(desk)
        assert (nav.units, nav.peak, desk.ports.peak_seen) == (D(700), D(1), D(1))

    play(tmp_path, story)


def test_more_goes_out_than_the_book_knows_of(tmp_path: Path) -> None:
    """It is a fact and booked; the guard sees no loss in it, for it sees no units."""

    async def story(desk: Desk) -> None:
        assert await take_in(desk.ports, [moved(WITHDRAWAL, "-130000", "all")]) == [Booking.BOOKED]
        assert (desk.cash(), nav_of(desk).units) == (D(-30_000), D(0))
        await desk.look("50000", after=1)
        assert desk.guard.episode.number == 0
        # The deposit that explains it comes late: units of what is there.
        await take_in(desk.ports, [moved(DEPOSIT, "50000", "late")])
        assert (desk.cash(), nav_of(desk).units) == (D(20_000), D(20_000))

    play(tmp_path, story)


# What positions earn and pay --------------------------------------------------------------------------------------


HELD_BY: dict[str, tuple[tuple[tuple[int, str, str], ...], str, tuple[int, str]]] = {
    "the one strategy that holds it": (((3, "", "1"),), "", (3, "")),
    "the account itself": (((0, "", "-2"),), "", (0, "")),
    "nobody any more: the one that held it last": (((3, "", "0"),), "", (3, "")),
    "one that holds it, beside one that is flat": (((4, "", "0"), (3, "", "1")), "", (3, "")),
    "nobody ever": ((), "", (0, "")),
    "two: nobody is told which": (((3, "", "1"), (4, "", "1")), "", (0, "")),
    "two that are flat": (((3, "", "0"), (4, "", "0")), "", (0, "")),
    "one side of two, which the venue names": (((0, "LONG", "1"), (0, "SHORT", "-1")), "SHORT", (0, "SHORT")),
    "one side, which the venue does not name": (((0, "LONG", "1"),), "", (0, "LONG")),
    "a side that nobody holds": (((3, "", "1"),), "SHORT", (0, "SHORT")),
}


@pytest.mark.parametrize("who", HELD_BY)
def test_funding_belongs_to(tmp_path: Path, who: str) -> None:
    """The venue knows no strategies; what it pays belongs to the one position there is, else to main, never split."""
    held, leg, whose = HELD_BY[who]

    async def story(desk: Desk) -> None:
        await hold(desk, *held)
        assert await take_in(desk.ports, [funding("-0.5", leg=leg)]) == [Booking.BOOKED]
        assert flows(desk) == {whose: (("FUNDING", "USDT", D("-0.5")),)}
        # Told again when somebody else holds it, it is the same.
        await hold(desk, (9, "", "1"), (0, leg, "2"))
        assert await take_in(desk.ports, [funding("-0.5", leg=leg)]) == [Booking.REPEATED]
        assert flows(desk) == {whose: (("FUNDING", "USDT", D("-0.5")),)}

    play(tmp_path, story, trades_in=PERPETUAL, cash="1000000")


@pytest.mark.parametrize(
    "kind",
    [CashKind.INTEREST, CashKind.DIVIDEND, CashKind.LIQUIDATION, CashKind.ADL, CashKind.SETTLEMENT, FUNDING],
)
def test_what_a_position_earns_or_pays_is_profit_or_loss(tmp_path: Path, kind: CashKind) -> None:
    """No unit is bought or sold by it, with a position or without one."""

    async def story(desk: Desk) -> None:
        units = nav_of(desk)
        told = [moved(kind, "-7", "a"), moved(kind, "3", "b", instrument_id=BTC.id), moved(kind, "0", "nothing")]
        became = await take_in(desk.ports, told)
        assert became == [Booking.BOOKED, Booking.BOOKED, Booking.REPEATED]
        assert (desk.cash(), nav_of(desk)) == (D(99_996), units)
        await desk.flush()
        booked = desk.rows(f"SELECT amount, instrument_id FROM cash_lines WHERE kind = '{kind}' ORDER BY id")
        assert booked == [("-7", None), ("3", BTC.id)]

    play(tmp_path, story)


def test_what_is_borrowed_is_owed_once(tmp_path: Path) -> None:
    """C6: a loan is money and a debt, and a repayment less of both; nobody gets richer or poorer."""

    async def story(desk: Desk) -> None:
        units = nav_of(desk)
        lent = [moved(CashKind.BORROW, "50", "a"), moved(CashKind.REPAY, "-20", "b", instrument_id=BTC.id)]
        assert await take_in(desk.ports, lent) == [Booking.BOOKED] * 2
        assert await take_in(desk.ports, lent) == [Booking.REPEATED] * 2
        assert (money_in(desk, SPOT), money_in(desk, LOAN)) == (D(100_030), D(-30))
        assert debt(D(0), money_in(desk, LOAN)) == D(30)
        assert (desk.cash(), nav_of(desk)) == (D(100_000), units)

    play(tmp_path, story)


# What cannot be booked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (moved(CashKind.TRADE, "5"), "kind"),
        (moved(CashKind.TRANSFER, "5"), "kind"),
        (moved(CashKind.ADJUSTMENT, "5"), "kind"),
        (moved(DEPOSIT, "-5"), "amount"),
        (moved(WITHDRAWAL, "5"), "amount"),
        (moved(CashKind.REPAY, "5"), "amount"),
        (moved(FUNDING, "NaN"), "amount"),
        (moved(DEPOSIT, "1e30"), "amount"),
        (moved(DEPOSIT, "5", pocket=LOAN), "pocket"),
        (moved(FUNDING, "5", instrument_id=InstrumentId(99)), "an instrument that the book does not know"),
        (moved(DEPOSIT, "5", account_id=AccountId(2)), "a movement of account 2 came in on account 1's line"),
    ],
)
def test_of_what_cannot_be_booked_nothing_is(tmp_path: Path, wrong: Movement, why: str) -> None:
    """Nor of what was told together with it; the account is in doubt, and the cursor stays."""

    async def story(desk: Desk) -> None:
        await desk.flush()
        before = desk.everything()
        tells(desk, moved(DEPOSIT, "10", "good"), wrong)
        with pytest.raises((Illegal, LookupError), match=why):
            await sweep_movements(desk.ports)
        with pytest.raises((Illegal, LookupError)):
            await hear(desk.ports, [wrong])
        assert not desk.ports.reconciled
        await desk.flush()
        assert desk.everything() == before
        assert cursor_of(desk) == 0

    play(tmp_path, story)


# The sweep ------------------------------------------------------------------------------------------------------------


def test_a_venue_that_tells_no_movements_is_not_asked(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.movements.append(moved(DEPOSIT, "5"))
        assert await sweep_movements(desk.ports) == 0
        assert desk.cash() == D(100_000)
        desk.venue.down = True
        assert await sweep_movements(desk.ports) == 0

    play(tmp_path, story)


def test_a_sweep_reads_every_page_and_remembers_what_the_venue_vouches_for(tmp_path: Path) -> None:
    """A history that lags is read again from there, and what comes up in the middle of it is found."""

    async def story(desk: Desk) -> None:
        rows = [moved(CashKind.INTEREST, "-1", f"i-{number}") for number in range(250)]
        tells(desk, *rows, a_page=7, settled=240)
        assert await sweep_movements(desk.ports) == 250
        assert (desk.cash(), cursor_of(desk)) == (D(99_750), 240)
        tells(desk, *rows[:245], moved(CashKind.INTEREST, "-1", "late"), *rows[245:], a_page=7)
        assert await sweep_movements(desk.ports) == 1
        assert (desk.cash(), cursor_of(desk)) == (D(99_749), 251)
        assert await sweep_movements(desk.ports) == 0
        # A venue that vouches for less than before does not make the book forget how far it had read.
        tells(desk, *rows, settled=3)
        assert await sweep_movements(desk.ports) == 0
        assert cursor_of(desk) == 251

    play(tmp_path, story)


def test_where_the_venue_or_the_database_fails_the_cursor_stays(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        tells(desk, *(moved(DEPOSIT, "10", f"d-{number}") for number in range(3)))
        desk.venue.down = True
        with pytest.raises(TryAgain):
            await sweep_movements(desk.ports)
        desk.venue.down = False
        for left in range(4):  # a look, what is not booked yet of three deposits, the cursor
            desk.books.writes_left = left
            with pytest.raises(StoreFailed):
                await sweep_movements(desk.ports)
            assert cursor_of(desk) == 0
        desk.books.writes_left = None
        assert await sweep_movements(desk.ports) == 0
        assert (desk.cash(), nav_of(desk).units, cursor_of(desk)) == (D(100_030), D(100_030), 3)

    play(tmp_path, story)


def test_a_process_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        tells(desk, moved(DEPOSIT, "10", "a"), moved(CashKind.INTEREST, "-2", "b"))
        await take_in(desk.ports, desk.venue.movements[:1])
        desk.die()
        tells(desk, moved(DEPOSIT, "10", "a"), moved(CashKind.INTEREST, "-2", "b"))
        assert await sweep_movements(desk.ports) == 1
        desk.die()
        assert (desk.cash(), cursor_of(desk)) == (D(100_008), 2)

    play(tmp_path, story)
