"""A desk that trades while its book is compared with the venue: movement is neither a difference nor a doubt."""

from pathlib import Path

from plimsoll.desk.reconcile_account import reconcile_account
from tests.builders.desk import D, Desk, play


def test_an_order_behind_the_venues_last_answer_is_not_missed_there(tmp_path: Path) -> None:
    """It rests at the venue, which was asked a moment before: no look-up, no doubt, and the next look is equal."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        assert (await reconcile_account(desk.ports)).may_open

        async def order_behind() -> None:
            await desk.buy("0.01", price="40000")

        desk.venue.while_listing = order_behind
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.ports.reconciled

    play(tmp_path, story)


def test_an_account_that_never_stands_still_keeps_its_last_word(tmp_path: Path) -> None:
    """Every look finds it moved: nothing is concluded, and trading goes on."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        moves = 0

        async def trade_on() -> None:
            nonlocal moves
            moves += 1
            await desk.buy("0.001")
            desk.venue.meanwhile = trade_on

        desk.venue.meanwhile = trade_on
        result = await reconcile_account(desk.ports)
        desk.venue.meanwhile = None
        assert not result.compared
        assert moves >= 3
        assert desk.ports.reconciled
        assert (await desk.buy("0.002")).approved

    play(tmp_path, story)


def test_movement_is_no_yes_either(tmp_path: Path) -> None:
    """A book that is in doubt stays in doubt until it was compared."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000")
        moves = 0

        async def trade_on() -> None:
            nonlocal moves
            moves += 1
            await desk.paper.venue.deposit(desk.ports.account_id, "USDT", D(1), reference=f"{moves}")
            await desk.paper.venue.withdraw(desk.ports.account_id, "USDT", D(1), reference=f"-{moves}")
            desk.venue.meanwhile = trade_on

        desk.ports.doubt("something was lost")
        desk.venue.meanwhile = trade_on
        assert not (await reconcile_account(desk.ports)).compared
        desk.venue.meanwhile = None
        assert not desk.ports.reconciled
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.ports.reconciled

    play(tmp_path, story)
