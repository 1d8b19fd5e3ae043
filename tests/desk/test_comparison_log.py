"""What a comparison with the venue leaves in the book, and what people make of it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plimsoll.desk.close_position import CloseOutcome
from plimsoll.desk.comparison_log import Seen, Sight, record_of
from plimsoll.desk.forget_old import forget_old
from plimsoll.desk.keep_catalogue import bring_catalogue
from plimsoll.desk.open_account import deposit
from plimsoll.desk.place_order import place_order
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.settle_differences import resolve_break, settle_external_order
from plimsoll.ledger import breaks, external_orders, keys, venue_positions
from plimsoll.ledger.comparisons import Compared
from plimsoll.ledger.external_orders import ExternalStatus
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import IntentKey, client_order_id
from plimsoll.model.order import Side
from plimsoll.people.actor import Actor, Right, Via
from plimsoll.venues.catalogue import CATALOGUE
from tests.builders.approved import approved
from tests.builders.desk import ACCOUNT, D, Desk, play
from tests.builders.paper import PERPETUAL, SPOT

LINES = "SELECT outcome, comparisons FROM reconciliation_log ORDER BY id"
BREAKS = "SELECT kind, subject, status, seen_count FROM breaks ORDER BY id"
EXTERNAL = "SELECT client_order_id, ours, state, status FROM external_orders ORDER BY id"


def actor_of(desk: Desk) -> Actor:
    user = desk.ports.books.hot.get(keys.user(desk.ports.books.hot.get(keys.account(ACCOUNT)).user_id))
    return Actor(user, Via.SESSION, frozenset(Right), "s-1")


async def compare(desk: Desk, times: int = 1) -> None:
    for _ in range(times):
        await reconcile_account(desk.ports)
    await desk.flush()


async def place_at_venue(desk: Desk, key: str = "theirs", code: str = "THEM") -> str:
    """Leave an order waiting at the venue that the book never heard of."""
    order = approved(key, Side.BUY, "0.01", SPOT, price="49000")
    name = type(order.client_order_id)(code + order.client_order_id[4:])
    await desk.paper.venue.place(replace(order, client_order_id=name))
    await desk.ports.settled()
    return name


# The log --------------------------------------------------------------------------------------------------------------


def test_one_line_an_hour_stands_for_every_comparison_that_found_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert desk.rows(LINES) == [("EQUAL", 1)], "the start"
        await compare(desk, 5)
        assert desk.rows(LINES) == [("EQUAL", 1)]
        await desk.wait(3_600)
        await desk.quote("50000")
        await compare(desk, 2)
        assert desk.rows(LINES) == [("EQUAL", 1), ("EQUAL", 6)]

    play(tmp_path, story)


def test_a_difference_has_a_line_when_it_comes_and_when_it_goes_and_not_while_it_stands(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        await compare(desk, 4)
        assert desk.rows(LINES) == [("EQUAL", 1), ("DIFFERENT", 1)]
        ((said,),) = desk.rows("SELECT differences_json FROM reconciliation_log WHERE outcome = 'DIFFERENT'")
        assert json.loads(said) == ["USDT in spot: the book has 100000, the venue 100005."]
        await deposit(desk.ports, D(5), pocket="spot", reference="gift", actor="user:1")
        await compare(desk)
        assert desk.rows(LINES) == [("EQUAL", 1), ("DIFFERENT", 1), ("EQUAL", 4)]

    play(tmp_path, story)


def test_a_line_tells_what_both_sides_saw_and_unknown_is_not_zero(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await desk.buy("0.1", price="49000")
        await desk.wait(3_600)
        await compare(desk)
        ((text,),) = desk.rows("SELECT snapshot_json FROM reconciliation_log ORDER BY id DESC LIMIT 1")
        seen = json.loads(text)
        assert seen["equity"] is None, "the only price is an hour old"
        assert seen["cash"] == "95000"
        assert (seen["open_positions"], seen["open_orders"], seen["venue_open_orders"]) == ("1", "1", "1")
        assert (seen["venue_balance:spot:BTC"], seen["venue_balance:spot:USDT"]) == ("0.1", "95000")

    play(tmp_path, story)


def test_a_comparison_that_could_not_be_made_is_unknown_and_ends_no_break(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        await compare(desk)
        count = 0

        async def somebody_pays() -> None:
            nonlocal count
            count += 1
            await desk.paper.venue.deposit(ACCOUNT, "USDT", D(1), reference=f"more {count}")
            desk.venue.meanwhile = somebody_pays

        desk.venue.meanwhile = somebody_pays
        await compare(desk)
        desk.venue.meanwhile = None
        assert desk.rows(LINES)[-1] == ("UNKNOWN", 1)
        assert desk.rows(BREAKS) == [("balance", "spot:USDT", "OPEN", 1)]

    play(tmp_path, story)


def test_a_venue_that_does_not_answer_leaves_no_line(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        before = desk.everything()
        desk.venue.down = True
        with pytest.raises(Exception, match="does not answer"):
            await reconcile_account(desk.ports)
        await desk.flush()
        assert desk.everything() == before

    play(tmp_path, story)


# The work-list --------------------------------------------------------------------------------------------------------


def test_a_break_counts_up_while_it_stands_and_is_gone_with_its_cause(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        await compare(desk, 3)
        assert desk.rows(BREAKS) == [("balance", "spot:USDT", "OPEN", 3)]
        await deposit(desk.ports, D(5), pocket="spot", reference="gift", actor="user:1")
        await compare(desk)
        assert desk.rows(BREAKS) == [("balance", "spot:USDT", "GONE", 3)]

    play(tmp_path, story)


def test_a_person_resolves_a_break_with_a_note_and_it_comes_again_while_it_is_there(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        await compare(desk)
        actor = actor_of(desk)
        assert await resolve_break(desk.ports, 2, "no such break", actor) is None
        resolved = await resolve_break(desk.ports, 1, "a gift, booked tomorrow", actor)
        assert resolved is not None
        assert breaks.open_breaks(desk.ports.books.hot, ACCOUNT) == []
        assert desk.rows("SELECT actor, action FROM audit_log WHERE entity = 'BREAK'") == [(actor.name, "UPDATE")]
        await compare(desk)
        assert [row[2:] for row in desk.rows(BREAKS)] == [("RESOLVED", 1), ("OPEN", 1)]

    play(tmp_path, story)


def test_while_a_sweep_is_due_that_might_explain_it_no_break_is_gone(tmp_path: Path) -> None:
    """Differences of facts wait for the comparison after the sweep: that they are not named means nothing yet."""

    async def story(desk: Desk) -> None:
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        await compare(desk)
        account = await desk.venue.account(ACCOUNT)
        partly = Sight(account, open_orders=0, foreign=(), doubted=(), whole=False)
        record = record_of(desk.ports, Seen(Compared.DIFFERENT, 1, (), (), partly))
        await desk.ports.books.write(record.write)
        assert desk.rows(BREAKS) == [("balance", "spot:USDT", "OPEN", 1)]

    play(tmp_path, story)


def test_the_catalogue_is_written_once_and_not_at_every_start(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await bring_catalogue(desk.ports.books, CATALOGUE, desk.clock)
        before = desk.everything()
        assert before["brokers"] == len(CATALOGUE)
        await bring_catalogue(desk.ports.books, CATALOGUE, desk.clock)
        assert desk.everything() == before

    play(tmp_path, story)


def test_open_breaks_outlive_the_process(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        await compare(desk)
        desk.die()
        assert not (await desk.start()).may_open
        await desk.flush()
        assert desk.rows(BREAKS) == [("balance", "spot:USDT", "OPEN", 2)]

    play(tmp_path, story)


# Orders that are not ours ---------------------------------------------------------------------------------------------


def test_somebody_elses_order_is_kept_beside_the_book_until_a_person_says_what_it_is(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        name = await place_at_venue(desk)
        await compare(desk, 2)
        assert desk.rows(EXTERNAL) == [(name, 0, "NEW", "OPEN")]
        assert [row[0] for row in desk.rows(BREAKS)] == ["order"]
        actor = actor_of(desk)
        assert await settle_external_order(desk.ports, 7, ExternalStatus.IGNORED, actor) is None
        assert await settle_external_order(desk.ports, 1, ExternalStatus.IGNORED, actor) is not None
        result = await reconcile_account(desk.ports)
        await desk.flush()
        assert (result.breaks, len(result.external)) == ((), 1)
        assert [row[2] for row in desk.rows(BREAKS)] == ["GONE"]
        assert desk.rows(EXTERNAL) == [(name, 0, "NEW", "IGNORED")]
        await desk.paper.venue.cancel(ACCOUNT, type(approved("x", Side.BUY, "1", SPOT).client_order_id)(name))
        await compare(desk)
        assert desk.rows(EXTERNAL) == [(name, 0, "UNKNOWN", "IGNORED")], "nobody told how it ended"

    play(tmp_path, story)


def test_an_order_of_ours_that_the_book_forgot_blocks_and_its_key_is_never_used_again(tmp_path: Path) -> None:
    """A part of the book was lost: whoever repeats the wish would order twice where the venue forgets ended ids."""

    async def story(desk: Desk) -> None:
        intent = desk.intent(Side.BUY, "0.01", price="49000")
        forgotten = client_order_id(desk.ports.desk_code, ACCOUNT, intent.user_id, intent.key)
        order = approved("lost", Side.BUY, "0.01", SPOT, price="49000")
        await desk.paper.venue.place(replace(order, client_order_id=forgotten))
        await desk.ports.settled()
        result = await reconcile_account(desk.ports)
        await desk.flush()
        assert not result.may_open
        assert desk.rows(EXTERNAL) == [(forgotten, 1, "NEW", "OPEN")]
        await desk.paper.venue.cancel(ACCOUNT, forgotten)
        assert (await reconcile_account(desk.ports)).may_open
        before = desk.everything()
        with pytest.raises(CommandRefused, match="intent_key_reused"):
            await place_order(desk.ports, intent)
        assert desk.everything() == before
        assert (await place_order(desk.ports, replace(intent, key=IntentKey("another")))).approved

    play(tmp_path, story)


def test_a_close_goes_round_an_attempt_that_the_book_forgot(tmp_path: Path) -> None:
    """Closing is sacred: the next attempt has a key of its own."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        position = desk.position()
        assert position is not None
        key = IntentKey(f"close:{position.portfolio_id}:{SPOT.id}:{position.key[2]}:e:1")
        user = actor_of(desk).user.id
        forgotten = client_order_id(desk.ports.desk_code, ACCOUNT, user, key)
        order = approved("lost", Side.BUY, "0.01", SPOT, price="49000")
        await desk.paper.venue.place(replace(order, client_order_id=forgotten))
        await desk.ports.settled()
        await compare(desk)
        assert external_orders.sent_once(desk.ports.books.hot, ACCOUNT) == {forgotten}
        assert (await desk.close_it("e")).outcome is CloseOutcome.SENT
        await desk.ports.settled()
        assert desk.held() == 0

    play(tmp_path, story)


