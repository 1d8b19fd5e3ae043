"""Why the desk acted: each law of causes names what has none, and says nothing where there is one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.simulation.exchange.personality import KIND, FeeIn
from tests.simulation.hours.causes import Causes
from tests.simulation.hours.laws import Scene
from tests.simulation.hours.oracle import Oracle
from tests.simulation.hours.plans import THIRD, Plan, markets_of, plan_of, with_third
from tests.simulation.hours.record import Sent, Span
from tests.simulation.hours.tape import Struck
from tests.simulation.hours.weather import FAIR, Fault
from tests.simulation.hours.world import Life, live
from tests.simulation.world import Broken

SHORT = 8 / 60
LONGER = 20 / 60


def _plan(hours: float = SHORT, fee_in: FeeIn = FeeIn.QUOTE, seed: int = 1) -> Plan:
    (market, *_) = markets_of(seed)
    venue = replace(KIND, name=market.venue, fee_in=fee_in, third=THIRD)
    return Plan(seed, hours, FAIR, (with_third(market, venue),), (venue,))


def _lived(look: Callable[[Causes, Scene], None], *tape: Struck, hours: float = SHORT) -> Life:
    """Live a short while, and look at its causes once it rests."""
    real = Oracle.at_rest

    def at_rest(self: Oracle) -> None:
        real(self)
        (scene,) = self.scenes()
        look(self._causes, scene)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Oracle, "at_rest", at_rest)
        life = live(_plan(hours), tape=tape)
    assert life.failure is None, str(life.failure)
    return life


class Told(Scene):
    """A scene whose book answers a question as it is told to."""

    def say(self, part: str, *rows: dict[str, object]) -> None:
        """Answer so whatever asks of `part`."""
        real = self.book.rows
        self.book.rows = lambda question, *values: list(rows) if part in question else real(question, *values)  # type: ignore[method-assign]


def _told(scene: Scene) -> Told:
    return Told(scene.name, scene.book, scene.truth, scene.code)


def test_a_guard_that_acts_on_a_loss_nobody_had_breaks_its_law() -> None:
    """By whatever line it says it acted; and the same sight is judged once."""
    alarm = {"number": 1, "action": "warning", "drawdown": "0.16", "equity": "8400"}

    def look(causes: Causes, scene: Scene) -> None:
        causes.hold(scene)
        for row in (alarm, {**alarm, "number": 2, "action": "min_equity", "equity": "90"}):
            told = _told(scene)
            told.say("guard_alerts", row)
            with pytest.raises(Broken, match="never"):
                causes.hold(told)
            causes.hold(told)

    _lived(look)


def test_a_guard_is_not_blamed_for_two_bad_prices_that_bore_each_other_out() -> None:
    """No desk can tell them from a fall."""
    alarm = {"number": 1, "action": "critical", "drawdown": "0.4", "equity": "6000"}

    def look(causes: Causes, scene: Scene) -> None:
        now = causes.at()
        causes.struck = [
            Struck("quote BTC/USDT", 5, Fault.BAD_TICK, 0.0, now - 9),
            Struck("quote BTC/USDT", 7, Fault.BAD_TICK, 0.0, now - 5),
        ]
        told = _told(scene)
        told.say("guard_alerts", alarm)
        causes.hold(told)

    _lived(look)


def test_money_that_goes_out_is_no_loss() -> None:
    """A third of it went, and a unit is worth what it was."""
    tape = [Struck("minute", minute, Fault.WITHDRAWAL, 1_000.0) for minute in (3, 4, 5)]

    def look(causes: Causes, scene: Scene) -> None:
        worth = causes._worths[scene.book.account_id]
        assert worth.least is not None
        assert worth.least < 7_100
        assert worth.worst * 100 < 1

    _lived(look, *tape)


def test_a_fall_is_a_loss() -> None:
    """What is held is worth half of it afterwards."""

    def look(causes: Causes, scene: Scene) -> None:
        worth = causes._worths[scene.book.account_id]
        assert worth.worst > 0
        assert worth.least is not None
        assert worth.least < worth._units

    _lived(look, Struck("minute", 7, Fault.GAP, 45.0))


def test_a_fill_of_the_venues_own_making_stops_what_opens_and_bears_its_name() -> None:
    """Without the halt, or under another name, it breaks its law."""

    def look(causes: Causes, scene: Scene) -> None:
        assert {fill.made_by for fill in scene.truth.fills} == {None, "adl"}
        causes.hold(scene)
        told = _told(scene)
        told.say("entity = 'HALT'")
        with pytest.raises(Broken, match="opening was not stopped"):
            causes.hold(told)
        fills = tuple(replace(fill, made_by=fill.made_by and "settlement") for fill in scene.truth.fills)
        with pytest.raises(Broken, match="was made by settlement, booked by adl"):
            causes.hold(replace(scene, truth=replace(scene.truth, fills=fills), _revised=set()))

    _lived(look, *(Struck("minute", minute, Fault.ADL) for minute in range(4, 20)), hours=LONGER)


def test_an_order_that_opens_at_a_frozen_price_breaks_its_law() -> None:
    """Unless it closes, the price came back, the process began behind it, or somebody had set the clock."""

    def look(causes: Causes, scene: Scene) -> None:
        row = next(row for row in scene.book.orders if not row["closes"])
        name, record, book = row["client_order_id"], causes.record, scene.book
        sent = next(one for one in record.sent if one.client_order_id == name)
        frozen = Struck(f"quote {row['symbol']}", 9, Fault.FROZEN_PRICE, 60.0, sent.at - 20)
        assert causes.leaves(book, name) is None
        assert causes.leaves(book, "SIMSNEVER") is None
        causes.struck = [frozen]
        assert causes.leaves(book, name) == "it opens at a price that is 20.0 s old"
        for harmless in (
            replace(frozen, amount=5.0),
            replace(frozen, at=sent.at - 10),
            replace(frozen, site="quote X"),
        ):
            causes.struck = [harmless]
            assert causes.leaves(book, name) is None
        causes.struck = [frozen, Struck("minute", 3, Fault.STEP, -9.0, sent.at - 15)]
        assert causes.leaves(book, name) is None
        causes.struck = [frozen]
        record.lives.append(Span("desk-2", sent.at - 5))
        record.sent.append(Sent(sent.at, "desk-2", sent.venue, sent.what, name))
        assert causes.leaves(book, name) is None
        del record.lives[-1], record.sent[-1]

    _lived(look)


def test_a_fill_that_nobody_fetched_breaks_its_law_unless_something_held_the_desk_up() -> None:
    """A failed question, a ban, a process that began a moment ago: then it may take longer."""

    def look(causes: Causes, scene: Scene) -> None:
        process = causes_process[0]
        assert causes.late(scene, process) is None
        fill = replace(scene.truth.fills[0], trade_id="never told")
        more = replace(scene, truth=replace(scene.truth, fills=(fill,)), _revised=set())
        assert causes.late(more, process) == f"({fill.symbol}, never told) could be asked for 30 s, and was not"
        assert causes.late(more, None) is None
        causes.struck = [Struck("event anna", 3, Fault.DROPPED, 0.0, causes.at() - 1)]
        assert causes.late(more, process) is not None
        causes.struck = [Struck("request GET /fills", 3, Fault.LATE, 30.0, causes.at() - 100)]
        assert causes.late(more, process) is None
        causes.struck = []
        causes.sides[0].address.banned_until = causes.at()
        assert causes.late(more, process) is None
        causes.sides[0].address.banned_until = 0.0

    causes_process = []
    real = Oracle.at_rest

    def at_rest(self: Oracle) -> None:
        causes_process.append(self._world.process)
        real(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Oracle, "at_rest", at_rest)
        _lived(look)


def test_a_venue_takes_its_fees_in_an_asset_of_its_own() -> None:
    """It is traded there, the account has some of it, and fills are paid in it."""
    found: list[str] = []
    real = Oracle.at_rest

    def at_rest(self: Oracle) -> None:
        real(self)
        (scene,) = self.scenes()
        found.extend(fill.fee_asset for fill in scene.truth.fills)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Oracle, "at_rest", at_rest)
        failure = live(_plan(LONGER, FeeIn.THIRD, seed=2)).failure
    assert failure is None, str(failure)
    assert THIRD in found


def test_the_asset_for_fees_is_traded_where_a_venue_has_one() -> None:
    for seed in range(1, 30):
        plan = plan_of(seed, 1.0)
        for market, venue in zip(plan.markets, plan.personalities, strict=True):
            assert (f"{THIRD}/USDT" in market.symbols) is (venue.fee_in is FeeIn.THIRD)
