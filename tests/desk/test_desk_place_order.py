"""Placing an order: the gate, the book, the venue, and everything that can be lost between them."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.desk import place_order as use_case
from plimsoll.desk.book_trades import hear, sweep
from plimsoll.desk.halt import halt_for_broken_parity
from plimsoll.desk.place_order import place_order, question_of, view_of
from plimsoll.desk.reconcile_account import reconcile_account
from plimsoll.desk.resolve_unknown import resolve_unknown
from plimsoll.ledger import keys
from plimsoll.model.account import Scope, TradingState
from plimsoll.model.errors import CommandRefused, Refusal, TryAgain
from plimsoll.model.ids import AccountId, ClientOrderId
from plimsoll.model.order import OrderEvent, OrderState, Side, TimeInForce
from plimsoll.model.venue import DedupeScope, OrderReport
from plimsoll.store.connection import StoreFailed
from plimsoll.venues.paper.rules import PaperRules
from tests.builders.desk import ACCOUNT, Desk, Sent, play
from tests.builders.paper import PERPETUAL, SPOT

D = Decimal
S = OrderState


# Approved and refused -------------------------------------------------------------------------------------------------


def test_a_market_order_is_filled_and_booked_when_its_caller_hears_of_it(tmp_path: Path) -> None:
    """SPEC §10's worked fill through the whole desk: 0.01 at an ask of 50,002.5 leaves 9,499.2247124875."""

    async def story(desk: Desk) -> None:
        await desk.quote("50000", "50002.5")
        answer = await desk.buy("0.01")
        assert answer.approved
        assert not answer.repeated
        assert answer.order is not None
        assert (answer.order.state, answer.order.filled_quantity) == (S.FILLED, D("0.01"))
        assert (desk.held(), desk.cash()) == (D("0.01"), D("9499.2247124875"))
        assert desk.count("trades") == 1

    play(tmp_path, story, cash="10000", rules=PaperRules(), price=None)