# What the venue holds -------------------------------------------------------------------------------------------------


def test_what_the_venue_holds_is_written_when_it_changes_and_adds_up_to_ours(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        await compare(desk)
        (held,) = venue_positions.held_there(desk.ports.books.hot, ACCOUNT)
        assert (held.instrument_id, held.quantity) == (PERPETUAL.id, D("0.1"))
        at = desk.clock.now()
        await desk.wait(5)
        await compare(desk)
        (same,) = venue_positions.held_there(desk.ports.books.hot, ACCOUNT)
        assert same == held
        await desk.quote("50000")
        await desk.sell("0.1")
        await compare(desk)
        (flat,) = venue_positions.held_there(desk.ports.books.hot, ACCOUNT)
        assert (flat.quantity, flat.avg_price) == (D(0), None)
        assert flat.since > at

    play(tmp_path, story, trades_in=PERPETUAL)


# What is kept for a while ---------------------------------------------------------------------------------------------


def test_what_is_old_is_removed_in_pieces_beside_the_trading(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1")
        for _ in range(30):
            await desk.look("50000", after=10)
        await desk.flush()
        before = desk.everything()
        await forget_old(desk.ports)
        assert desk.everything() == before, "all of it is young"
        await desk.wait(timedelta(days=31).total_seconds())
        await desk.look("50000")
        await forget_old(desk.ports)
        await desk.flush()
        assert desk.count("equity_snapshots") < before["equity_snapshots"] / 4
        assert desk.rows("SELECT count(*) FROM equity_snapshots WHERE occasion = 'FLOW'") == [(1,)]
        assert desk.count("trades") == before["trades"]
        assert desk.count("audit_log") == before["audit_log"]

    play(tmp_path, story)
