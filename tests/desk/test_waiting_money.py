"""Money that came or went and cannot be valued: it waits, nothing opens, and people hear of it once, after a minute."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk.book_flow import book_flow
from plimsoll.desk.book_movements import sweep_movements
from plimsoll.desk.book_trades import hear
from plimsoll.desk.reconcile_account import Reconciliation, reconcile_account
from plimsoll.desk.repairs import NEWS_SECONDS
from plimsoll.ledger import guarding, keys
from plimsoll.ledger.trades import Booking
from plimsoll.model.cash import SPOT, CashEvent, CashKind
from plimsoll.model.venue import Movement
from plimsoll.reconcile.suspicion import LONG_SECONDS
from tests.builders.desk import ACCOUNT, COARSE, DEAR, MAIN, Desk, play
from tests.builders.paper import START
from tests.builders.served import Served, serve

D = Decimal
DEPOSIT, WITHDRAWAL = CashKind.DEPOSIT, CashKind.WITHDRAWAL
BREAKS = "SELECT kind, subject, status FROM breaks ORDER BY id"
WAITS = "A deposit of 10 ETH (eth) waits to be booked: nothing prices ETH."


async def comes(desk: Desk, asset: str = "ETH", amount: str = "10", reference: str = "eth") -> Movement:
    """Bring something in at the venue, whose ledger and balance tell it; ETH has a pair and no price yet."""
    venue = desk.venue
    venue.facts_said = replace(venue.facts_said, tells_movements=True)
    came = Movement(ACCOUNT, reference, DEPOSIT, asset, D(amount), desk.clock.now(), SPOT)
    venue.movements.append(came)
    await venue.inner.deposit(ACCOUNT, asset, D(amount), reference=reference)
    return came


async def compared(desk: Desk, seconds: float) -> Reconciliation:
    """Compare every three seconds for so long, and give the last."""
    for _ in range(int(seconds / 3)):
        await reconcile_account(desk.ports)
        await desk.wait(3)
    return await reconcile_account(desk.ports)


def cursor_of(desk: Desk) -> int:
    return desk.ports.books.hot.get(keys.movement_cursor(ACCOUNT)) or 0


def units(desk: Desk) -> Decimal:
    return guarding.nav_of(desk.ports.books.hot, ACCOUNT).units


@pytest.mark.parametrize("lag", [0, 20])
def test_a_difference_that_a_waiting_movement_explains_waits_with_it_and_then_names_it(
    tmp_path: Path, lag: int
) -> None:
    """C13: a venue's first coins are told before their price; that is no break, and one without a price is."""

    async def story(desk: Desk) -> None:
        await comes(desk)
        desk.venue.facts_said = replace(desk.venue.facts_said, history_lag=timedelta(seconds=lag))
        result = await compared(desk, LONG_SECONDS - 3)
        assert (result.breaks, result.waiting, result.unsure, result.may_open) == ((), (WAITS,), True, False)
        assert not (await desk.buy("0.01")).approved
        await desk.flush()
        assert (desk.told.messages, desk.rows(BREAKS)) == ([], [])
        result = await compared(desk, 60)
        (found,) = result.breaks
        assert found.sentence == f"ETH in spot: the book has 0, the venue 10. {WAITS}"
        assert "adjust" not in found.proposal
        assert (result.may_open, result.unsure) == (False, False)
        assert desk.told.messages == [("warning", f"{WAITS} {found.proposal} Nothing opens until then.")]
        await desk.flush()
        assert desk.rows(BREAKS) == [("balance", "spot:ETH", "OPEN")]
        await desk.quote("2000", of=COARSE)
        result = await reconcile_account(desk.ports)
        assert (result.may_open, result.waiting, desk.cash("ETH"), units(desk)) == (True, (), D(10), D(120_000))
        await desk.flush()
        assert desk.rows(BREAKS)[0][2] != "OPEN"
        assert (len(desk.told.messages), desk.ports.waiting, cursor_of(desk)) == (1, {}, 1)

    play(tmp_path, story)


