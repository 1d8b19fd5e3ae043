"""The world of hours itself: a fair one rests without a repair, a hostile one is survived, and a seed is one run."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from tests.simulation.exchange.personality import KIND
from tests.simulation.hours.asgi import Follower
from tests.simulation.hours.oracle import Oracle
from tests.simulation.hours.plans import Plan, plan_of
from tests.simulation.hours.record import Record
from tests.simulation.hours.runs import Case, in_processes
from tests.simulation.hours.tape import Struck
from tests.simulation.hours.weather import FAIR, Fault
from tests.simulation.hours.world import Life, live
from tests.simulation.world import Broken

#: Eight minutes, and the quiet ones behind them.
SHORT = 8 / 60
#: What a desk on its first day finds at its venue: the money that was there before it.
FIRST_DAY = {"movement_by_sweep": 1}


def _plan(seed: int = 1, hours: float = SHORT) -> Plan:
    drawn = plan_of(seed, hours)
    kind = tuple(replace(KIND, name=venue.name) for venue in drawn.personalities)
    return replace(drawn, weather=FAIR, personalities=kind)


def _struck(site: str, passing: int, fault: Fault, amount: float = 0.0) -> Struck:
    return Struck(site, passing, fault, amount)


def _sound(tape: Sequence[Struck], *, hours: float = SHORT) -> Life:
    life = live(_plan(hours=hours), tape=tape)
    assert life.failure is None, str(life.failure)
    assert [(one.site, one.passing) for one in life.struck] == [(one.site, one.passing) for one in tape]
    return life


@cache
def _fair() -> Life:
    return _sound(())


def test_a_fair_while_needs_one_process_and_no_repair() -> None:
    """Nothing goes wrong, so nothing may be put right (I8)."""
    life = _fair()
    assert life.record.repairs == FIRST_DAY
    assert [span.why for span in life.record.lives] == ["stopped"]
    assert life.record.resolved == []
    assert life.figures["orders"] > 5
    assert life.figures["fills"] > 1


def test_what_was_asked_and_told_is_all_in_the_record() -> None:
    """Every wish of a fair world was answered for good, and everything sent was sent once."""
    record = _fair().record
    assert all(any(told.status in (200, 201, 422) for told in wish.told) for wish in record.wishes.values())
    assert all(sum(times.values()) == 1 for times in record.sendings.values())
    assert sum(record.statuses.values()) > len(record.wishes)
    assert record.leaks == []


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_a_process_that_dies_at_a_commit_is_started_again_on_its_files(fault: Fault) -> None:
    life = _sound([_struck("commit desk.db", 60, fault)])
    first, second = life.record.lives
    assert first.was_killed
    assert first.why == f"dies: {'before' if fault is Fault.CRASH_BEFORE else 'after'} a commit"
    assert second.why == "stopped"


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_a_process_that_dies_while_it_sends_leaves_one_order_at_most(fault: Fault) -> None:
    life = _sound([_struck("request POST /order", 2, fault)])
    assert [span.was_killed for span in life.record.lives] == [True, False]


def test_a_kill_is_survived_and_callers_are_served_again() -> None:
    """The process is gone for twenty seconds; the next one takes orders on the same files."""
    life = _sound([_struck("minute", 4, Fault.KILL, 20)])
    first, second = life.record.lives
    assert (first.ended, second.began) == (240.0, 260.0)
    assert any(told.process == second.process for wish in life.record.wishes.values() for told in wish.told)


def test_a_process_that_stands_still_goes_on_where_it_was() -> None:
    life = _sound([_struck("minute", 4, Fault.FREEZE, 45)])
    assert len(life.record.lives) == 1
    assert any(one.what == "goes on" and one.at == 285.0 for one in life.record.happenings)


def test_a_second_process_is_refused_by_the_lock_of_the_first() -> None:
    life = _sound([_struck("minute", 4, Fault.SECOND)])
    first, second = life.record.lives
    assert second.why == "dies: refused: another process is the desk of this folder"
    assert second.ready is None
    assert first.why == "stopped"


def test_an_older_book_that_is_brought_back_catches_up_with_its_venue() -> None:
    life = _sound([_struck("minute", 7, Fault.RESTORE, 60)])
    assert any(one.what.startswith("the book is that of") for one in life.record.happenings)
    assert any("THIS BOOK IS OLDER" in one.what for one in life.record.happenings)


@pytest.mark.parametrize(
    ("site", "fault"),
    [
        ("begin desk.db", Fault.BUSY),
        ("row desk.db", Fault.FULL),
        ("commit desk.db", Fault.DISK),
        ("commit desk.db", Fault.DONE_AND_FAILED),
    ],
)
def test_a_disk_that_fails_is_borne(site: str, fault: Fault) -> None:
    _sound([_struck(site, 40, fault), _struck(site, 60, fault), _struck(site, 61, fault)])


def test_what_happens_at_the_venue_itself_is_told_and_borne() -> None:
    _sound(
        [
            _struck("minute", 2, Fault.DEPOSIT, 250),
            _struck("minute", 3, Fault.BY_HAND),
            _struck("minute", 4, Fault.STEP, -7),
            _struck("minute", 5, Fault.CLOGGED, 20),
            _struck("minute", 6, Fault.DUMB, 100),
            _struck("minute", 7, Fault.WITHDRAWAL, 40),
            _struck("minute", 8, Fault.GAP, 6),
        ]
    )


def test_one_seed_is_one_run_in_whatever_process() -> None:
    """Every effect in its order is the same where strings hash otherwise, hostile weather included."""
    case = Case(6, 0.05)
    (one,) = in_processes([case], environment={"PYTHONHASHSEED": "1"})
    (other,) = in_processes([case], environment={"PYTHONHASHSEED": "2"})
    assert one.struck
    assert one.trace == other.trace != ""
    assert one.facts == other.facts != {}


def test_a_law_that_breaks_ends_the_run_there_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_oracle: Oracle) -> None:
        raise Broken("I0", "nothing holds")

    monkeypatch.setattr(Oracle, "every_minute", broken)
    life = live(_plan(), tape=())
    assert str(life.failure) == "I0: nothing holds"
    assert life.ended_at == 60.0
    assert life.facts == {}


def test_a_follower_says_which_event_was_never_told() -> None:
    def part(**frame: object) -> bytes:
        return f"data: {json.dumps(frame)}\n\n".encode()

    follower = Follower()
    told = part(type="hello", number=4) + part(type="event", number=6, previous=4)
    for piece in (told[:17], told[17:], part(type="quotes"), part(type="event", number=9, previous=8)):
        follower.hear(piece)
    assert (follower.after, follower.frames) == (9, 4)
    assert follower.gaps == ["event 9 says that it follows 8, and 6 was the last"]
    follower.hear(part(type="snapshot_required", number=30) + part(type="event", number=31, previous=30))
    assert (follower.after, len(follower.gaps)) == (31, 1)


def test_a_secret_in_an_answer_or_a_line_of_the_log_is_a_leak() -> None:
    record = Record(lambda: 1.0, lambda _law, _what: None)
    record.secrets["a key"] = "plim_of_somebody"
    record.answered(200, '{"prefix": "plim_of"}')
    assert record.leaks == []
    record.answered(200, '{"secret": "plim_of_somebody"}')
    record.write('{"event": "told", "what": "plim_of_somebody"}\n')
    assert [leak.partition(" in ")[0] for leak in record.leaks] == ["a key", "a key"]
