"""The book kept true at a venue whose histories lag and overlap, whose stream breaks, and that forgets what ended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plimsoll.desk.attend import UNSURE_SECONDS
from plimsoll.desk.book_trades import book, hear, hear_order, sweep
from plimsoll.desk.reconcile_account import PAGES, Reconciliation, reconcile_account
from plimsoll.desk.repairs import NEWS_SECONDS, Repair, count_unheard, found_by_asking, heard
from plimsoll.desk.resolve_unknown import NOWHERE, end_what_is_gone, resolve_unknown
from plimsoll.ledger import keys
from plimsoll.model.cash import SPOT as SPOT_POCKET
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import TryAgain
from plimsoll.model.ids import AccountId, BrokerTradeId, ClientOrderId
from plimsoll.model.order import OrderState, Side
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import Movement, StreamGap, TradePage
from plimsoll.store.connection import StoreFailed
from tests.builders.approved import approved
from tests.builders.desk import ACCOUNT, FRICTIONLESS, Desk, Sent, play
from tests.builders.paper import SPOT, START
from tests.builders.served import Served, serve

D = Decimal
S = OrderState
LAG = 20.0
BREAKS = "SELECT kind, subject, status FROM breaks ORDER BY id"
WINDOW = LAG + 3
#: The stream tells what an answer told as well.
STREAMS = replace(FRICTIONLESS, stream_repeats=True)


class History:
    """What a venue's history of fills tells: late, in pages, and vouched for only as far as nothing can be added."""

    def __init__(self, desk: Desk, lag: float, a_page: int) -> None:
        self.desk, self.lag, self.a_page = desk, lag, a_page
        self.asked: list[int] = []
        #: Fills that it never tells.
        self.keeps_back: set[int] = set()
        #: Done once, behind the first page.
        self.behind_the_first: Callable[[], Awaitable[object]] | None = None
        self._inner = desk.paper.venue.trades_since

    async def trades_since(self, account_id: AccountId, cursor: int) -> TradePage:
        self.asked.append(cursor)
        if self.desk.venue.down:
            raise TryAgain("the venue does not answer")
        every: list[TradeReport] = []
        while (
            not (page := await self._inner(account_id, every[-1].sequence if every else cursor)).complete or page.trades
        ):
            every += page.trades
            if page.complete:
                break
        horizon = self.desk.clock.now() - timedelta(seconds=self.lag)
        told = [one for one in every if one.exec_time <= horizon and one.sequence not in self.keeps_back]
        found = tuple(told[: self.a_page])
        if self.behind_the_first is not None:
            act, self.behind_the_first = self.behind_the_first, None
            await act()
        # A fill that is not told yet comes before some that are told: only what is old twice over is vouched for.
        old = [one.sequence for one in every if one.exec_time <= horizon - timedelta(seconds=self.lag)]
        settled = max(old, default=0) if self.lag else None
        return TradePage(found, found[-1].sequence if found else cursor, len(told) <= self.a_page, settled)


def lags(desk: Desk, seconds: float = LAG, *, a_page: int = 100, lookup: float = 0) -> History:
    """Let the venue's history lag, and say so."""
    facts = replace(desk.venue.facts_said, history_lag=timedelta(seconds=seconds), lookup_lag=timedelta(seconds=lookup))
    desk.venue.facts_said = facts
    history = History(desk, seconds, a_page)
    desk.venue.trades_since = history.trades_since  # type: ignore[method-assign]
    return history


async def somebody_buys(desk: Desk, name: str = "theirs", quantity: str = "0.01") -> None:
    """Trade at the venue while its stream loses the news."""
    desk.venue.loses_news = True
    await desk.paper.venue.place(approved(name, Side.BUY, quantity, SPOT))
    desk.venue.loses_news = False


async def compared(desk: Desk, seconds: float, every: float = 3) -> Reconciliation:
    """Compare every few seconds for so long, and give the last."""
    for _ in range(int(seconds / every)):
        await reconcile_account(desk.ports)
        await desk.wait(every)
    return await reconcile_account(desk.ports)


def cursor(desk: Desk) -> int:
    return desk.ports.books.hot.get(keys.trade_cursor(ACCOUNT)) or 0


def repairs(desk: Desk) -> dict[str, int]:
    return dict(desk.ports.repairs)


# Histories that lag ---------------------------------------------------------------------------------------------------


