"""The drawdown guard as a table: what was read, when, and what follows. No account, no clock, no venue."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.risk.guards.drawdown import DrawdownGuard, Episode, GuardAction, GuardStatus
from plimsoll.risk.guards.reading import Blind, Reading, Worth
from plimsoll.risk.limits import STANDARD

D = Decimal
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)
GUARD = DrawdownGuard(STANDARD)
A, S = GuardAction, GuardStatus
WARNS = (A.STOP_OPENING, A.WARN)
COUNTS = (A.STOP_OPENING, A.WARN, A.START_COUNTDOWN)


def worth(loss: str, equity: str | None = None) -> Worth:
    """Give the worth of an account of 10,000 units that lost so many percent from a peak of 1 a unit."""
    nav = 1 - D(loss) / 100
    return Worth(nav * 10_000 if equity is None else D(equity), nav)


def reading(loss: str, *, at: datetime = NOON, equity: str | None = None) -> Reading:
    """Read a loss at a closed bar."""
    seen = worth(loss, equity)
    return Reading(at, seen.equity, seen.nav, D(1), confirmed=True)


def live(loss: str, best: str, worst: str, *, at: datetime, equity: str | None = None) -> Reading:
    """Read a loss at live quotes that bear out a loss of `best` at the least and of `worst` at the most."""
    seen = reading(loss, at=at, equity=equity)
    return replace(seen, confirmed=False, most=worth(best, equity), least=worth(worst, equity))


@dataclass
class Watch:
    """A guard at work: readings come in, it steps from episode to episode."""

    episode: Episode = field(default_factory=Episode)
    at: datetime = NOON
    flat: bool = False
    under_way: bool = False

    def sees(
        self, loss: str | None, after: float = 0, *, equity: str | None = None, live: bool = False
    ) -> tuple[GuardAction, ...]:
        """Read a loss in percent (None: blind) so many seconds later; give what the guard wants done.

        Shapes: `live`: at quotes of which each has a second one that says the same
        """
        if live and loss is not None:
            return self.sees_quotes(loss, loss, loss, after)
        self.at += timedelta(seconds=after)
        return self._steps(Blind(self.at, "test") if loss is None else reading(loss, at=self.at, equity=equity))

    def sees_quotes(
        self, loss: str, best: str, worst: str, after: float, *, equity: str | None = None
    ) -> tuple[GuardAction, ...]:
        """Read a loss at quotes that bear out no less than `best` and no more than `worst`."""
        self.at += timedelta(seconds=after)
        return self._steps(live(loss, best, worst, at=self.at, equity=equity))

    def sees_one_quote(self, loss: str, after: float) -> tuple[GuardAction, ...]:
        """Read a loss at quotes of which one has no second."""
        self.at += timedelta(seconds=after)
        return self._steps(replace(reading(loss, at=self.at), confirmed=False))

    def _steps(self, seen: Reading | Blind) -> tuple[GuardAction, ...]:
        step = GUARD.check_drawdown(self.episode, seen, flat=self.flat, under_way=self.under_way, now=self.at)
        self.episode = step.episode
        return step.actions

    def in_countdown(self) -> "Watch":
        assert self.sees("20") == COUNTS
        return self


@pytest.mark.parametrize(
    ("loss", "equity", "status", "line", "actions"),
    [
        pytest.param("0", None, S.CALM, "", (), id="existing peak"),
        pytest.param("-5", None, S.CALM, "", (), id="new peak"),
        pytest.param("14.999", None, S.CALM, "", (), id="within threshold"),
        pytest.param("15", None, S.WARNED, "warning", WARNS, id="warning"),
        pytest.param("19.999", None, S.WARNED, "warning", WARNS, id="just above critical"),
        pytest.param("20", None, S.COUNTDOWN, "critical", COUNTS, id="critical"),
        pytest.param("100", "100", S.COUNTDOWN, "critical", COUNTS, id="all lost but at the least equity"),
        pytest.param("0", "99.99", S.COUNTDOWN, "min_equity", COUNTS, id="below minimum equity"),
        pytest.param("0", "100", S.CALM, "", (), id="at minimum equity"),
        pytest.param("16", "50", S.COUNTDOWN, "min_equity", COUNTS, id="min equity is asked before warning"),
        pytest.param("25", "50", S.COUNTDOWN, "min_equity", COUNTS, id="min equity is asked before critical"),
    ],
)
def test_the_lines_in_their_order(
    loss: str, equity: str | None, status: GuardStatus, line: str, actions: tuple[GuardAction, ...]
) -> None:
    watch = Watch()
    assert watch.sees(loss, equity=equity) == actions
    assert (watch.episode.status, watch.episode.line) == (status, line)


def test_a_calm_reading_gives_back_the_very_same_episode_so_that_nothing_is_written() -> None:
    episode = Episode()
    assert GUARD.check_drawdown(episode, reading("3"), flat=False, now=NOON).episode is episode


def test_a_warning_writes_down_what_was_seen_and_when() -> None:
    watch = Watch()
    watch.sees("16")
    expected = Episode(1, S.WARNED, "warning", NOON, NOON, drawdown=D("0.16"), equity=D(8400))
    assert watch.episode == expected


def test_a_countdown_has_its_deadline_ten_seconds_ahead() -> None:
    watch = Watch().in_countdown()
    assert watch.episode.deadline == NOON + timedelta(seconds=10)


def test_hysteresis_a_warning_goes_only_below_13_percent_and_after_300_seconds() -> None:
    watch = Watch()
    watch.sees("15")
    assert watch.sees("12.9", 299.9) == ()
    assert watch.sees("13", 100) == ()
    assert watch.episode.status is S.WARNED
    assert watch.sees("12.999", 1) == (A.LET_OPEN,)
    assert (watch.episode.status, watch.episode.line) == (S.CALM, "")


def test_a_warning_is_told_once_and_flapping_around_the_line_tells_nothing_more() -> None:
    watch = Watch()
    told = [watch.sees(loss, 30) for loss in ("15", "14.9", "15.1", "14.5", "16", "13.1", "15")]
    assert told == [WARNS, (), (), (), (), (), ()]


def test_a_warned_guard_goes_on_to_the_countdown_in_the_same_episode() -> None:
    watch = Watch()
    watch.sees("15")
    opened_at = watch.episode.opened_at
    assert watch.sees("20", 60) == COUNTS
    assert (watch.episode.number, watch.episode.opened_at) == (1, opened_at)


def test_nothing_is_closed_before_the_deadline_and_everything_at_it() -> None:
    watch = Watch().in_countdown()
    assert watch.sees("50", 9.999) == ()
    assert watch.sees("50", 0.001) == (A.CLOSE_ALL,)
    assert (watch.episode.status, watch.episode.drawdown) == (S.CLOSING, D("0.5"))


@pytest.mark.parametrize(
    ("loss", "stands_down"), [("17.999", True), ("18", False), ("19", False)], ids=["below 18 %", "18 %", "19 %"]
)
def test_a_countdown_stands_down_only_below_18_percent_at_its_end(loss: str, *, stands_down: bool) -> None:
    watch = Watch().in_countdown()
    assert watch.sees("1", 5) == ()  # nobody cancels a countdown, not even a better price before its end
    assert watch.sees(loss, 5) == ((A.STAND_DOWN,) if stands_down else (A.CLOSE_ALL,))
    assert watch.episode.status is (S.WARNED if stands_down else S.CLOSING)


def test_one_good_look_at_the_deadline_calls_no_close_off() -> None:
    """G1 the other way round: what two looks decided, one look does not undo."""
    watch = Watch().in_countdown()
    assert watch.sees("10", 10, live=True) == ()
    assert watch.episode.status is S.COUNTDOWN
    assert watch.sees("20", 2, live=True) == (A.CLOSE_ALL,)


def test_a_recovery_that_two_looks_see_stands_a_countdown_down() -> None:
    watch = Watch().in_countdown()
    assert watch.sees("10", 10, live=True) == ()
    assert watch.sees("10", 1.999, live=True) == ()
    assert watch.sees("10", 0.001, live=True) == (A.STAND_DOWN,)
    assert (watch.episode.status, watch.episode.suspicion) == (S.WARNED, None)


def test_a_recovery_is_confirmed_at_the_deadline_when_it_was_seen_before_and_never_doubted() -> None:
    watch = Watch().in_countdown()
    watch.sees("10", 8, live=True)
    assert watch.sees("10", 2, live=True) == (A.STAND_DOWN,)
    watch = Watch().in_countdown()
    for loss, after in (("10", 5.0), ("20", 1), ("10", 3)):
        assert watch.sees(loss, after, live=True) == ()
    assert watch.sees("10", 1, live=True) == (), "the relapse between begins the confirmation anew"


def test_after_standing_down_it_stays_warned_and_may_count_down_again_in_the_same_episode() -> None:
    watch = Watch().in_countdown()
    watch.sees("17", 10)
    assert watch.episode.deadline is None
    assert watch.sees("20", 1) == COUNTS
    assert watch.episode.number == 1


@pytest.mark.parametrize(("equity", "actions"), [("101.99", (A.CLOSE_ALL,)), ("102", (A.STAND_DOWN,))])
def test_a_countdown_of_least_equity_stands_down_two_percent_above_it(
    equity: str, actions: tuple[GuardAction, ...]
) -> None:
    watch = Watch()
    assert watch.sees("0", equity="99") == COUNTS
    assert watch.sees("0", 10, equity=equity) == actions


# Blind ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [None, "15", "20"], ids=["calm", "warned", "counting down"])
def test_blind_changes_nothing_whatever_stood_before(before: str | None) -> None:
    watch = Watch()
    if before is not None:
        watch.sees(before)
    episode = watch.episode
    assert watch.sees(None, 1_000) == ()
    assert watch.episode is episode


def test_a_countdown_that_ends_blind_stays_armed_and_closes_at_the_next_sight() -> None:
    watch = Watch().in_countdown()
    assert watch.sees(None, 10) == ()
    assert watch.sees(None, 60) == ()
    assert watch.sees("20", 1) == (A.CLOSE_ALL,)


def test_blind_stops_no_close_that_was_decided() -> None:
    watch = Watch().in_countdown()
    watch.sees("20", 10)
    assert watch.sees(None, 2) == (A.CLOSE_ALL,)
    watch.flat = True
    assert watch.sees(None, 2) == (A.LATCH,)


# Two looks at live quotes ---------------------------------------------------------------------------------------------


def test_a_live_quote_needs_a_second_look_two_seconds_later() -> None:
    watch = Watch()
    assert watch.sees("20", live=True) == ()
    assert watch.sees("20", 1.999, live=True) == ()
    assert watch.sees("20", 0.001, live=True) == COUNTS
    assert watch.episode.suspicion is None


def test_a_suspicion_goes_when_the_next_look_is_calm() -> None:
    watch = Watch()
    watch.sees("20", live=True)
    assert watch.sees("5", 1, live=True) == ()
    assert watch.episode.suspicion is None
    assert watch.sees("20", 5, live=True) == ()


def test_a_suspicion_of_worse_in_a_warned_guard_goes_when_it_is_only_a_warning() -> None:
    watch = Watch()
    watch.sees("15")
    watch.sees("20", live=True)
    assert watch.sees("16", 1, live=True) == ()
    assert watch.sees("20", 5, live=True) == ()


def test_one_bad_tick_at_20_percent_after_one_at_16_confirms_only_the_warning() -> None:
    """Two looks at a breach of which only one was critical confirm the milder line: G1, one tick liquidates nobody."""
    watch = Watch()
    watch.sees("16", live=True)
    assert watch.sees("21", 3, live=True) == WARNS
    assert watch.episode.status is S.WARNED


def test_one_bad_tick_at_20_percent_before_one_at_16_confirms_only_the_warning() -> None:
    watch = Watch()
    watch.sees("21", live=True)
    assert watch.sees("16", 3, live=True) == WARNS


# Two quotes, and not two looks at one --------------------------------------------------------------------------------


def test_one_quote_confirms_no_breach_however_often_it_is_looked_at() -> None:
    """E: the bad tick stays on the board while the market is quiet, and every look finds it there."""
    watch = Watch()
    for after in (0.0, 2, 1, 60, 3_600):
        assert watch.sees_one_quote("40", after) == ()
        assert (watch.episode.status, watch.episode.suspicion is not None) == (S.CALM, True)
    assert watch.sees("0", 1, live=True) == ()
    assert watch.episode == Episode(), "the honest price leaves nothing behind"


def test_a_breach_counts_only_as_far_as_the_second_quote_bears_it_out() -> None:
    watch = Watch()
    assert watch.sees_quotes("40", "0", "40", 0) == ()
    assert watch.sees_quotes("40", "14.9", "40", 60) == (), "beside the honest price before it, the tick says nothing"
    assert watch.sees_quotes("40", "15", "40", 1) == WARNS
    assert watch.episode.line == "warning"
    assert watch.sees_quotes("40", "19.9", "40", 60) == ()
    assert watch.sees_quotes("40", "19.9", "40", 60) == (), "what is warned of already is warned of once"
    assert watch.sees_quotes("40", "20", "40", 1) == COUNTS


def test_the_least_equity_is_borne_out_by_quotes_too() -> None:
    watch = Watch()
    for after in (0, 60):
        assert watch.sees_one_quote("99.5", after) == ()
    assert watch.sees_quotes("99.5", "99.5", "99.5", 1) == COUNTS
    assert watch.episode.line == "min_equity"


def test_one_bad_tick_at_the_deadline_closes_nothing_after_a_recovery() -> None:
    watch = Watch().in_countdown()
    assert watch.sees("10", 8, live=True) == ()
    assert watch.sees_quotes("40", "10", "40", 2) == ()
    assert watch.sees_quotes("40", "10", "40", 4) == ()
    assert watch.episode.status is S.COUNTDOWN
    assert watch.sees_quotes("10", "10", "40", 1) == ()
    assert watch.sees("10", 2, live=True) == (A.STAND_DOWN,)


def test_a_relapse_past_the_deadline_begins_the_sight_of_a_recovery_anew() -> None:
    watch = Watch().in_countdown()
    assert watch.sees("10", 8, live=True) == ()
    assert watch.sees_quotes("40", "10", "40", 2) == ()
    assert watch.sees("10", 1, live=True) == ()
    assert watch.sees("10", 2, live=True) == (A.STAND_DOWN,)


def test_a_breach_that_the_quotes_at_the_deadline_bear_out_is_closed_at_the_first_look() -> None:
    watch = Watch().in_countdown()
    assert watch.sees_quotes("40", "19", "40", 10) == (A.CLOSE_ALL,)


def test_one_good_quote_at_the_deadline_stands_nothing_down_however_often_it_is_looked_at() -> None:
    watch = Watch().in_countdown()
    for after in (10, 2, 60):
        assert watch.sees_one_quote("5", after) == ()
    assert watch.sees_quotes("5", "5", "20", 1) == ()
    assert watch.episode.status is S.COUNTDOWN
    assert watch.sees("20", 1, live=True) == (A.CLOSE_ALL,)


def test_after_a_restart_past_the_deadline_one_quote_closes_nothing() -> None:
    """SPEC §9: read again, confirm, act."""
    watch = Watch().in_countdown()
    assert watch.sees_one_quote("40", 60) == ()
    assert watch.sees_one_quote("40", 3) == ()
    assert watch.sees("40", 1, live=True) == (A.CLOSE_ALL,)


def test_one_good_quote_ends_no_warning() -> None:
    watch = Watch()
    watch.sees("15")
    assert watch.sees_one_quote("1", 300) == ()
    assert watch.sees_quotes("1", "1", "13", 1) == ()
    assert watch.episode.status is S.WARNED
    assert watch.sees_quotes("1", "1", "12.9", 1) == (A.LET_OPEN,)


def test_one_quote_closes_nothing_behind_a_latch() -> None:
    watch = latched_watch()
    watch.flat = False
    for after in (60, 3):
        assert watch.sees_one_quote("40", after) == ()
        assert watch.sees_quotes("40", "19.9", "40", after) == ()
    assert watch.episode.status is S.LATCHED
    assert watch.sees_quotes("40", "20", "40", 1) == (A.CLOSE_ALL,)


# Closing and the latch ------------------------------------------------------------------------------------------------


def test_a_close_is_tried_again_every_two_seconds_until_flat() -> None:
    watch = Watch().in_countdown()
    watch.sees("20", 10)
    tries = [watch.sees("20", 1) for _ in range(4)]
    assert tries == [(), (A.CLOSE_ALL,), (), (A.CLOSE_ALL,)]
    watch.flat = True
    assert watch.sees("20") == (A.LATCH,)
    assert (watch.episode.status, watch.episode.deadline) == (S.LATCHED, None)


def test_what_is_on_its_way_is_waited_for_and_not_tried_again() -> None:
    """G6: a market that is closed for a weekend; a try every two seconds would be 86,400 tries that send nothing."""
    watch = Watch().in_countdown()
    watch.sees("20", 10)
    watch.under_way = True
    assert watch.sees("20", 172_800) == ()
    watch.under_way = False
    assert watch.sees("20", 1) == (A.CLOSE_ALL,)


def test_a_close_goes_on_although_the_price_recovers() -> None:
    watch = Watch().in_countdown()
    watch.sees("20", 10)
    assert watch.sees("0", 2) == (A.CLOSE_ALL,)


def latched_watch() -> Watch:
    watch = Watch().in_countdown()
    watch.sees("20", 10)
    watch.flat = True
    assert watch.sees("20", 2) == (A.LATCH,)
    return watch


@pytest.mark.parametrize(("loss", "equity", "line"), [("20", None, "critical"), ("0", "99", "min_equity")])
def test_what_opens_behind_a_latch_is_closed_past_a_line_in_the_same_episode(
    loss: str, equity: str | None, line: str
) -> None:
    watch = latched_watch()
    watch.flat = False
    assert watch.sees(loss, 60, equity=equity) == (A.CLOSE_ALL,)
    assert (watch.episode.status, watch.episode.number, watch.episode.line) == (S.CLOSING, 1, line)
    watch.flat = True
    assert watch.sees("20", 2) == (A.LATCH,)


def test_what_opens_behind_a_latch_needs_two_looks_at_live_quotes() -> None:
    watch = latched_watch()
    watch.flat = False
    assert watch.sees("20", 60, live=True) == ()
    assert watch.sees("16", 1, live=True) == ()
    assert watch.sees("20", 1, live=True) == ()
    assert watch.sees("20", 2, live=True) == (A.CLOSE_ALL,)


@pytest.mark.parametrize("loss", ["19.9", "0", None])
def test_what_opens_behind_a_latch_is_let_be_before_a_line_and_while_blind(loss: str | None) -> None:
    watch = latched_watch()
    watch.flat, before = False, watch.episode
    assert watch.sees(loss, 60) == ()
    assert watch.episode is before


def test_a_latch_is_only_lifted_by_a_person() -> None:
    watch = Watch().in_countdown()
    watch.sees("20", 10)
    watch.flat = True
    watch.sees("20", 2)
    latched = watch.episode
    for loss in ("0", "50", None):
        assert watch.sees(loss, 10_000) == ()
        assert watch.episode is latched
    step = GUARD.lifted(latched, watch.at)
    assert step.actions == (A.LET_OPEN,)
    assert (step.episode.status, step.episode.line, step.episode.since) == (S.CALM, "", watch.at)


def test_episodes_are_numbered_and_each_begins_with_nothing_closed() -> None:
    watch = Watch().in_countdown()
    watch.episode = replace(GUARD.lifted(watch.episode, watch.at).episode, closed_count=3, loss=D(7))
    watch.sees("15", 60)
    assert (watch.episode.number, watch.episode.closed_count, watch.episode.loss) == (2, 0, D(0))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 400), st.booleans(), st.booleans()), max_size=40))
def test_nothing_is_ever_closed_without_a_countdown_of_ten_seconds_before_it(
    seen: list[tuple[int, int, bool, bool]],
) -> None:
    """G8: whatever is read in whatever order, CLOSE_ALL comes ten seconds after START_COUNTDOWN, never while blind."""
    watch = Watch()
    counting_since: datetime | None = None
    for loss, after, live, blind in seen:
        closing = watch.episode.status is S.CLOSING
        actions = watch.sees(None if blind else str(loss), after, live=live)
        if A.START_COUNTDOWN in actions:
            counting_since = watch.at
        if A.CLOSE_ALL in actions and not closing:
            assert counting_since is not None
            assert watch.at - counting_since >= timedelta(seconds=10)
            assert not blind
            assert loss >= 18
