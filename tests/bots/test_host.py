"""Bots of a served account: a day in minutes, restarts, a strategy that breaks, people who look and who may not.

`CONTRARY` buys after a fall and sells after a rise; it needs fourteen bars before it says anything.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.bots.catalogue import make_strategy
from plimsoll.bots.host import BotHost, BotSeen, NewBot
from plimsoll.bots.signals import Advice, Temperature
from plimsoll.bots.strategy import Strategy, View, Wish
from plimsoll.desk.halt import MANUAL, lift, set_state
from plimsoll.ledger import accounts, bots, keys
from plimsoll.ledger.bots import BotRecord
from plimsoll.market.candle_keeper import CandleKeeper
from plimsoll.model.account import Account, Halt, Mode, Portfolio, Scope, TradingState, User
from plimsoll.model.errors import CommandRefused, Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.order import OrderState, Side
from plimsoll.model.position import Position
from plimsoll.model.quote import Bar
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Draft
from tests.builders.bots import AT_ONCE, CONTRARY, QUIET
from tests.builders.desk import ACCOUNT, MAIN, USER
from tests.builders.paper import PERPETUAL, SPOT
from tests.builders.served import ADA, EVE, Served, serve

D = Decimal
CALM = ("50000",) * QUIET
BIG = {**AT_ONCE, "trade_size": "1000"}


@dataclass
class Scripted:
    """A strategy of somebody else, which does at each close what the test wants."""

    wishes: list[Wish | Exception | None] = field(default_factory=list)
    seen: list[View] = field(default_factory=list)
    warmed: int = 0
    remembered: dict[str, str] = field(default_factory=dict)
    name: str = "scripted"

    def on_close(self, bar: Bar, view: View) -> Wish | None:
        self.seen.append(view)
        wish = self.wishes.pop(0) if self.wishes else None
        if isinstance(wish, Exception):
            raise wish
        return wish

    def warm(self, bar: Bar) -> None:
        self.warmed += 1

    def state(self) -> dict[str, str]:
        return dict(self.remembered)

    def restore(self, state: Mapping[str, str]) -> None:
        self.remembered = dict(state)

    def acted(self, side: Side, at: object) -> None:
        self.remembered["acted"] = side


def scripts(desk: Served, *strategies: Strategy) -> None:
    """Give these strategies, in turn, to the bots that are made of the name `scripted`."""
    given = list(strategies)

    def make(name: str, params: Mapping[str, str]) -> Strategy:
        return given.pop(0) if name == "scripted" else make_strategy(name, params)

    desk.make = make


def held_by(desk: Served, record: BotRecord) -> Decimal:
    position: Position | None = desk.ports.books.hot.get(keys.position(ACCOUNT, (MAIN, SPOT.id, record.id, "")))
    return D(0) if position is None else position.quantity


def record_of(desk: Served, bot_id: int) -> BotRecord:
    record: BotRecord = desk.ports.books.hot.get(keys.bot(bot_id))
    return record


def seen(desk: Served, record: BotRecord) -> BotSeen:
    return desk.host.bot(record.id, ADA)


# --- a day in minutes


def test_a_bot_buys_sells_and_leaves_what_a_person_bought_alone(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        assert (await desk.buy("0.5")).approved
        record = await desk.bot(**BIG)
        await desk.minutes_closing(*CALM, "50000")
        assert seen(desk, record).signal.blocking_reason == "There is no buy or sell to act on."
        await desk.minutes_closing("49900")
        assert held_by(desk, record) == D("0.02004008"), "1000 at 49,900"
        signal = seen(desk, record).signal
        assert (signal.temperature, signal.recommended_action) == (Temperature.HOT, Advice.BUY)
        assert (signal.combined_score, signal.product_id) == ("1", "BTC/USDT")
        assert (signal.ready_to_trade, signal.blocking_reason) == (False, "It holds its position already.")
        assert signal.last_evaluation == desk.candles.whole_minutes(SPOT.id, 1)[0].end
        await desk.minutes_closing("50000")
        assert held_by(desk, record) == 0
        assert desk.held() == D("0.5"), "the person's own"
        assert desk.rows("SELECT triggered_by, side FROM trades ORDER BY id") == [
            ("manual", "BUY"), ("bot:1", "BUY"), ("bot:1", "SELL")
        ]  # fmt: skip

    serve(tmp_path, story)


def test_two_bots_of_one_instrument_do_not_sell_each_others_coins(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        contrary = await desk.bot(**BIG)
        holder = await desk.bot("hold", "two", share="0.01")
        await desk.minutes_closing(*CALM, "49900")
        assert held_by(desk, holder) > 0
        assert held_by(desk, contrary) > 0
        await desk.minutes_closing("50000")
        assert held_by(desk, contrary) == 0
        assert held_by(desk, holder) > 0
        assert seen(desk, holder).signal.blocking_reason == "It has bought, and holds."
        assert seen(desk, holder).signal.combined_score is None

    serve(tmp_path, story)


def test_a_persons_waiting_order_keeps_no_bot_waiting(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**BIG)
        assert (await desk.buy("0.01", price="49500")).approved
        await desk.minutes_closing(*CALM, "49900")
        assert held_by(desk, record) > 0

    serve(tmp_path, story)


def test_the_bot_of_another_instrument_is_not_asked(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        script = Scripted()
        scripts(desk, script, script)
        record = await desk.host.create(NewBot("p", "scripted", MAIN, PERPETUAL.id), ADA)
        await desk.host.start(record.id, ADA)
        await desk.minutes_closing("50000", "50000")
        assert script.seen == []

    serve(tmp_path, story)


# --- late bars, and warming


def test_a_bar_that_comes_late_teaches_and_moves_nothing(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**BIG)
        await desk.minutes_closing(*CALM)
        (last,) = desk.candles.whole_minutes(SPOT.id, 1)
        late = replace(last, start=last.end, low=D(49_900), close=D(49_900))
        await desk.wait(300)  # the lid of a laptop
        desk.show("49900")
        await desk.host.on_bar(late)
        assert held_by(desk, record) == 0
        assert seen(desk, record).signal.recommended_action is Advice.BUY
        assert desk.count("orders") == 0

    serve(tmp_path, story)


def test_a_started_bot_is_warmed_with_the_past_and_decides_none_of_it(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        await desk.minutes_closing(*CALM, "49900")
        record = await desk.bot(**BIG)
        signal = seen(desk, record).signal
        assert (signal.recommended_action, signal.ready_to_trade) == (Advice.BUY, True)
        assert desk.count("orders") == 0, "looking, and warming, never trade"
        await desk.minutes_closing("49800")
        assert held_by(desk, record) > 0

    serve(tmp_path, story)


# --- restarts


def test_a_restart_resumes_running_bots_with_what_they_remember(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        holder = await desk.bot("hold", share="0.01")
        patient = await desk.bot(name="two", **CONTRARY)
        stopped = await desk.bot(name="three", **CONTRARY)
        await desk.host.stop(stopped.id, ADA)
        await desk.minutes_closing(*CALM, "49900")
        await desk.flush()
        remembered = record_of(desk, patient.id).state
        assert dict(remembered)["advice"] == "BUY"
        past = desk.candles.whole_minutes(SPOT.id, 100)
        desk.die()
        desk.candles.seed(past)
        await desk.go()
        assert [one.record.status for one in desk.host.bots_of(ADA)] == ["RUNNING", "RUNNING", "STOPPED"]
        assert record_of(desk, holder.id).state == (("held", "yes"),)
        for price in ("49800", "49700", "49600", "49500", "49400"):
            assert held_by(desk, patient) == 0
            await desk.minutes_closing(price)
        assert held_by(desk, patient) > 0, "confirmed since before the restart"
        assert desk.rows("SELECT count(*) FROM trades WHERE triggered_by = 'bot:1'") == [(1,)]

    serve(tmp_path, story)


def test_a_crash_between_order_and_memory_buys_nothing_twice(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        holder = await desk.bot("hold", share="0.01")
        await desk.minutes_closing("50000")
        bought = held_by(desk, holder)
        assert bought > 0
        # The posted memory is thrown away with the process.
        desk.books.inner._latest.clear()
        desk.die()
        assert record_of(desk, holder.id).state == ()
        await desk.go()
        await desk.minutes_closing("50000", "50000")
        assert held_by(desk, holder) == bought
        await desk.flush()
        assert record_of(desk, holder.id).state == (("held", "yes"),)

    serve(tmp_path, story)


def test_a_bot_whose_strategy_is_gone_is_in_error_after_a_restart_and_the_others_run(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        scripts(desk, Scripted(), Scripted())
        lost, other = await desk.bot("scripted"), await desk.bot("hold", "two")
        desk.die()
        desk.make = make_strategy
        await desk.go()
        first, second = desk.host.bots_of(ADA)
        assert (first.record.id, first.record.status) == (lost.id, "ERROR")
        assert "there is no such strategy" in first.detail
        assert (second.record.id, second.record.status) == (other.id, "RUNNING")
        desk.die()
        await desk.go()
        assert seen(desk, lost).record.status == "ERROR"
        assert "audit log" in seen(desk, lost).detail
        with pytest.raises(Illegal, match="no such strategy"):
            await desk.host.start(lost.id, ADA)
        assert (await desk.host.stop(lost.id, ADA)).status == "STOPPED"
        assert seen(desk, lost).detail == ""

    serve(tmp_path, story)


# --- what breaks


@pytest.mark.parametrize("where", ["on_close", "acted", "state"])
def test_a_strategy_that_breaks_takes_itself_out_and_nobody_else(tmp_path: Path, where: str) -> None:
    async def story(desk: Served) -> None:
        class Broken(Scripted):
            def acted(self, side: Side, at: object) -> None:
                if where == "acted":
                    raise ZeroDivisionError("in acted")

            def state(self) -> dict[str, str]:
                if where == "state":
                    raise ZeroDivisionError("in state")
                return {}

        first: Wish | Exception = Wish("w", Side.BUY, quote_value=D(100))
        if where == "on_close":
            first = ZeroDivisionError("in on_close")
        broken, sound = Broken([first]), Scripted()
        scripts(desk, broken, broken, sound, sound, Scripted())
        one, two = await desk.bot("scripted"), await desk.bot("scripted", "two")
        await desk.minutes_closing("50000")
        assert seen(desk, one).record.status == "ERROR"
        assert seen(desk, one).detail == f"ZeroDivisionError: in {where}"
        assert seen(desk, one).signal.blocking_reason == seen(desk, one).detail
        await desk.minutes_closing("50000")
        assert (len(broken.seen), len(sound.seen)) == (1, 2)
        assert seen(desk, two).record.status == "RUNNING"
        told = desk.rows("SELECT details_json FROM events WHERE kind = 'BOT_CHANGED' ORDER BY number DESC LIMIT 1")
        assert f"in {where}" in told[0][0]
        noted = desk.rows("SELECT actor FROM audit_log WHERE entity = 'BOT' ORDER BY seq DESC LIMIT 1")
        assert noted == [("bot:1",)]
        assert any("BOT 1 FAILED" in message for _severity, message in desk.told.messages)
        await desk.host.start(one.id, ADA)
        assert (seen(desk, one).record.status, seen(desk, one).detail) == ("RUNNING", "")

    serve(tmp_path, story)


def test_a_full_disk_is_no_fault_of_the_bots(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**BIG)
        await desk.minutes_closing(*CALM)
        desk.books.writes_left = 0
        await desk.minutes_closing("49900")
        assert seen(desk, record).record.status == "RUNNING"
        assert held_by(desk, record) == 0
        desk.books.writes_left = None
        await desk.market("49900", 5)
        await desk.minutes_closing("49800")
        assert held_by(desk, record) > 0

    serve(tmp_path, story)


def test_a_strategy_that_breaks_while_nothing_can_be_written_is_out_all_the_same(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        broken = Scripted([ZeroDivisionError("now")])
        scripts(desk, broken, broken)
        record = await desk.bot("scripted")
        desk.books.writes_left = 0
        await desk.minutes_closing("50000", "50000")
        assert len(broken.seen) == 1
        assert record_of(desk, record.id).status == "RUNNING"
        assert seen(desk, record).record.status == "ERROR"
        desk.books.writes_left = None

    serve(tmp_path, story)


def test_a_bot_that_is_stopped_while_nothing_can_be_written_rests(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        script = Scripted()
        scripts(desk, script, script)
        record = await desk.bot("scripted")
        desk.books.writes_left = 0
        with pytest.raises(StoreFailed):
            await desk.host.stop(record.id, ADA)
        await desk.minutes_closing("50000")
        assert script.seen == []
        assert "next start" in seen(desk, record).detail
        desk.books.writes_left = None
        assert (await desk.host.stop(record.id, ADA)).status == "STOPPED"
        assert seen(desk, record).detail == ""

    serve(tmp_path, story)


# --- making, starting, stopping


def test_what_cannot_be_a_bot_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        good = NewBot("one", "hold", MAIN, SPOT.id, {"share": "0.5"})
        await desk.host.create(good, ADA)
        before = desk.everything()
        other = replace(good, name="two")
        for wrong, why in (
            (replace(other, name="  "), "name"),
            (replace(other, name="x" * 61), "name"),
            (replace(other, name="a\nb"), "name"),
            (replace(other, strategy="none"), "strategy"),
            (replace(other, params={"share": "2"}), "share"),
            (replace(other, params={"shares": "1"}), "shares"),
        ):
            with pytest.raises(Illegal, match=why):
                await desk.host.create(wrong, ADA)
        for refused, code in (
            (replace(other, instrument_id=InstrumentId(99)), "instrument_unknown"),
            (replace(other, portfolio_id=PortfolioId(99)), "portfolio_unknown"),
            (replace(good, name=" one "), "bot_name_taken"),
        ):
            with pytest.raises(CommandRefused, match=code):
                await desk.host.create(refused, ADA)
        with pytest.raises(CommandRefused, match="portfolio_unknown"):
            await desk.host.create(other, EVE)
        assert desk.everything() == before
        made = await desk.host.create(other, ADA)
        assert (made.id, made.status, made.params) == (2, "STOPPED", (("share", "0.5"),))
        assert desk.rows("SELECT actor, action FROM audit_log WHERE entity = 'BOT'") == [("user:1", "CREATE")] * 2

    serve(tmp_path, story)


def test_a_bot_is_of_a_version_of_its_strategy_and_other_parameters_are_the_next(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        said = [{"share": "0.5"}, {"share": "0.5"}, {"share": "0.4"}]
        made = [
            await desk.host.create(NewBot(f"bot {number}", "hold", MAIN, SPOT.id, params), ADA)
            for number, params in enumerate(said)
        ]
        assert [bot.strategy_version_id for bot in made] == [1, 1, 2]
        assert desk.rows("SELECT user_id, name, version, kind, params_json FROM strategies ORDER BY id") == [
            (USER, "hold", 1, "hold", '{"share":"0.5"}'),
            (USER, "hold", 2, "hold", '{"share":"0.4"}'),
        ]

    serve(tmp_path, story)


def test_a_name_is_the_users_alone_over_all_accounts_and_numbers_go_on(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        def another_account(draft: Draft) -> None:
            account = Account(AccountId(2), "a-2", USER, "second", "paper", Mode.PAPER, "USDT", "live", "standard")
            accounts.write_account(draft, account)
            accounts.write_portfolio(draft, Portfolio(PortfolioId(2), "p-2", AccountId(2), USER, "main"))
            bots.write(draft, BotRecord(7, PortfolioId(2), SPOT.id, "elsewhere", "hold", "RUNNING", ()))

        await desk.ports.books.write(another_account)
        with pytest.raises(CommandRefused, match="bot_name_taken"):
            await desk.host.create(NewBot("elsewhere", "hold", MAIN, SPOT.id), ADA)
        assert (await desk.host.create(NewBot("here", "hold", MAIN, SPOT.id), ADA)).id == 8
        assert [one.record.name for one in desk.host.bots_of(ADA)] == ["here"], "each account has its own"
        with pytest.raises(CommandRefused, match="bot_unknown"):
            await desk.host.start(7, ADA)
        with pytest.raises(CommandRefused, match="portfolio_unknown"):
            await desk.host.create(NewBot("there", "hold", PortfolioId(2), SPOT.id), ADA)
        desk.die()
        await desk.go()
        assert (await desk.host.create(NewBot("later", "hold", MAIN, SPOT.id), ADA)).id == 9

    serve(tmp_path, story)


def test_anothers_bot_answers_exactly_like_a_missing_one(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot("hold")
        before = desk.everything()
        fenced = replace(ADA, portfolios=frozenset({PortfolioId(5)}))

        async def answers(bot_id: int, actor: object) -> list[str]:
            told = []
            for ask in (
                desk.host.start(bot_id, actor),  # type: ignore[arg-type]
                desk.host.stop(bot_id, actor),  # type: ignore[arg-type]
                desk.host.evaluate(bot_id, actor, forced=True),  # type: ignore[arg-type]
            ):
                with pytest.raises(CommandRefused) as refused:
                    await ask
                told.append(repr(refused.value.refusals))
            for look in (desk.host.bot, desk.host.signal):
                with pytest.raises(CommandRefused) as refused:
                    look(bot_id, actor)  # type: ignore[arg-type]
                told.append(repr(refused.value.refusals))
            return told

        for stranger in (EVE, fenced):
            there = await answers(record.id, stranger)
            missing = await answers(99, stranger)
            assert [text.replace("'99'", f"'{record.id}'") for text in missing] == there
            assert desk.host.bots_of(stranger) == []
        assert desk.everything() == before
        assert seen(desk, record).record.status == "RUNNING"

    serve(tmp_path, story)


def test_starting_and_stopping_twice_is_once(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot("hold")
        assert (await desk.host.start(record.id, ADA)).status == "RUNNING"
        await desk.host.stop(record.id, ADA)
        await desk.host.stop(record.id, ADA)
        assert desk.rows("SELECT action FROM audit_log WHERE entity = 'BOT' ORDER BY seq") == [
            ("CREATE",), ("UPDATE",), ("UPDATE",)
        ]  # fmt: skip
        await desk.minutes_closing("50000")
        assert desk.count("orders") == 0
        assert seen(desk, record).signal.blocking_reason == "It is stopped."

    serve(tmp_path, story)


def test_a_start_that_could_not_be_written_starts_nothing(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.host.create(NewBot("one", "hold", MAIN, SPOT.id), ADA)
        desk.books.writes_left = 0
        with pytest.raises(StoreFailed):
            await desk.host.start(record.id, ADA)
        desk.books.writes_left = None
        assert seen(desk, record).record.status == "STOPPED"
        await desk.minutes_closing("50000")
        assert desk.count("orders") == 0

    serve(tmp_path, story)


# --- what keeps a bot from trading


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**BIG)

        def blocked() -> str:
            signal = seen(desk, record).signal
            assert signal.ready_to_trade is not bool(signal.blocking_reason)
            return signal.blocking_reason

        assert blocked() == "It has not seen enough closed bars to score one."
        await desk.minutes_closing(*CALM)
        past = seen(desk, record).signal
        assert past.last_evaluation is not None
        desk.ports.doubt("a test")
        assert blocked() == "The book has not been found equal to the venue."
        await desk.market("50000", 3)
        desk.ports.blind = "no price"
        assert blocked() == "The account cannot be valued: no price."
        desk.ports.blind = ""
        desk.ports.memory_state = TradingState.REDUCE_ONLY
        assert blocked() == "The account is REDUCE_ONLY."
        await lift(desk.ports, MANUAL, "user:1")
        stopping = await desk.attendant.stop()
        assert (stopping, blocked()) == ((), "The desk is being stopped.")

    serve(tmp_path, story)


@pytest.mark.parametrize(("scope", "number"), [(Scope.PORTFOLIO, MAIN), (Scope.STRATEGY, 1), (Scope.DESK, 0)])
def test_a_halt_of_its_portfolio_or_strategy_keeps_a_bot_from_wishing(
    tmp_path: Path, scope: Scope, number: int
) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**BIG)
        await desk.minutes_closing(*CALM)
        await set_state(desk.ports, Halt(scope, number, MANUAL, TradingState.CANCEL_ONLY, "a test"), "user:1")
        assert seen(desk, record).signal.blocking_reason == "The account is CANCEL_ONLY."
        await desk.minutes_closing("49900")
        assert desk.count("verdicts") == 0, "it does not even ask the gate"

    serve(tmp_path, story)


def test_what_it_holds_it_sells_while_nothing_may_be_opened(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**BIG)
        await desk.minutes_closing(*CALM, "49900")
        assert held_by(desk, record) > 0
        halt = Halt(Scope.ACCOUNT, ACCOUNT, MANUAL, TradingState.REDUCE_ONLY, "a test")
        await set_state(desk.ports, halt, "user:1")
        assert seen(desk, record).signal.blocking_reason == "It holds its position already."
        await desk.minutes_closing("50000")
        assert held_by(desk, record) == 0

    serve(tmp_path, story)


# --- asked between two bars


def test_a_forced_evaluation_skips_the_confirmation_and_nothing_else(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**{**CONTRARY, "trade_size": "1000"})
        await desk.minutes_closing(*CALM, "49900")
        before = desk.everything()
        unforced = await desk.host.evaluate(record.id, ADA, forced=False)
        assert unforced.answer is None
        assert "to be confirmed" in unforced.signal.blocking_reason
        assert desk.everything() == before
        forced = await desk.host.evaluate(record.id, ADA, forced=True)
        assert forced.answer is not None
        assert forced.answer.order is not None
        assert forced.answer.order.state is OrderState.FILLED
        assert forced.answer.order.intent.triggered_by == "bot:1"
        again = await desk.host.evaluate(record.id, ADA, forced=True)
        assert again.answer is None
        assert desk.count("trades") == 1
        await desk.minutes_closing("50000")
        assert "cools down" in seen(desk, record).signal.blocking_reason or held_by(desk, record) > 0
        assert (await desk.host.evaluate(record.id, ADA, forced=True)).answer is None, "it cools down"

    serve(tmp_path, story)


def test_a_refused_evaluation_may_be_asked_for_again(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**BIG)
        await desk.minutes_closing(*CALM)
        desk.ports.doubt("a test")
        desk.line.down = True
        await desk.minutes_closing("49900")
        refused = await desk.host.evaluate(record.id, ADA, forced=True)
        assert refused.answer is not None
        assert not refused.answer.approved
        desk.line.down = False
        await desk.until(lambda: desk.ports.reconciled)
        await desk.market("49900", 2)
        passed = await desk.host.evaluate(record.id, ADA, forced=True)
        assert passed.answer is not None
        assert passed.answer.approved

    serve(tmp_path, story)


def test_evaluating_what_does_not_run_or_decides_on_closes_only_trades_nothing(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        stopped = await desk.host.create(NewBot("s", "signals", MAIN, SPOT.id, BIG), ADA)
        holder = await desk.bot("hold")
        cold = await desk.bot(name="three", **BIG)
        for record in (stopped, holder, cold):
            assert (await desk.host.evaluate(record.id, ADA, forced=True)).answer is None
        assert desk.count("orders") == 0

    serve(tmp_path, story)


def test_a_strategy_that_breaks_when_it_is_asked_is_taken_out(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        class Touchy(Scripted):
            def reconsider(self, view: View, *, forced: bool) -> Wish | None:
                raise ZeroDivisionError(forced)

        touchy = Touchy()
        scripts(desk, touchy, touchy)
        record = await desk.bot("scripted")
        asked = await desk.host.evaluate(record.id, ADA, forced=True)
        assert asked.answer is None
        assert asked.signal.blocking_reason == "ZeroDivisionError: True"

    serve(tmp_path, story)


def test_a_bots_send_that_a_stop_cuts_off_leaves_nothing_pending(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        record = await desk.bot(**BIG)
        await desk.minutes_closing(*CALM)
        desk.line.before_sending = asyncio.Event().wait
        await desk.minutes_closing("49900")
        assert seen(desk, record).signal.blocking_reason == "An order of it is still on its way."
        assert desk.states() == [OrderState.PENDING]
        (left,) = await desk.attendant.stop()
        assert [(order.client_order_id, order.state) for order in desk.live()] == [(left, OrderState.UNKNOWN)]
        desk.die()
        await desk.go()
        await desk.market("49900", 5)
        assert (desk.states(), desk.reasons()) == ([OrderState.REJECTED], ["never_placed"])

    serve(tmp_path, story)


def test_bars_that_close_while_a_bot_is_being_started_are_not_lost(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        script = Scripted()
        empty = BotHost(desk.ports, desk.guard, CandleKeeper([SPOT.id]), lambda _name, _params: script)
        desk.attendant.on_bar_closed(desk.candles, empty.on_bar)
        record = await empty.create(NewBot("one", "scripted", MAIN, SPOT.id), ADA)
        await desk.minutes_closing("50000", "50000")
        await empty.start(record.id, ADA)
        assert script.warmed == 2
        await desk.minutes_closing("50000")
        assert (script.warmed, len(script.seen)) == (2, 1)

    serve(tmp_path, story)


def test_users_who_are_not_there_have_no_bots(tmp_path: Path) -> None:
    async def story(desk: Served) -> None:
        nobody = replace(ADA, user=User(EVE.user.id, "u-3", "Zoe", "viewer", approved=False))
        await desk.bot("hold")
        assert desk.host.bots_of(nobody) == []

    serve(tmp_path, story)