def test_what_a_lagging_history_will_explain_waits_opens_nothing_and_alarms_nobody(tmp_path: Path) -> None:
    """C13, B17: the balance shows the fill at once, the history twenty seconds later."""

    async def story(desk: Desk) -> None:
        lags(desk)
        await somebody_buys(desk)
        result = await reconcile_account(desk.ports)
        assert (result.compared, result.breaks, result.may_open, result.unsure) == (True, (), False, True)
        assert sorted(sentence.split()[0] for sentence in result.waiting) == ["BTC", "USDT"]
        assert not (await desk.buy("0.01")).approved
        result = await compared(desk, LAG - 3)
        assert (len(result.waiting), desk.held()) == (2, D(0))
        result = await compared(desk, 6)
        assert (result.may_open, result.waiting, desk.held()) == (True, (), D("0.01"))
        await desk.flush()
        assert (desk.rows(BREAKS), desk.told.messages) == ([], [])
        assert desk.rows("SELECT count(*) FROM events WHERE kind = 'BREAK_FOUND'") == [(0,)]

    play(tmp_path, story)


def test_what_the_history_never_explains_is_a_break_told_once_the_lag_is_over(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        lags(desk)
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        result = await compared(desk, LAG)
        assert (len(result.waiting), result.breaks, desk.told.messages) == (1, (), [])
        result = await compared(desk, 6)
        assert (result.waiting, [found.key for found in result.breaks]) == ((), ["balance:spot:USDT"])
        assert not result.may_open
        await compared(desk, 30)
        await desk.flush()
        assert desk.rows(BREAKS) == [("balance", "spot:USDT", "OPEN")]
        assert len(desk.told.messages) == 1
        # Another fill moves the amount: the same break, neither gone nor told again.
        await desk.quote("50000")
        await somebody_buys(desk)
        await compared(desk, 30)
        assert desk.held() == D("0.01")
        await desk.flush()
        assert desk.rows(BREAKS)[0] == ("balance", "spot:USDT", "OPEN")
        assert len(desk.told.messages) == 1

    play(tmp_path, story)


def test_a_break_of_before_the_restart_is_the_same_break_after_it(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        lags(desk)
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="gift")
        await compared(desk, 30)
        desk.die()
        lags(desk)
        assert [found.key for found in (await desk.start()).breaks] == ["balance:spot:USDT"]
        await desk.flush()
        assert desk.rows(BREAKS) == [("balance", "spot:USDT", "OPEN")]

    play(tmp_path, story)


def test_a_served_desk_looks_again_soon_while_a_difference_waits_and_not_every_second(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        history = lags(desk)
        await somebody_buys(desk)
        desk.ports.doubt("the stream lost something")
        await desk.market("50000", 2)
        history.asked.clear()
        await desk.market("50000", 15)
        assert not desk.ports.reconciled
        looks = len(history.asked) / 2
        assert 15 / (UNSURE_SECONDS + 1.5) <= looks <= 15 / UNSURE_SECONDS + 2
        await desk.market("50000", 10)
        assert desk.ports.reconciled
        assert desk.held() == D("0.01")

    serve(tmp_path, story)


def test_the_cursor_stops_where_the_venue_vouches_and_what_follows_is_read_again_for_nothing(tmp_path: Path) -> None:
    """B17: a fill that comes into the history behind its successors is found by the next sweep."""

    async def story(desk: Desk) -> None:
        history = lags(desk, a_page=2)
        for number in range(5):
            await somebody_buys(desk, f"theirs {number}")
        assert (await sweep(desk.ports), cursor(desk)) == (0, 0)
        history.keeps_back = {3}
        await desk.wait(LAG)
        assert (await sweep(desk.ports), cursor(desk)) == (4, 0)
        notes = desk.count("audit_log")
        assert (await sweep(desk.ports), cursor(desk)) == (0, 0)
        assert desk.count("audit_log") == notes
        history.keeps_back = set()
        assert (await sweep(desk.ports), desk.held()) == (1, D("0.05"))
        await desk.wait(LAG)
        assert await sweep(desk.ports) == 0
        assert cursor(desk) == 5
        history.asked.clear()
        assert await sweep(desk.ports) == 0
        assert history.asked == [5]

    play(tmp_path, story)


def test_a_comparison_reads_an_overlap_of_many_pages_to_its_end(tmp_path: Path) -> None:
    """One page alone would call every account of a busy hour a moving one."""

    async def story(desk: Desk) -> None:
        lags(desk, a_page=2)
        for number in range(9):
            await somebody_buys(desk, f"theirs {number}")
        await desk.wait(LAG)
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.held() == D("0.09")

    play(tmp_path, story)


def test_a_history_without_an_end_is_not_compared_with(tmp_path: Path) -> None:
    """The bound: an adapter that always has one page more must not hold the rounds for ever."""

    async def story(desk: Desk) -> None:
        asked = 0

        async def endless(_account: AccountId, after: int) -> TradePage:
            nonlocal asked
            asked += 1
            # A sweep is told the truth, and ends.
            return TradePage((), after + 1, complete=asked % (PAGES + 1) == 1)

        desk.venue.trades_since = endless  # type: ignore[method-assign, assignment]
        result = await reconcile_account(desk.ports)
        assert (result.compared, asked) == (False, 3 * (PAGES + 1))

    play(tmp_path, story)


def test_an_order_filled_where_the_history_lags_waits_for_its_fills(tmp_path: Path) -> None:
    """The look-up says FILLED, the book has no fill yet: no doubt is cast each second, and nothing is invented."""

    async def story(desk: Desk) -> None:
        lags(desk)
        desk.venue.loses_news = True
        desk.venue.fates.append(Sent.ANSWER_LOST)
        await desk.buy("0.01")
        assert desk.states() == [S.UNKNOWN]
        result = await compared(desk, LAG - 5)
        doubts = desk.ports.doubts
        assert (desk.states(), desk.held(), result.may_open) == ([S.NEW], D(0), False)
        await reconcile_account(desk.ports)
        assert desk.ports.doubts == doubts
        result = await compared(desk, 9)
        assert (desk.states(), desk.held(), result.may_open) == ([S.FILLED], D("0.01"), True)
        assert desk.told.messages == []

    play(tmp_path, story)


def test_a_part_filled_order_is_not_asked_for_again_and_again(tmp_path: Path) -> None:
    """Book and venue differ in what it filled: one look-up an attempt, then it waits for the history."""

    async def story(desk: Desk) -> None:
        lags(desk)
        answer = await desk.buy("0.02", price="49000")
        asked = 0
        plain = desk.venue.order

        async def part_filled(account_id: AccountId, name: ClientOrderId) -> Any:
            nonlocal asked
            asked += 1
            return replace(await plain(account_id, name), filled_quantity=D("0.01"))

        listed = desk.venue.open_orders

        async def list_part_filled(account_id: AccountId) -> Any:
            return tuple(replace(one, filled_quantity=D("0.01")) for one in await listed(account_id))

        desk.venue.order = part_filled  # type: ignore[method-assign, assignment]
        desk.venue.open_orders = list_part_filled  # type: ignore[method-assign]
        result = await reconcile_account(desk.ports)
        assert (result.settled, result.breaks, asked) == (True, (), 1)
        assert result.waiting == (f"Order {answer.client_order_id} is filled 0 in the book and 0.01 at the venue.",)
        result = await compared(desk, 30)
        assert [found.key for found in result.breaks] == [f"filled:{answer.client_order_id}"]
        desk.venue.order, desk.venue.open_orders = plain, listed  # type: ignore[method-assign]
        assert (await reconcile_account(desk.ports)).may_open

    play(tmp_path, story)


def test_a_fill_that_came_in_behind_every_sweep_is_left_to_the_next_round(tmp_path: Path) -> None:
    """It is no break: what was found after the last sweep was never swept for."""

    async def story(desk: Desk) -> None:
        count = 0
        tell, pages = desk.venue.trades_since, 0

        async def one_more_each_time(account_id: AccountId, after: int) -> TradePage:
            nonlocal count, pages
            pages += 1
            page = await tell(account_id, after)
            if pages % 2:  # a sweep asks, and then the comparison
                return page
            count += 1
            invented = replace(a_fill(desk), broker_trade_id=BrokerTradeId(f"x{count}"))
            return replace(page, trades=(*page.trades, invented))

        desk.venue.trades_since = one_more_each_time  # type: ignore[method-assign, assignment]
        result = await reconcile_account(desk.ports)
        assert (result.compared, result.settled, result.breaks, result.may_open) == (True, False, (), False)
        assert desk.ports.suspicions == {}

    play(tmp_path, story)


def a_fill(desk: Desk) -> TradeReport:
    return TradeReport(
        ACCOUNT, SPOT.id, BrokerTradeId("x"), Side.BUY, D("0.1"), D(50000), D(0), "USDT", desk.clock.now(), 1_000
    )


# Orders that the venue has forgotten ----------------------------------------------------------------------------------


async def forgets(desk: Desk, quantity: str = "0.1", **said: Any) -> ClientOrderId:
    """Leave an order live in the book that the venue has ended and forgotten, without a word."""
    answer = await desk.buy(quantity, price="49000", **said)
    desk.venue.loses_news = True
    await desk.paper.venue.cancel(ACCOUNT, answer.client_order_id)
    desk.venue.loses_news = False
    desk.venue.hidden.add(answer.client_order_id)
    return answer.client_order_id


def test_an_order_that_is_nowhere_ends_after_the_window_and_two_looks(tmp_path: Path) -> None:
    """A6, I6: it ended and was forgotten before we asked; for ever live it would hold its money for ever."""

    async def story(desk: Desk) -> None:
        lags(desk)
        await forgets(desk)
        assert desk.reserved() > 0
        result = await compared(desk, WINDOW - 3)
        assert (desk.states(), len(result.waiting), result.may_open) == ([S.NEW], 1, False)
        await desk.wait(6)
        assert (await reconcile_account(desk.ports)).may_open
        assert (desk.states(), desk.reasons(), desk.reserved()) == ([S.CANCELED], [NOWHERE], D(0))
        assert repairs(desk)[Repair.GONE] == 1
        assert desk.told.messages == []

    play(tmp_path, story)


def test_one_look_long_after_is_no_evidence(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await forgets(desk)
        await desk.wait(3_600)
        assert not (await reconcile_account(desk.ports)).may_open
        assert desk.states() == [S.NEW]

    play(tmp_path, story)


def test_an_order_that_is_found_by_id_is_never_ended_and_people_hear_of_it(tmp_path: Path) -> None:
    """It is on no list, and the venue says that it lives: nobody but a person can know."""

    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        desk.venue.unlisted.add(answer.client_order_id)
        await compared(desk, 570, every=30)
        assert desk.told.messages == []
        result = await compared(desk, 90, every=30)
        assert (desk.states(), len(result.waiting), len(desk.told.messages)) == ([S.NEW], 1, 1)
        assert answer.client_order_id in desk.told.messages[0][1]
        desk.venue.unlisted.clear()
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.ports.alarmed == frozenset()

    play(tmp_path, story)


def test_an_order_that_is_listed_and_not_found_by_id_lives(tmp_path: Path) -> None:
    """The list's word is evidence too: an answer that was lost is found without waiting for the look-up."""

    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        answer = await desk.buy("0.01", price="49000")
        desk.venue.hidden.add(answer.client_order_id)
        assert desk.states() == [S.UNKNOWN]
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.states() == [S.NEW]

    play(tmp_path, story)


def test_an_order_that_the_list_need_not_show_yet_is_not_missed(tmp_path: Path) -> None:
    """Taken a moment ago at a venue whose lists lag: trading goes on, and after the lag it is missed."""

    async def story(desk: Desk) -> None:
        lags(desk, 0, lookup=20)
        answer = await desk.buy("0.1", price="49000")
        desk.venue.unlisted.add(answer.client_order_id)
        desk.venue.hidden.add(answer.client_order_id)
        await desk.wait(15)
        assert (await reconcile_account(desk.ports)).may_open
        await desk.wait(7)
        assert not (await reconcile_account(desk.ports)).may_open
        desk.venue.unlisted.clear()
        assert (await reconcile_account(desk.ports)).may_open

    play(tmp_path, story)


def test_fills_that_come_after_the_end_are_booked_and_it_is_filled(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        name = await forgets(desk)
        await compared(desk, 12)
        assert desk.states() == [S.CANCELED]
        late = replace(a_fill(desk), client_order_id=name, price=D(49000))
        await book(desk.ports, [late])
        assert (desk.states(), desk.held()) == ([S.FILLED], D("0.1"))

    play(tmp_path, story)


def test_an_order_that_went_on_meanwhile_is_not_ended(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        name = (await desk.buy("0.1")).client_order_id
        before = desk.everything()
        await end_what_is_gone(desk.ports, name)
        assert (desk.states(), desk.everything(), repairs(desk)) == ([S.FILLED], before, {})
        rests = (await desk.buy("0.1", price="49000")).client_order_id
        known = desk.live()[0]

        async def ends_first(unit: Any) -> Any:
            desk.ports.books = desk.books
            await hear_order(desk.ports, await desk.paper.venue.cancel(ACCOUNT, rests))
            return await desk.books.write(unit)

        class First:
            hot = desk.books.hot
            write = staticmethod(ends_first)

        desk.ports.books = First()  # type: ignore[assignment]
        await end_what_is_gone(desk.ports, known.client_order_id)
        assert desk.reasons() == ["", "canceled on request"]
        assert repairs(desk) == {}

    play(tmp_path, story)


@pytest.mark.parametrize("step", [timedelta(seconds=300), timedelta(seconds=-300)], ids=["forward", "back"])
def test_a_clock_that_is_set_does_not_shorten_the_settle_window(tmp_path: Path, step: timedelta) -> None:
    """A5: the request still arrives; called never placed by a stepped hour, it would live where no book has it."""

    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.LATE)
        await desk.buy("0.01", price="49000")
        desk.clock.skew = step
        assert len(await resolve_unknown(desk.ports)) == 1
        await desk.wait(1.9)
        assert len(await resolve_unknown(desk.ports)) == 1
        await desk.wait(0.2)
        assert await resolve_unknown(desk.ports) == []
        assert desk.states() == [S.NEW]
        desk.clock.skew = timedelta(0)
        await desk.quote("50000")

    play(tmp_path, story)


# The stream -----------------------------------------------------------------------------------------------------------


def test_a_gap_in_the_stream_stops_opening_until_the_book_was_compared(tmp_path: Path) -> None:
    """B15, B16."""

    async def story(desk: Desk) -> None:
        await somebody_buys(desk)
        await hear(desk.ports, [StreamGap(ACCOUNT, "number 8 after number 6")])
        assert not (await desk.buy("0.01")).approved
        assert repairs(desk) == {"stream_gap": 1}
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.held() == D("0.01")

    play(tmp_path, story)


def test_a_served_desk_compares_at_once_after_a_gap(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.market("50000", 2)
        await somebody_buys(desk)
        desk.ports.spawn(hear(desk.ports, [StreamGap(ACCOUNT, "silent for 15 seconds")]))
        await desk.market("50000", 2)
        assert desk.held() == D("0.01")
        assert desk.ports.reconciled

    serve(tmp_path, story)


def test_money_that_the_stream_tells_is_booked_and_no_difference(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.facts_said = replace(desk.venue.facts_said, tells_movements=True)
        come = Movement(ACCOUNT, "d-1", CashKind.DEPOSIT, "USDT", D(5), START, SPOT_POCKET)
        desk.venue.movements.append(come)
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="d-1")
        await hear(desk.ports, [come])
        assert (await reconcile_account(desk.ports)).may_open
        assert desk.cash() == D(100_005)
        await desk.wait(NEWS_SECONDS + 1)
        await desk.quote("50000")
        await reconcile_account(desk.ports)
        assert repairs(desk) == {}

    play(tmp_path, story)


@pytest.mark.parametrize("what", ["gap", "movement"])
def test_news_of_another_account_is_refused_and_changes_nothing(tmp_path: Path, what: str) -> None:
    """B20."""

    async def story(desk: Desk) -> None:
        other = AccountId(2)
        come = Movement(other, "d-1", CashKind.DEPOSIT, "USDT", D(5), START, SPOT_POCKET)
        before = desk.everything()
        with pytest.raises(LookupError, match="account 2"):
            await hear(desk.ports, [StreamGap(other, "cut") if what == "gap" else come])
        assert (desk.everything(), desk.cash(), repairs(desk)) == (before, D(100_000), {})
        assert not desk.ports.reconciled

    play(tmp_path, story)


# Repairs are counted --------------------------------------------------------------------------------------------------


def test_what_only_a_sweep_found_is_a_repair_counted_once(tmp_path: Path) -> None:
    """I8."""

    async def story(desk: Desk) -> None:
        desk.venue.facts_said = replace(desk.venue.facts_said, tells_movements=True)
        await somebody_buys(desk)
        await desk.paper.venue.deposit(ACCOUNT, "USDT", D(5), reference="d-1")
        desk.venue.movements.append(
            Movement(ACCOUNT, "d-1", CashKind.DEPOSIT, "USDT", D(5), desk.clock.now(), SPOT_POCKET)
        )
        assert (await reconcile_account(desk.ports)).may_open
        assert repairs(desk) == {}, "its own news may still come"
        await desk.wait(NEWS_SECONDS)
        for _ in range(3):
            await reconcile_account(desk.ports)
        assert repairs(desk) == {"trade_by_sweep": 1, "movement_by_sweep": 1}
        await desk.flush()
        said = desk.rows("SELECT details_json FROM audit_log WHERE action = 'SYNC' ORDER BY seq")
        assert ['"repairs":"2"' in details for (details,) in said][-2:] == [False, True]

    play(tmp_path, story)


def test_a_sweep_that_was_only_faster_than_the_stream_repaired_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.news_late_seconds = 1.0
        await desk.paper.venue.place(approved("theirs", Side.BUY, "0.01", SPOT))
        assert await sweep(desk.ports) == 1
        await desk.wait(NEWS_SECONDS + 2)
        count_unheard(desk.ports)
        assert (repairs(desk), desk.ports.unheard) == ({}, {})

    play(tmp_path, story, rules=STREAMS)


def test_a_sweep_that_was_only_faster_than_the_answer_repaired_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.loses_news = True
        take = desk.venue.inner.place

        async def answers_late(order: Any) -> Any:
            placed = await take(order)
            assert await sweep(desk.ports) == 1
            await asyncio.sleep(1)
            return placed

        desk.venue.inner.place = answers_late  # type: ignore[method-assign, assignment]
        assert (await desk.buy("0.01")).approved
        await desk.wait(NEWS_SECONDS + 1)
        count_unheard(desk.ports)
        assert (desk.states(), repairs(desk)) == ([S.FILLED], {})

    play(tmp_path, story)


def test_a_sweep_that_could_not_book_repaired_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await somebody_buys(desk)
        desk.books.writes_left = 1
        with pytest.raises(StoreFailed):
            await sweep(desk.ports)
        desk.books.writes_left = None
        assert desk.ports.unheard == {}
        assert await sweep(desk.ports) == 1

    play(tmp_path, story)


def test_an_end_that_only_a_look_up_told_is_a_repair_and_one_that_the_stream_tells_as_well_is_none(
    tmp_path: Path,
) -> None:
    async def story(desk: Desk) -> None:
        for late in (0.0, 1.0):
            answer = await desk.buy("0.1", price="49000")
            desk.venue.loses_news, desk.venue.news_late_seconds = not late, late
            await desk.paper.venue.cancel(ACCOUNT, answer.client_order_id)
            assert (await reconcile_account(desk.ports)).may_open
            desk.venue.loses_news, desk.venue.news_late_seconds = False, 0.0
            await desk.wait(NEWS_SECONDS + 1)
            await desk.quote("50000")
            await reconcile_account(desk.ports)
            assert repairs(desk) == {"order_by_look_up": 1}
        assert desk.states() == [S.CANCELED, S.CANCELED]

    play(tmp_path, story, rules=STREAMS)


def test_a_look_up_that_tells_nothing_new_is_no_repair(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        told = await desk.venue.order(ACCOUNT, answer.client_order_id)
        await hear_order(desk.ports, told, asked=True)
        assert desk.ports.unheard == {}
        done = (await desk.buy("0.1")).client_order_id
        await hear_order(desk.ports, await desk.venue.order(ACCOUNT, done), asked=True)
        assert desk.ports.unheard == {}

    play(tmp_path, story)


def test_an_order_that_never_was_placed_is_a_repair(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.REQUEST_LOST)
        await desk.buy("0.01")
        await desk.wait(3)
        assert await resolve_unknown(desk.ports) == []
        assert repairs(desk) == {"never_placed": 1}

    play(tmp_path, story)


def test_what_was_heard_first_and_what_is_heard_twice_count_nothing(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        heard(desk.ports, ["never asked for"])
        found_by_asking(desk.ports, Repair.TRADE_BY_SWEEP, "fact")
        await desk.wait(3)
        found_by_asking(desk.ports, Repair.TRADE_BY_SWEEP, "fact")
        await desk.wait(2)
        count_unheard(desk.ports)
        assert repairs(desk) == {"trade_by_sweep": 1}, "five seconds after it was found first"

    play(tmp_path, story)