def test_a_limit_order_waits_with_its_money_held_back_and_fills_when_the_price_comes(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.1", price="49000")
        assert answer.order is not None
        assert answer.order.state is S.NEW
        assert answer.order.broker_order_id is not None
        assert desk.reserved() == D(4949), "worst cost, with the slack of control 18"
        await desk.quote("48000")
        assert desk.states() == [S.FILLED]
        assert (desk.held(), desk.reserved()) == (D("0.1"), D(0))

    play(tmp_path, story)


def test_a_refused_order_tells_every_reason_and_leaves_a_breach_and_nothing_else(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.ports.reconciled = False
        before, cash = desk.everything(), desk.cash()
        answer = await desk.buy("0.00001", made_at=desk.clock.now() - timedelta(minutes=5))
        assert not answer.approved
        assert answer.order is None
        for code in ("not_reconciled", "below_min_value", "intent_too_old"):
            assert code in answer.checks_json, answer.checks_json
        after = desk.everything()
        changed = {table: after[table] - before[table] for table in after if after[table] != before[table]}
        assert changed == {"verdicts": 1, "risk_breaches": 1, "audit_log": 1, "events": 1}
        ((action, observed),) = desk.rows("SELECT action, observed_json FROM risk_breaches")
        assert action == "BLOCKED"
        assert '"reconciled":false' in observed
        assert (desk.cash(), desk.reserved(), desk.live(), desk.venue.placed) == (cash, D(0), [], [])

    play(tmp_path, story)


def test_a_smaller_size_is_approved_where_the_intent_allows_it_and_leaves_a_breach(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.buy("100", allow_smaller=True)
        assert answer.order is not None
        assert 0 < answer.order.quantity < 2
        assert desk.rows("SELECT action FROM risk_breaches") == [("REDUCED_SIZE",)]

    play(tmp_path, story)


def test_an_account_that_is_not_this_desks_is_refused_like_one_that_does_not_exist(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        for number in (2, 99):
            with pytest.raises(CommandRefused, match="account_unknown"):
                await place_order(desk.ports, replace(desk.intent(Side.BUY, "0.01"), account_id=AccountId(number)))
        assert desk.count("verdicts") == 0

    play(tmp_path, story)


# The same key again ---------------------------------------------------------------------------------------------------


def test_the_same_key_again_gives_the_first_answer_and_no_second_order(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        first = await desk.buy("0.01", key="mine")
        await desk.wait(60)
        again = await desk.buy("0.01", key="mine")
        assert again.repeated
        assert again.client_order_id == first.client_order_id
        assert again.order == first.order
        assert (len(desk.venue.placed), desk.held()) == (1, D("0.01"))

    play(tmp_path, story)


def test_a_refusal_is_repeated_too_even_when_it_would_pass_now(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.ports.reconciled = False
        first = await desk.buy("0.01", key="mine")
        desk.ports.reconciled = True
        again = await desk.buy("0.01", key="mine")
        assert (again.approved, again.repeated, again.checks_json) == (False, True, first.checks_json)
        assert desk.count("risk_breaches") == 1

    play(tmp_path, story)


def test_the_same_key_with_another_body_is_refused(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.01", key="mine")
        before = desk.everything()
        with pytest.raises(CommandRefused, match="intent_key_reused"):
            await desk.buy("0.02", key="mine")
        told = {"risk_breaches": 1, "audit_log": 1, "events": 1}
        after = {table: count - told.get(table, 0) for table, count in desk.everything().items()}
        assert after == before, "a breach like any other, and nothing else"
        assert '"number":8' in str(desk.rows("SELECT details_json FROM risk_breaches"))

    play(tmp_path, story)


def test_a_hundred_callers_with_one_key_make_one_order(tmp_path: Path) -> None:
    """A7: double clicks, retries and redeliveries, all at once."""

    async def story(desk: Desk) -> None:
        answers = await asyncio.gather(*(desk.buy("0.01", key="mine") for _ in range(100)))
        assert len({answer.client_order_id for answer in answers}) == 1
        assert sum(not answer.repeated for answer in answers) == 1
        assert (len(desk.venue.placed), desk.held(), desk.count("orders")) == (1, D("0.01"), 1)
        assert not desk.ports.placing

    play(tmp_path, story)


@pytest.mark.parametrize("delay", [0, 0.01])
def test_racing_orders_never_break_a_limit_together(tmp_path: Path, delay: float) -> None:
    """I13: each alone would pass; together they may spend the cash once, less the buffer."""

    async def story(desk: Desk) -> None:
        wishes = (desk.buy("0.4", key=f"racer {number}") for number in range(20))
        answers = await asyncio.gather(*wishes)
        approved = sum(answer.approved for answer in answers)
        assert approved == 4
        assert desk.cash() > 0
        assert desk.count("risk_breaches") == 20 - approved

    play(tmp_path, story, delay=delay)


def test_waiting_orders_are_counted_against_the_cash(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answers = [await desk.buy("0.4", price="49000") for _ in range(8)]
        assert [answer.approved for answer in answers] == [True] * 5 + [False] * 3
        assert desk.reserved() == 5 * D(19796)

    play(tmp_path, story)


# What the venue may say -----------------------------------------------------------------------------------------------


def test_an_order_that_the_venue_rejects_gives_its_reservation_back(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.REJECTED)
        answer = await desk.buy("0.01", price="49000")
        assert answer.order is not None
        assert (answer.order.state, answer.order.reason) == (S.REJECTED, "market_reserved: the market is reserved")
        assert (desk.reserved(), desk.live(), desk.held()) == (D(0), [], D(0))

    play(tmp_path, story)


def test_an_order_that_certainly_was_not_sent_is_rejected_and_not_doubted(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.NOT_SENT)
        answer = await desk.buy("0.01")
        assert answer.order is not None
        assert (answer.order.state, answer.order.reason) == (S.REJECTED, "not sent: no connection")
        assert desk.reserved() == 0
        assert (await desk.buy("0.01")).approved

    play(tmp_path, story)


def test_a_lost_answer_is_unknown_blocks_opening_and_is_found_when_looked_up(tmp_path: Path) -> None:
    """A2, A3: the venue has it; it is never sent again, and its fill is booked from the history."""

    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        answer = await desk.buy("0.01", key="mine")
        assert answer.order is not None
        assert answer.order.state is S.UNKNOWN
        assert desk.reserved() > 0
        assert "order_outcome_unknown" in (await desk.buy("0.02")).checks_json
        assert (await desk.buy("0.01", key="mine")).repeated
        assert await resolve_unknown(desk.ports) == []
        assert (desk.states(), desk.held(), len(desk.venue.placed)) == ([S.FILLED], D("0.01"), 1)
        assert (await desk.buy("0.02")).approved

    play(tmp_path, story)


def test_a_lost_request_stays_unknown_for_the_settle_window_and_then_was_never_placed(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.REQUEST_LOST)
        await desk.buy("0.01")
        window = desk.venue.facts.settle_window.total_seconds()
        assert len(await resolve_unknown(desk.ports)) == 1
        await desk.wait(window)
        assert len(await resolve_unknown(desk.ports)) == 1, "the window itself belongs to the doubt"
        await desk.wait(0.001)
        assert await resolve_unknown(desk.ports) == []
        assert (desk.states(), desk.reasons(), desk.reserved()) == ([S.REJECTED], ["never_placed"], D(0))

    play(tmp_path, story)


def test_the_settle_window_begins_when_we_gave_up_and_not_when_we_wrote(tmp_path: Path) -> None:
    """A5: a request that took 20 s to give up on may still arrive after that; "not found" means nothing before."""

    async def story(desk: Desk) -> None:
        desk.venue.before_sending = lambda: desk.wait(20)
        desk.venue.fates.append(Sent.LATE)
        await desk.buy("0.01")
        await desk.wait(1)
        assert len(await resolve_unknown(desk.ports)) == 1, "the request is still on its way"
        await desk.wait(2)
        await desk.quote("50000")
        assert await resolve_unknown(desk.ports) == []
        assert (desk.states(), desk.held()) == ([S.FILLED], D("0.01"))

    play(tmp_path, story, rules=PaperRules(taker_fee_ratio=D(0)), trades_in=SPOT)


def test_not_found_by_id_alone_is_no_evidence_while_the_list_shows_it(tmp_path: Path) -> None:
    """A6: two places must agree."""

    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        answer = await desk.buy("0.01", price="49000")
        desk.venue.hidden.add(answer.client_order_id)
        await desk.wait(60)
        assert await resolve_unknown(desk.ports) == []
        assert desk.states() == [S.NEW]
        await desk.quote("48000")
        assert desk.held() == D("0.01")

    play(tmp_path, story)


def test_a_fill_that_nobody_can_look_up_is_evidence_too(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        answer = await desk.buy("0.01")
        desk.venue.hidden.add(answer.client_order_id)
        await desk.wait(60)
        assert await resolve_unknown(desk.ports) == []
        assert (desk.states(), desk.held()) == ([S.FILLED], D("0.01"))

    play(tmp_path, story)


def test_an_order_declared_never_placed_takes_its_fill_all_the_same(tmp_path: Path) -> None:
    """B3: later than every bound the venue declares; money moved, so it is booked."""

    async def story(desk: Desk) -> None:
        desk.venue.facts_said = replace(desk.venue.facts, late_arrival_bound=timedelta(0))
        desk.venue.fates.append(Sent.LATE)
        await desk.buy("0.01")
        await desk.wait(1.5)
        assert await resolve_unknown(desk.ports) == []
        assert desk.reasons() == ["never_placed"]
        await desk.wait(5)
        assert await sweep(desk.ports) == 1
        assert (desk.states(), desk.held()) == ([S.FILLED], D("0.01"))

    play(tmp_path, story)


def test_a_venue_that_does_not_answer_leaves_the_order_unknown_and_is_asked_again(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        await desk.buy("0.01")
        desk.venue.down = True
        await desk.wait(600)
        assert len(await resolve_unknown(desk.ports)) == 1
        assert desk.states() == [S.UNKNOWN]
        desk.venue.down = False
        assert await resolve_unknown(desk.ports) == []

    play(tmp_path, story)


def test_news_that_proves_an_order_just_before_it_is_given_up_wins(tmp_path: Path) -> None:
    """I7: the stream's word waits in line while "not found" is concluded; the order must not end while it lives."""

    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ANSWER_LOST)
        answer = await desk.buy("0.01", price="49000")
        name = answer.client_order_id
        lives = await desk.venue.order(ACCOUNT, name)
        desk.venue.hidden.add(name)
        desk.venue.unlisted.add(name)
        await desk.wait(60)

        async def news_comes_in() -> None:
            desk.ports.spawn(hear(desk.ports, [OrderReport(ACCOUNT, lives)]))
            await asyncio.sleep(0)

        desk.venue.while_listing = news_comes_in
        assert await resolve_unknown(desk.ports) == []
        assert desk.states() == [S.NEW]
        await desk.quote("48000")
        assert desk.held() == D("0.01")

    play(tmp_path, story, delay=0.01)


def test_an_adapter_that_breaks_after_sending_leaves_the_order_unknown_and_is_heard_of(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.ADAPTER_BREAKS)
        with pytest.raises(ValueError, match="in words we do not know"):
            await desk.buy("0.01")
        assert desk.states() == [S.UNKNOWN]
        assert desk.reasons()[0].startswith("ValueError")
        await resolve_unknown(desk.ports)
        assert (desk.states(), desk.held()) == ([S.FILLED], D("0.01"))

    play(tmp_path, story)


def test_a_stream_faster_than_the_answer_changes_nothing(tmp_path: Path) -> None:
    """B2: fills and the acknowledgement come in either order, and the fills twice."""

    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.01")
        assert answer.order is not None
        assert answer.order.broker_order_id is not None
        await desk.ports.settled()
        assert (desk.states(), desk.held(), desk.count("trades")) == ([S.FILLED], D("0.01"), 1)

    play(tmp_path, story, rules=PaperRules(stream_repeats=True), delay=0.01)


def test_an_order_that_ends_at_the_door_ends_in_the_book_too(tmp_path: Path) -> None:
    """An IOC that finds nothing comes back as placed and cancelled."""

    async def story(desk: Desk) -> None:
        intent = desk.intent(Side.BUY, "0.01", price="49000")
        terms = replace(intent.terms, time_in_force=TimeInForce.IOC)
        answer = await place_order(desk.ports, replace(intent, terms=terms))
        assert answer.order is not None
        assert answer.order.state is S.CANCELED
        assert desk.reserved() == 0

    play(tmp_path, story)


# Too old, broken, unwritable ------------------------------------------------------------------------------------------


def test_a_verdict_that_grew_too_old_before_the_send_sends_nothing(tmp_path: Path) -> None:
    """D8: the commit took longer than the market; the order ends as expired, for certain."""

    async def story(desk: Desk) -> None:
        answer = await desk.buy("0.01")
        assert answer.order is not None
        assert answer.order.state is S.EXPIRED
        assert (desk.venue.placed, desk.reserved()) == ([], D(0))

    play(tmp_path, story, delay=1.1)


def test_a_close_is_sent_however_old_its_verdict_is(tmp_path: Path) -> None:
    """I14: reducing risk is never blocked by a slow disk."""

    async def story(desk: Desk) -> None:
        await desk.buy("0.01")
        desk.books.inner._delay = lambda: 3.0
        await desk.close_it()
        assert desk.held() == 0

    play(tmp_path, story)


def test_an_order_that_differs_from_its_approval_halts_the_whole_desk_and_is_not_sent(tmp_path: Path) -> None:
    """Control 50: something between the gate and the wire changed it."""

    async def story(desk: Desk) -> None:
        waiting = await desk.buy("0.1", price="49000")
        market = use_case.view_of(desk.ports)
        intent = desk.intent(Side.BUY, "0.01")
        admission = await desk.ports.books.write(lambda draft: use_case._admit(draft, desk.ports, intent, market))
        changed = replace(admission.order, terms=admission.order.terms.sized(D("0.1")))
        desk.ports.books.hot.publish({keys.order(desk.ports.account_id, changed.client_order_id): changed})
        ended = await use_case._send(desk.ports, admission.order, admission.approved, market.now)
        assert ended.state is S.EXPIRED
        assert len(desk.venue.placed) == 1, "only the one that waited before"
        halt = desk.ports.books.hot.get(keys.halt(Scope.DESK, 0, "parity"))
        assert (halt.state, halt.latched) == (TradingState.HALTED, True)
        assert desk.told.words() == ["HALTED"]
        assert desk.live() == [], "HALTED takes back what waits"
        assert waiting.approved
        codes = (await desk.buy("0.01")).checks_json
        assert "not_active" in codes
        assert "parity" in codes

    play(tmp_path, story)


def test_a_broken_parity_that_cannot_be_written_still_lets_nothing_open(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.books.writes_left = 0
        await halt_for_broken_parity(desk.ports, Refusal("parity_broken", "it differs"))
        desk.books.writes_left = None
        assert (await reconcile_account(desk.ports)).may_open
        assert "parity" in (await desk.buy("0.01")).checks_json

    play(tmp_path, story)


def test_a_broken_parity_halts_although_an_order_could_not_be_taken_back(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.buy("0.1", price="49000")
        desk.venue.cancel_fails = TryAgain("no connection")
        await halt_for_broken_parity(desk.ports, Refusal("parity_broken", "it differs"))
        assert "not_active" in (await desk.buy("0.01")).checks_json

    play(tmp_path, story)


def test_what_was_learnt_before_is_not_written_again(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.REQUEST_LOST)
        await desk.buy("0.1")
        before = desk.everything()
        (order,) = desk.live()
        assert (await use_case.record(desk.ports, order, OrderEvent.OUTCOME_LOST, "again")) is order
        assert desk.everything() == before
        nobody = replace(order, client_order_id=ClientOrderId("PLIMNOBODY"))
        with pytest.raises(LookupError, match="not in the book"):
            await use_case.record(desk.ports, nobody, OrderEvent.OUTCOME_LOST, "again")

    play(tmp_path, story)


def test_nothing_is_sent_when_the_intent_cannot_be_written(tmp_path: Path) -> None:
    """D3: a full disk."""

    async def story(desk: Desk) -> None:
        desk.books.writes_left = 0
        with pytest.raises(StoreFailed):
            await desk.buy("0.01")
        desk.books.writes_left = None
        assert (desk.venue.placed, desk.count("orders"), desk.count("verdicts")) == ([], 0, 0)

    play(tmp_path, story)


def test_an_answer_that_cannot_be_written_stops_opening_until_it_is_looked_up(tmp_path: Path) -> None:
    """D4: the venue has it, the book says PENDING; a comparison finds it, and nothing opens before."""

    async def story(desk: Desk) -> None:
        desk.books.writes_left = 1
        with pytest.raises(StoreFailed):
            await desk.buy("0.01", key="mine")
        desk.books.writes_left = None
        assert desk.states() == [S.PENDING]
        again = await desk.buy("0.01", key="mine")
        assert again.repeated
        assert "not_reconciled" in (await desk.buy("0.02")).checks_json
        assert (await reconcile_account(desk.ports)).may_open
        assert (desk.states(), desk.held(), len(desk.venue.placed)) == ([S.FILLED], D("0.01"), 1)

    play(tmp_path, story)


def test_a_rejection_that_cannot_be_written_does_not_leave_an_order_pending_for_ever(tmp_path: Path) -> None:
    """I6: nobody is placing it any more, so it is of unknown fate, and "not found" ends it."""

    async def story(desk: Desk) -> None:
        desk.venue.fates.append(Sent.REJECTED)
        desk.books.writes_left = 1
        with pytest.raises(StoreFailed):
            await desk.buy("0.01")
        desk.books.writes_left = None
        assert not (await reconcile_account(desk.ports)).may_open
        assert desk.states() == [S.UNKNOWN]
        await desk.wait(5)
        assert (await reconcile_account(desk.ports)).may_open
        assert (desk.reasons(), desk.reserved()) == (["never_placed"], D(0))

    play(tmp_path, story)


def test_a_caller_who_gives_up_leaves_nothing_pending_for_ever(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.venue.before_sending = lambda: desk.wait(30)
        caller = asyncio.get_running_loop().create_task(desk.buy("0.01"))
        await desk.wait(1)
        assert await resolve_unknown(desk.ports) == [], "somebody is placing it"
        assert desk.states() == [S.PENDING]
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await resolve_unknown(desk.ports)
        assert desk.states() == [S.UNKNOWN]
        await desk.wait(5)
        assert await resolve_unknown(desk.ports) == []
        assert desk.reasons() == ["never_placed"]

    play(tmp_path, story)


def test_the_venues_own_dedupe_is_not_what_keeps_an_order_single(tmp_path: Path) -> None:
    """I1 on a venue that would take the same id twice: the desk itself sends once."""

    async def story(desk: Desk) -> None:
        desk.venue.facts_said = replace(desk.venue.facts, dedupe_scope=DedupeScope.NONE)
        desk.venue.fates.append(Sent.ANSWER_LOST)
        await desk.buy("0.01", key="mine")
        for _ in range(3):
            await desk.buy("0.01", key="mine")
            await resolve_unknown(desk.ports)
        assert len(desk.venue.placed) == 1

    play(tmp_path, story)


def test_a_perpetual_is_bought_on_margin_and_counted_by_its_leverage(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        assert (await desk.buy("1")).approved
        intent, view = desk.intent(Side.BUY, "0.1"), view_of(desk.ports)
        asked = await desk.ports.books.write(
            lambda draft: question_of(draft, desk.ports, intent, view, key_reused=False)
        )
        snapshot = asked.snapshot
        assert (snapshot.margin_used, snapshot.position_value, snapshot.has_load) == (D(25000), D(50000), True)
        assert snapshot.position_quantity == D(1)

    play(tmp_path, story, trades_in=PERPETUAL, leverage="2", rules=PaperRules())


def test_an_unknown_order_counts_against_its_account_only(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        intent = desk.intent(Side.BUY, "1")
        terms = replace(intent.terms, instrument_id=type(intent.terms.instrument_id)(77))
        answer = await place_order(desk.ports, replace(intent, terms=terms))
        assert not answer.approved
        assert desk.rows("SELECT DISTINCT account_id FROM risk_breaches") == [(ACCOUNT,)]

    play(tmp_path, story)
