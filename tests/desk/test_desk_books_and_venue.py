"""What the venue tells, into the book; and the book against the venue: streams that lie, sweeps, breaks, starts."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import structlog

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.desk.book_trades import book, hear, hear_order, listen, sweep
from plimsoll.desk.ports import LogNotifier
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.recover import recover
from plimsoll.desk.resolve_unknown import unknown_orders
from plimsoll.ledger import keys
from plimsoll.model.errors import InvariantBroken, TryAgain
from plimsoll.model.ids import AccountId, BrokerOrderId, BrokerTradeId, InstrumentId
from plimsoll.model.order import OrderState, OrderType, Side
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import OrderReport, TradePage, VenueEvent, VenueOrder
from plimsoll.store.connection import StoreFailed
from plimsoll.venues.paper.rules import PaperRules
from tests.builders.approved import approved
from tests.builders.desk import ACCOUNT, FRICTIONLESS, Desk, Sent, play
from tests.builders.paper import PERPETUAL, SPOT

D = Decimal
S = OrderState


def a_fill(desk: Desk, number: int = 1, *, quantity: str = "0.1", account_id: AccountId = ACCOUNT) -> TradeReport:
    return TradeReport(
        account_id, SPOT.id, BrokerTradeId(f"f{number}"), Side.BUY, D(quantity), D(50000), D(0), "USDT",
        desk.clock.now(), 1_000_000 + number,
    )  # fmt: skip


def an_order(desk: Desk, state: OrderState, **said: object) -> VenueOrder:
    plain = VenueOrder(
        None, BrokerOrderId("v1"), SPOT.id, Side.BUY, OrderType.LIMIT, D("0.1"), D(0), state, desk.clock.now(),
        price=D(49000),
    )  # fmt: skip
    return replace(plain, **said)  # type: ignore[arg-type]


def cursor(desk: Desk) -> int:
    return desk.ports.books.hot.get(keys.trade_cursor(ACCOUNT)) or 0


# The stream -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 0.01])
def test_a_stream_that_repeats_and_reorders_books_each_fill_once(tmp_path: Path, delay: float) -> None:
    """B1, B2, I3, I17."""

    async def story(desk: Desk) -> None:
        heard: list[VenueEvent] = []
        desk.paper.venue.listen(ACCOUNT, heard.extend)
        await desk.buy("0.1", price="49000")
        await desk.quote("48500")
        news = [*heard, *heard]
        await asyncio.gather(*(hear(desk.ports, [event]) for event in reversed(news)))
        assert (desk.count("trades"), desk.held(), desk.states()) == (1, D("0.1"), [S.FILLED])

    play(tmp_path, story, delay=delay)


def test_a_fill_that_comes_before_the_answer_and_before_the_acknowledgement(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        await desk.buy("0.1")
        (order,) = desk.live()
        page = await desk.venue.trades_since(ACCOUNT, 0)
        await hear(desk.ports, page.trades)
        assert (desk.states(), desk.held()) == ([S.FILLED], D("0.1"))
        told = await desk.venue.order(ACCOUNT, order.client_order_id)
        ended = await hear_order(desk.ports, told)
        assert (ended.state, ended.filled_quantity) == (S.FILLED, D("0.1"))

    play(tmp_path, story)


def test_a_fill_that_nobody_ordered_here_belongs_to_main_as_external(tmp_path: Path) -> None:
    """B12: somebody trades at the broker beside us. Money moved, so it is in the book, and the book can be trusted."""

    async def story(desk: Desk) -> None:
        foreign = approved("theirs", Side.BUY, "0.1", SPOT)
        await desk.paper.venue.place(foreign)
        assert await sweep(desk.ports) == 1
        assert desk.rows("SELECT triggered_by FROM trades") == [("external",)]
        assert desk.held() == D("0.1")
        assert (await reconcile_account(desk.ports)).may_open

    play(tmp_path, story)


@pytest.mark.parametrize("named", [True, False], ids=["with an id of theirs", "without any id"])
def test_news_of_a_foreign_order_disturbs_nothing_and_what_came_with_it_is_booked(
    tmp_path: Path, *, named: bool
) -> None:
    async def story(desk: Desk) -> None:
        ours = await desk.buy("0.1", price="49000")
        lives = await desk.venue.order(ACCOUNT, ours.client_order_id)
        theirs = an_order(desk, S.NEW, client_order_id=approved("x", Side.BUY, "1", SPOT).client_order_id)
        if not named:
            theirs = replace(theirs, client_order_id=None)
        gone = replace(lives, state=S.CANCELED, reason="by hand")
        await desk.paper.venue.cancel(ACCOUNT, ours.client_order_id)
        await hear(desk.ports, [OrderReport(ACCOUNT, theirs), OrderReport(ACCOUNT, gone)])
        assert (desk.states(), desk.reasons()) == ([S.CANCELED], ["by hand"])
        assert desk.ports.reconciled
        with pytest.raises(LookupError, match="not in the book"):
            await hear_order(desk.ports, theirs)

    play(tmp_path, story)


@pytest.mark.parametrize("what", ["fill", "order"])
def test_news_of_another_account_are_refused_at_the_edge_and_nothing_opens(tmp_path: Path, what: str) -> None:
    """B20: a shared socket, a wrong map."""

    async def story(desk: Desk) -> None:
        before = desk.everything()
        other = AccountId(2)
        event: VenueEvent = a_fill(desk, account_id=other)
        if what == "order":
            event = OrderReport(other, an_order(desk, S.NEW))
        with pytest.raises(LookupError, match="account 2"):
            await hear(desk.ports, [event])
        assert desk.everything() == before
        assert not desk.ports.reconciled

    play(tmp_path, story)


def test_a_fill_that_cannot_be_booked_surfaces_and_nothing_opens(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.ports.spawn(hear(desk.ports, [replace(a_fill(desk), instrument_id=InstrumentId(77))]))
        with pytest.raises(LookupError, match="does not know"):
            await desk.ports.settled()
        assert "not_reconciled" in (await desk.buy("0.1")).checks_json

    play(tmp_path, story)


def test_news_that_cannot_be_written_lets_nothing_open_until_it_was_swept(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        desk.books.writes_left = 0
        await desk.quote("48500")
        desk.books.writes_left = None
        assert desk.held() == 0
        assert "not_reconciled" in (await desk.buy("0.01")).checks_json
        assert (await reconcile_account(desk.ports)).may_open
        assert (desk.held(), desk.states()) == (D("0.1"), [S.FILLED])
        assert (await desk.buy("0.01")).approved

    play(tmp_path, story)


def test_a_word_that_contradicts_the_fills_is_an_incident_and_changes_nothing(tmp_path: Path) -> None:
    """A venue that gave the whole quantity cannot have refused it."""

    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1")
        refused = replace(await desk.venue.order(ACCOUNT, answer.client_order_id), state=S.REJECTED)
        assert (await hear_order(desk.ports, refused)).state is S.FILLED
        assert desk.rows("SELECT count(*) FROM events WHERE kind = 'BREAK_FOUND'") == [(1,)]

    play(tmp_path, story)


def test_the_same_word_again_writes_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        told = await desk.venue.order(ACCOUNT, answer.client_order_id)
        before = desk.everything()
        await hear(desk.ports, [OrderReport(ACCOUNT, told)])
        assert desk.everything() == before

    play(tmp_path, story)


def test_many_fills_are_booked_in_short_units(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        units = 0
        inner = desk.books.write

        async def counted(unit: object) -> object:
            nonlocal units
            units += 1
            return await inner(unit)  # type: ignore[arg-type]

        desk.books.write = counted  # type: ignore[method-assign]
        await hear(desk.ports, [a_fill(desk, number, quantity="0.001") for number in range(100)])
        desk.books.write = inner  # type: ignore[method-assign]
        assert (units, desk.count("trades"), desk.held()) == (3, 100, D("0.1"))

    play(tmp_path, story)


# The sweep ------------------------------------------------------------------------------------------------------------


def test_a_sweep_reads_page_after_page_and_the_cursor_stands_behind_the_last(tmp_path: Path) -> None:
    """B17."""

    async def story(desk: Desk) -> None:
        for number in range(7):
            await desk.paper.venue.place(approved(f"theirs {number}", Side.BUY, "0.01", SPOT))
        assert await sweep(desk.ports) == 7
        last = cursor(desk)
        assert last > 0
        assert (await sweep(desk.ports), cursor(desk)) == (0, last)
        assert desk.held() == D("0.07")

    play(tmp_path, story, rules=replace(FRICTIONLESS, page_size=3))


def test_a_sweep_that_is_cut_short_reads_its_page_again_and_books_nothing_twice(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        for number in range(4):
            await desk.paper.venue.place(approved(f"theirs {number}", Side.BUY, "0.01", SPOT))
        desk.books.writes_left = 2  # a look at the first page, and its trades; not its cursor
        with pytest.raises(StoreFailed):
            await sweep(desk.ports)
        desk.books.writes_left = None
        assert (cursor(desk), desk.count("trades")) == (0, 2)
        assert await sweep(desk.ports) == 2
        assert desk.count("trades") == 4

    play(tmp_path, story, rules=replace(FRICTIONLESS, page_size=2))


def test_a_page_that_leads_nowhere_is_a_broken_adapter_and_no_endless_loop(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        async def stuck(_account: AccountId, after: int) -> TradePage:
            return TradePage((), after, complete=False)

        desk.venue.trades_since = stuck  # type: ignore[method-assign, assignment]
        with pytest.raises(InvariantBroken):
            await sweep(desk.ports)

    play(tmp_path, story)


# The comparison -------------------------------------------------------------------------------------------------------


def test_a_fill_while_the_questions_are_asked_is_no_difference(tmp_path: Path) -> None:
    """C13: the account moved, so it is asked again."""

    async def story(desk: Desk) -> None:
        async def somebody_buys() -> None:
            await desk.paper.venue.place(approved("theirs", Side.BUY, "0.01", SPOT))

        desk.venue.meanwhile = somebody_buys
        result = await reconcile_account(desk.ports)
        assert (result.compared, result.breaks, result.may_open) == (True, (), True)
        assert desk.held() == D("0.01")

    play(tmp_path, story)


def test_an_account_that_never_stands_still_is_not_compared_and_a_doubt_stays(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.ports.doubt("news was lost")
        count = 0

        async def somebody_buys() -> None:
            nonlocal count
            count += 1
            await desk.paper.venue.place(approved(f"theirs {count}", Side.BUY, "0.01", SPOT))
            desk.venue.meanwhile = somebody_buys

        desk.venue.meanwhile = somebody_buys
        result = await reconcile_account(desk.ports)
        desk.venue.meanwhile = None
        assert (result.compared, result.may_open) == (False, False)
        assert not desk.ports.reconciled
        assert (await reconcile_account(desk.ports)).may_open

    play(tmp_path, story)


@pytest.mark.parametrize("what", ["cash", "position", "our order", "their order"])
def test_a_planted_difference_is_named_and_told_and_blocks_opening_unless_it_is_somebody_elses_order(
    tmp_path: Path, what: str
) -> None:
    async def story(desk: Desk) -> None:
        if what == "cash":
            await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        elif what == "position":
            await book(desk.ports, [replace(a_fill(desk), instrument_id=PERPETUAL.id)])
        else:
            desk_code = "PLIM" if what == "our order" else "THEM"
            order = approved("lost", Side.BUY, "0.01", SPOT, price="49000")
            name = type(order.client_order_id)(desk_code + order.client_order_id[4:])
            await desk.paper.venue.place(replace(order, client_order_id=name))
        result = await reconcile_account(desk.ports)
        assert len(result.breaks) == 1
        assert result.may_open is (what == "their order")
        assert desk.ports.reconciled is result.may_open
        assert (await desk.buy("0.01")).approved is result.may_open
        assert desk.rows("SELECT count(*) FROM events WHERE kind = 'BREAK_FOUND'") == [(1,)]
        assert len(result.external) == what.endswith("order")
        assert len(desk.told.messages) == what.endswith("order"), "what a fill may explain is told when it has stood"
        for _ in range(4):
            await reconcile_account(desk.ports)
        assert len(desk.told.messages) == 1
        assert desk.rows("SELECT count(*) FROM events WHERE kind = 'BREAK_FOUND'") == [(1,)]

    play(tmp_path, story)


def test_a_venue_that_does_not_answer_ends_the_comparison_and_concludes_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        before = desk.everything()
        desk.venue.down = True
        with pytest.raises(TryAgain):
            await reconcile_account(desk.ports)
        assert desk.everything() == before

    play(tmp_path, story)


def test_an_order_that_ended_unheard_is_looked_up_and_ended(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        desk.books.writes_left = 0
        await desk.paper.venue.cancel(ACCOUNT, answer.client_order_id)
        await desk.ports.settled()
        desk.books.writes_left = None
        assert desk.states() == [S.NEW]
        assert (await reconcile_account(desk.ports)).may_open
        assert (desk.states(), desk.reserved()) == ([S.CANCELED], D(0))

    play(tmp_path, story)


def test_an_order_that_the_venue_does_not_find_stays_live_and_keeps_the_account_shut(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        desk.venue.hidden.add(answer.client_order_id)
        desk.venue.unlisted.add(answer.client_order_id)
        assert not (await reconcile_account(desk.ports)).may_open
        assert desk.states() == [S.NEW]
        desk.venue.unlisted.clear()
        assert (await reconcile_account(desk.ports)).may_open

    play(tmp_path, story)


def test_a_notifier_that_breaks_does_not_hide_a_break(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.told.broken = True
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        assert not (await reconcile_account(desk.ports)).may_open

    play(tmp_path, story)


# Starts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrived", [True, False], ids=["it had arrived", "it had not"])
def test_a_start_doubts_what_was_pending_and_looks_it_up(tmp_path: Path, *, arrived: bool) -> None:
    """A1: PENDING may have been sent; it is never sent again."""

    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST if arrived else Sent.REQUEST_LOST)
        desk.books.writes_left = 1
        with pytest.raises(StoreFailed):
            await desk.buy("0.1")
        assert desk.states() == [S.PENDING]
        desk.die()
        listen(desk.ports)
        assert (await recover(desk.ports)).may_open
        assert desk.states() == [S.FILLED if arrived else S.REJECTED]
        assert (desk.held(), desk.venue.placed) == (D("0.1") if arrived else D(0), [])
        assert unknown_orders(desk.ports) == []
        await desk.quote("50000")
        assert (await desk.buy("0.1")).approved

    play(tmp_path, story)


def test_nothing_opens_before_the_start_has_compared(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.die()
        await desk.quote("50000")
        assert "not_reconciled" in (await desk.buy("0.1")).checks_json
        await desk.start()
        assert (await desk.buy("0.1")).approved

    play(tmp_path, story)


def test_a_start_without_an_answer_from_the_venue_opens_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.die()
        desk.venue.down = True
        with pytest.raises(TryAgain):
            await desk.start()
        assert not desk.ports.reconciled

    play(tmp_path, story)


def test_a_start_gives_up_waiting_for_an_order_of_unknown_fate_and_stays_shut(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        await desk.buy("0.1", price="49000")
        desk.die()

        async def lost(_account: AccountId, _name: object) -> VenueOrder:
            raise TryAgain("no answer")

        ask = desk.venue.order
        desk.venue.order = lost  # type: ignore[method-assign, assignment]
        began = desk.clock.now()
        with pytest.raises(TryAgain):
            await desk.start()
        assert (desk.states(), desk.ports.reconciled) == ([S.UNKNOWN], False)
        assert (desk.clock.now() - began).total_seconds() == 3, "the settle window of two seconds, and one more"
        desk.venue.order = ask  # type: ignore[method-assign]
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.states() == [S.NEW]

    play(tmp_path, story)


# The composition root -------------------------------------------------------------------------------------------------


def test_the_chain_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    key = directory.chain_key()
    assert len(key) == 32
    assert directory.chain_key() == key
    assert directory.chain_key_file.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["chain.key"]


def test_a_data_directory_has_one_desk_at_a_time(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "new")
    lock = take_the_desk(directory)
    with pytest.raises(DeskIsRunning, match="new"):
        take_the_desk(directory)
    lock.release()
    take_the_desk(directory).release()
    assert {directory.stamp.name, directory.socket.name, directory.lock.name} == {
        "heads.stamp",
        "desk.sock",
        "desk.lock",
    }


def test_a_desk_that_closes_writes_what_waits_and_releases_both_books_even_after_a_failure(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        async def fails() -> None:
            raise LookupError("news that nobody can book")

        desk.ports.spawn(fails())
        desk.ports.books.post(lambda draft: draft.replace("meta", "k", ("k", "v")))
        with pytest.raises(LookupError, match="nobody can book"):
            await desk.paper.close()
        assert desk.rows("SELECT value FROM meta WHERE name = 'k'") == [("v",)]
        desk.die()
        await desk.start()

    play(tmp_path, story)


def test_the_log_is_a_notifier_too() -> None:
    with structlog.testing.capture_logs() as said:
        LogNotifier().tell(ACCOUNT, "warning", "something")
    told = {"event": "told", "log_level": "warning", "account": ACCOUNT, "severity": "warning", "message": "something"}
    assert said == [{"room": "notify", **told}]


def test_rules_of_the_paper_venue_reach_the_desk(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert desk.ports.fee_ratio == D("0.002")

    play(tmp_path, story, rules=PaperRules(taker_fee_ratio=D("0.002")))
