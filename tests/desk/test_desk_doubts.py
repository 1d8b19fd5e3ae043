"""What makes the desk doubt its book, and what it may not do while it doubts."""

from pathlib import Path

import pytest

from plimsoll.bootstrap import ChainKeyMissing, DataDirectory
from plimsoll.desk.flatten import flatten
from plimsoll.desk.halt import PARITY, halt_for_broken_parity, lift
from plimsoll.desk.place_order import record
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.supervise import supervise
from plimsoll.model.errors import Refusal
from plimsoll.model.order import OrderEvent, OrderState
from tests.builders.desk import D, Desk, Sent, play


def test_nothing_opens_while_ledger_and_venue_disagree_on_the_equity(tmp_path: Path) -> None:
    """A blind account opens nothing, however fresh the price; it opens again when the guard sees."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        desk.venue.equity_factor = D("1.05")
        await desk.look("50000")
        assert desk.ports.blind.startswith("we count 100000, the venue 105000")
        refused = await desk.buy("0.01")
        assert not refused.approved
        assert "cannot_evaluate" in refused.checks_json
        desk.venue.equity_factor = D(1)
        await desk.look("50000")
        assert (await desk.buy("0.01")).approved

    play(tmp_path, story)


def test_a_comparison_does_not_believe_itself_when_a_doubt_came_up_while_it_asked(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")

        async def lose_news() -> None:
            desk.ports.doubt("a test")

        desk.venue.while_listing = lose_news
        assert (await reconcile_account(desk.ports)).may_open
        assert not desk.ports.reconciled
        await reconcile_account(desk.ports)
        assert desk.ports.reconciled

    play(tmp_path, story)


def test_work_beside_that_fails_stops_opening_at_once_and_is_raised_when_somebody_settles(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        async def break_down() -> None:
            raise ValueError("news in words we do not know")

        desk.ports.spawn(break_down())
        await desk.wait(1)
        assert not desk.ports.reconciled
        assert not desk.ports.tasks
        with pytest.raises(ValueError, match="words we do not know"):
            await desk.ports.settled()
        await desk.ports.settled()

    play(tmp_path, story)


def test_a_venue_that_contradicts_a_filled_order_leaves_the_book_as_it_is_and_is_reported(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        bought = await desk.buy("0.01")
        assert bought.order is not None
        kept = await record(desk.ports, bought.order, OrderEvent.REJECTED, "too late to say so")
        assert kept.state is OrderState.FILLED
        assert desk.rows("SELECT count(*) FROM events WHERE kind = 'BREAK_FOUND'") == [(1,)]

    play(tmp_path, story)


def test_a_person_lifts_the_halt_of_the_whole_desk_but_the_process_goes_on_refusing(tmp_path: Path) -> None:
    """The halt is the person's to lift; what broke parity in this process is cleared by a new start alone."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        await halt_for_broken_parity(desk.ports, Refusal("parity_broken", "a test"))
        await lift(desk.ports, PARITY, "user:1")
        refused = await desk.buy("0.01")
        assert not refused.approved
        assert '"number":50' in refused.checks_json

    play(tmp_path, story)


def test_a_book_without_the_key_of_its_chain_is_not_gone_on_with(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")

    play(tmp_path, story)
    directory = DataDirectory(tmp_path)
    if not directory.database.exists():
        directory = DataDirectory(next(tmp_path.rglob("desk.db")).parent)
    directory.chain_key_file.unlink()
    with pytest.raises(ChainKeyMissing, match=r"bring chain\.key back"):
        directory.chain_key()


def test_an_account_is_not_flat_while_an_order_of_unknown_fate_could_still_open(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        desk.venue.fates.append(Sent.LATE)
        await desk.buy("0.01")
        report = await flatten(desk.ports, actor="user:1", reason="a test")
        assert not report.is_flat
        assert "is UNKNOWN and could still open" in report.failures[0]
        await desk.wait(4)
        assert await supervise(desk.ports)
        assert not (await flatten(desk.ports, actor="user:1", reason="again")).failures
        assert desk.held() == 0

    play(tmp_path, story)


def test_nothing_in_doubt_asks_the_venue_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        await desk.buy("0.01")
        desk.venue.down = True
        assert not await supervise(desk.ports)
        desk.ports.doubt("a test")
        assert await supervise(desk.ports)
        assert not desk.ports.reconciled
        desk.venue.down = False
        await supervise(desk.ports)
        assert desk.ports.reconciled

    play(tmp_path, story)
