"""What a failing hour leaves behind brings it back: tapes, stories, kept files, and the smallest failure like it."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.hours.digests import Trace, first_difference
from tests.simulation.hours.evidence import keep, replay_of, risks_hash, sources_hash
from tests.simulation.hours.runs import CRASH, Case, Outcome, case_from, in_processes, outcome_from, run_lines
from tests.simulation.hours.shrink import SHORTEST_HOURS, shrink
from tests.simulation.hours.simulate import cases
from tests.simulation.hours.story import Happening, clock, readable, share
from tests.simulation.hours.table import table
from tests.simulation.hours.tape import Struck, Tape, played, tape_from, tape_text
from tests.simulation.hours.weather import FAIR, Fault, Risk, Weather, draw_weather

LOST = Struck("request POST /order", 3, Fault.LOST, 0.0, 12.5)
SLOW = Struck("request GET /account", 7, Fault.SLOW, 4.25, 40.0)
KILL = Struck("minute", 2, Fault.KILL, 1.5, 120.0)
TAPE = (LOST, SLOW, KILL)


# Tapes ----------------------------------------------------------------------------------------------------------------


def test_a_tape_is_read_as_it_was_written() -> None:
    """To the last digit of every amount and time."""
    assert tuple(tape_from(tape_text(TAPE))) == TAPE


def test_a_played_tape_strikes_at_the_same_passings_and_nowhere_else() -> None:
    """The seed and the weather draw nothing then."""
    tape = played(1, TAPE, draw_weather(5))
    found = [tape.strike("request POST /order", float(second)) for second in range(1, 6)]
    assert [None if one is None else one.fault for one in found] == [None, None, Fault.LOST, None, None]
    assert tape.strike("event anna", 9.0) is None
    assert [one.passing for one in tape.struck] == [3]


def test_what_was_drawn_is_struck_again_when_it_is_played() -> None:
    """A drawn tape and its playing name the same faults at the same times."""
    weather = Weather({"request": (Risk(Fault.LOST, "request", 0.3), Risk(Fault.SLOW, "request", 0.3, 1, 20))})
    drawn = Tape(11, weather)
    for second in range(50):
        drawn.strike("request GET /time", float(second))
    again = played(99, drawn.struck)
    for second in range(50):
        again.strike("request GET /time", float(second))
    assert drawn.struck
    assert again.struck == drawn.struck


def test_a_site_without_a_fault_in_the_weather_still_counts_its_passings() -> None:
    """Or a tape made in one weather would strike elsewhere in another."""
    tape = Tape(1, FAIR)
    assert [tape.strike("minute", 60.0 * minute) for minute in range(5)] == [None] * 5


# Traces and stories ---------------------------------------------------------------------------------------------------


def test_two_traces_agree_only_when_every_effect_does() -> None:
    """Words are told apart, whatever they are joined to."""
    one, other, third = Trace(keep=True), Trace(keep=True), Trace(keep=True)
    for trace in (one, other):
        trace.note(0.5, "POST", "/order")
        trace.note(0.75, "commit")
    third.note(0.5, "POST/", "order")
    third.note(0.75, "commit")
    assert one.digest == other.digest != third.digest
    assert first_difference(one.kept or (), third.kept or ()) == "effect 1: 0.5 POST /order | 0.5 POST/ order"
    other.note(1.0, "GET", "/time")
    assert first_difference(one.kept or (), other.kept or ()) == "effect 3: only one of them has 1.0 GET /time"
    assert not first_difference(one.kept or (), one.kept or ())


def test_a_story_tells_the_last_of_it_in_order_with_faults_marked() -> None:
    """A fault stands before what came of it."""
    happened = [Happening(float(second), "desk-1", f"step {second}") for second in range(100)]
    happened.append(Happening(120.0, "desk-1", "it ended"))
    told = readable(happened, TAPE, last=3)
    assert told == [
        "0:01:39.000   desk-1         step 99",
        "0:02:00.000 ! minute         kill (1.5), passing 2",
        "0:02:00.000   desk-1         it ended",
    ]


def test_a_time_of_the_world_is_written_in_hours() -> None:
    """Milliseconds are enough for people."""
    assert [clock(0), clock(59.9996), clock(3_723.5)] == ["0:00:00.000", "0:01:00.000", "1:02:03.500"]


def test_a_share_of_no_numbers_is_unknown() -> None:
    """Not zero seconds."""
    assert share([], 0.95) is None
    assert share([3.0, 1.0, 2.0], 0.5) == 2.0
    assert share([float(number) for number in range(100)], 0.95) == 95.0


# Runs -----------------------------------------------------------------------------------------------------------------


def _scripted(case: Case) -> Outcome:
    """A world that breaks a law when two faults strike within half an hour; everything else does no harm."""
    if case.seed == 13:
        raise RuntimeError("not foreseen")
    faults = MANY if case.tape is None else case.tape
    struck = tuple(one for one in faults if one.at < case.hours * 3600)
    guilty = {one.fault for one in struck} >= {Fault.UNANSWERED, Fault.CRASH_AFTER}
    law = "I1" if guilty else None
    if law is None and Fault.BUST in {one.fault for one in struck}:
        law = "I5"
    return Outcome(case, law, "2 orders for one intent" if guilty else "", struck=struck)


MANY = (
    *(Struck("event anna", passing, Fault.DROPPED, 0.0, 30.0 * passing) for passing in range(1, 40)),
    Struck("request POST /order", 17, Fault.UNANSWERED, 0.0, 900.0),
    *(Struck("request GET /order", passing, Fault.SLOW, 2.0, 40.0 * passing) for passing in range(1, 30)),
    Struck("minute", 20, Fault.BUST, 0.0, 1_200.0),
    Struck("commit desk.db", 333, Fault.CRASH_AFTER, 0.0, 1_300.0),
    Struck("commit desk.db", 433, Fault.BUSY, 0.0, 1_900.0),
)


def test_a_case_and_its_outcome_pass_between_processes_unchanged() -> None:
    """As lines of JSON."""
    case = Case(7, 0.5, TAPE, ("paging", "ids"), clock_offset=-2.5)
    outcome = Outcome(case, "I5", "not equal", 1.5, "3:abc", {"1": "def"}, TAPE, ("a line",), {"orders": 4}, 2.5)
    assert case_from(case.to_json()) == case
    assert case_from(Case(7).to_json()) == Case(7)
    assert outcome_from(outcome.to_json()) == outcome


def test_a_run_that_breaks_down_is_told_as_a_failure_and_the_next_goes_on() -> None:
    """With the place where it broke down."""
    out = io.StringIO()
    run_lines([Case(13).to_json(), "", Case(14, tape=()).to_json()], out, _scripted)
    broken, whole = map(outcome_from, out.getvalue().splitlines())
    assert (broken.law, broken.sentence) == (CRASH, "RuntimeError: not foreseen")
    assert "_scripted" in "\n".join(broken.story)
    assert whole.law is None


def test_a_process_that_dies_over_a_case_is_told_as_its_failure(tmp_path: Path) -> None:
    """Nobody waits for an outcome that cannot come, and the cases behind it are run."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nline = sys.stdin.readline()\nif line: sys.exit('the process fell')\n"
    )
    outcomes = list(in_processes([Case(1), Case(2)], environment={"PYTHONPATH": str(tmp_path)}))
    assert [(outcome.case.seed, outcome.law) for outcome in outcomes] == [(1, CRASH), (2, CRASH)]
    assert "the process fell" in outcomes[0].story[-1]