def test_what_a_waiting_movement_does_not_explain_is_a_break_at_once(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await comes(desk)
        await desk.paper.venue.deposit(ACCOUNT, "ETH", D("0.5"), reference="untold")
        result = await reconcile_account(desk.ports)
        assert [found.key for found in result.breaks] == ["balance:spot:ETH"]
        assert "waits" not in result.breaks[0].sentence
        # What is on the list stays there, although it is explained now.
        await desk.paper.venue.withdraw(ACCOUNT, "ETH", D("0.5"), reference="untold back")
        result = await reconcile_account(desk.ports)
        assert [found.sentence for found in result.breaks] == [f"ETH in spot: the book has 0, the venue 10. {WAITS}"]
        assert desk.told.messages == []

    play(tmp_path, story)


def test_nothing_opens_while_money_waits_that_no_balance_shows(tmp_path: Path) -> None:
    """It came and went: both sides are equal, and still nobody knows what a unit is worth."""

    async def story(desk: Desk) -> None:
        await comes(desk)
        desk.venue.movements.append(replace(desk.venue.movements[0], kind=WITHDRAWAL, amount=D(-10), reference="back"))
        await desk.paper.venue.withdraw(ACCOUNT, "ETH", D(10), reference="back")
        result = await compared(desk, LONG_SECONDS + 9)
        assert (result.breaks, len(result.waiting), result.may_open, desk.ports.reconciled) == ((), 2, False, False)
        assert len(desk.told.messages) == 2
        await desk.quote("2000", of=COARSE)
        assert (await reconcile_account(desk.ports)).may_open
        assert (desk.cash("ETH"), units(desk)) == (D(0), D(100_000))

    play(tmp_path, story)


def test_what_comes_behind_one_that_waits_is_booked(tmp_path: Path) -> None:
    """Money in the account's own currency needs no price; the cursor stays, and a restart books nothing twice."""

    async def story(desk: Desk) -> None:
        await comes(desk)
        await comes(desk, "USDT", "500", "own")
        desk.venue.movements_a_page = 1
        for expected in (1, 0):
            assert await sweep_movements(desk.ports) == expected
        assert (desk.cash(), units(desk), cursor_of(desk)) == (D(100_500), D(100_500), 0)
        # Another process is told of both again.
        told = list(desk.venue.movements)
        desk.die()
        desk.venue.movements[:] = told
        desk.venue.facts_said = replace(desk.venue.facts_said, tells_movements=True)
        assert not (await desk.start()).may_open
        assert (desk.cash(), units(desk), cursor_of(desk)) == (D(100_500), D(100_500), 0)
        await desk.quote("2000", of=COARSE)
        assert (await reconcile_account(desk.ports)).may_open
        assert (units(desk), cursor_of(desk)) == (D(120_500), 2)

    play(tmp_path, story)


def test_money_waits_while_the_account_holds_what_nothing_prices(tmp_path: Path) -> None:
    """Nobody can say how many units it buys; the sentence names what lacks the price, once."""

    async def story(desk: Desk) -> None:
        await desk.quote("150", of=DEAR)
        await comes(desk, "SOL", "2", "sol")
        assert (await reconcile_account(desk.ports)).may_open
        await desk.wait(10)
        await comes(desk, "USDT", "500", "own")
        result = await compared(desk, LONG_SECONDS + 3)
        assert (desk.cash(), units(desk)) == (D(100_000), D(100_300))
        sentence = "A deposit of 500 USDT (own) waits to be booked: nothing prices SOL."
        assert result.waiting == (sentence,)
        assert [message.startswith(sentence) for _, message in desk.told.messages] == [True]
        await desk.quote("150", of=DEAR)
        assert (await reconcile_account(desk.ports)).may_open
        assert (desk.cash(), units(desk)) == (D(100_500), D(100_800))

    play(tmp_path, story)


def test_what_only_the_stream_told_is_tried_again_and_is_no_repair(tmp_path: Path) -> None:
    """Its history may be behind, or there is none: nobody else would tell it again."""

    async def story(desk: Desk) -> None:
        came = await comes(desk)
        desk.venue.movements.clear()
        await hear(desk.ports, [came])
        assert not desk.ports.reconciled
        desk.venue.facts_said = replace(desk.venue.facts_said, tells_movements=False)
        await desk.quote("2000", of=COARSE)
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.cash("ETH") == D(10)
        await desk.wait(NEWS_SECONDS + 1)
        await reconcile_account(desk.ports)
        assert desk.ports.repairs == {}

    play(tmp_path, story)


def test_what_a_sweep_found_and_booked_after_waiting_is_one_repair(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await comes(desk)
        await compared(desk, 12)
        await desk.quote("2000", of=COARSE)
        await compared(desk, 12)
        assert desk.ports.repairs == {"movement_by_sweep": 1}

    play(tmp_path, story)


def test_what_somebody_else_booked_meanwhile_waits_no_longer(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        came = await comes(desk)
        assert await sweep_movements(desk.ports) == 0
        await desk.quote("2000", of=COARSE)
        same = CashEvent(ACCOUNT, MAIN, DEPOSIT, "ETH", D(10), "eth", came.at, SPOT)
        assert await book_flow(desk.ports, same, "user:1") is Booking.BOOKED
        assert (await reconcile_account(desk.ports)).may_open
        assert (desk.ports.waiting, desk.cash("ETH"), cursor_of(desk)) == ({}, D(10), 1)

    play(tmp_path, story)


def test_the_history_tells_another_amount_than_waits_and_that_is_an_incident(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        came = await comes(desk)
        await hear(desk.ports, [replace(came, amount=D(9), at=START)])
        assert await sweep_movements(desk.ports) == 0
        assert len(desk.ports.waiting) == 1
        await desk.quote("2000", of=COARSE)
        assert await sweep_movements(desk.ports) == 1
        assert (desk.cash("ETH"), desk.ports.waiting, desk.ports.reconciled) == (D(9), {}, False)
        await desk.flush()
        assert desk.rows("SELECT entity_key FROM audit_log WHERE action = 'REJECT'") == [("eth",)]

    play(tmp_path, story)


def test_a_served_desk_asks_every_second_for_a_minute_and_then_as_always(tmp_path: Path) -> None:
    """A price comes within seconds or never: a venue is not asked for ever for what nobody prices."""

    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        await comes(desk)
        await desk.market("50000", LONG_SECONDS + 30)
        before = desk.attendant.attendance().total_syncs
        await desk.market("50000", 60)
        assert 5 <= desk.attendant.attendance().total_syncs - before <= 8
        assert desk.told.words().count(WAITS.partition(":")[0]) == 1
        assert not (await desk.buy("0.01")).approved

    serve(tmp_path, story)