def test_no_process_is_begun_when_the_budget_is_spent() -> None:
    """The seeds that were not begun are simply not there."""
    assert list(in_processes([Case(1)], seconds=-1.0)) == []


def test_seeds_are_named_as_ranges_and_one_by_one() -> None:
    """And each lives the same hours."""
    assert cases("1-3,9", 0.5) == [Case(1, 0.5), Case(2, 0.5), Case(3, 0.5), Case(9, 0.5)]


# Shrinking ------------------------------------------------------------------------------------------------------------


def test_shrinking_finds_the_two_guilty_faults_among_seventy() -> None:
    """And hours that just hold them; a fault that breaks another law is no help."""
    found = _scripted(Case(1, 1.0))
    done = shrink(found, _scripted, ("paging",), 200)
    tape = done.case.tape or ()
    assert [(one.site, one.passing) for one in tape] == [("request POST /order", 17), ("commit desk.db", 333)]
    assert 1_300 < done.case.hours * 3600 <= 1_300 + 3600 * SHORTEST_HOURS
    assert done.case.kind == ("paging",)
    assert done.case.clock_offset == 0
    assert done.smallest.law == "I1"


def test_shrinking_down_to_no_fault_at_all_says_so() -> None:
    """A law that breaks in fair weather needs no tape."""

    def always(case: Case) -> Outcome:
        return Outcome(case, "I9", struck=TAPE if case.tape is None else case.tape)

    assert shrink(always(Case(1)), always, (), 100).case.tape == ()


def test_shrinking_begins_behind_the_second_in_which_the_law_broke() -> None:
    """One try instead of a bisection from the whole."""
    asked: list[float] = []

    def run(case: Case) -> Outcome:
        asked.append(case.hours)
        return Outcome(case, "I1" if case.hours >= 0.25 else None, failed_at=900.0, struck=TAPE)

    shrink(replace(run(Case(1, 8.0)), failed_at=900.0), run, (), 30)
    assert asked[1] == pytest.approx(0.25 + SHORTEST_HOURS)


def test_shrinking_stops_when_its_tries_are_spent() -> None:
    """With the smallest failure so far."""
    done = shrink(_scripted(Case(1, 1.0)), _scripted, (), 5)
    assert done.tries == 5
    assert done.smallest.law == "I1"


# What is kept ---------------------------------------------------------------------------------------------------------


def test_a_kept_failure_brings_its_case_back(tmp_path: Path) -> None:
    """By its tape, or by its seed as it was drawn."""
    outcome = Outcome(Case(5, 0.5), "I1", "two orders", struck=TAPE, story=("the last line",))
    path = keep(outcome, tmp_path / "failures")
    told = json.loads(path.read_text())
    assert (told["seed"], told["law"], told["story"]) == (5, "I1", ["the last line"])
    assert (told["sources"], told["risks"]) == (sources_hash(), risks_hash())
    assert replay_of(path) == Case(5, 0.5, TAPE)
    assert replay_of(path, drawn=True) == Case(5, 0.5)


def test_the_table_sums_up_what_many_runs_did() -> None:
    """Seeds, faults by kind, laws by how many seeds broke them, and how long an unknown order stayed so."""
    runs = [
        Outcome(Case(1), None, figures={"orders": 90, "resolved": {"accepted": [2.0, 4.0]}}, struck=TAPE, seconds=2.0),
        Outcome(Case(2), "I1", "x", figures={"orders": 10, "repairs": {"adopted": 1}}, struck=(KILL,), seconds=2.0),
    ]
    told = {line.rsplit("  ", 1)[0].strip(): line.rsplit("  ", 1)[1] for line in table(runs).splitlines()}
    assert told["seeds"] == "2, 1 broke a law"
    assert told["orders"] == "100"
    assert told["faults: minute kill"] == "2"
    assert told["broken: I1"] == "1 seeds"
    assert told["repairs: adopted"] == "1"
    assert told["simulated hours a second and core"] == "0.50 (1,800 times real time)"
    assert told["unknown, and at the venue"] == "2: 4.0 s (half), 4.0 s (95 %), 4.0 s (all)"
