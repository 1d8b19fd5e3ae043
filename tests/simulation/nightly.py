"""More of what the desk is asked to do while it is cut: too much for every run of the tests, so swept at night."""

from decimal import Decimal

from plimsoll.model.cash import CashKind
from plimsoll.model.order import Side, TimeInForce
from plimsoll.venues.paper.rules import PaperRules
from tests.simulation import hostile
from tests.simulation.happenings import (
    by_hand,
    guard_lifted,
    halted,
    killed,
    lifted,
    moved,
    previewed,
    refused,
    revised,
)
from tests.simulation.oracle import Files, flat, protected
from tests.simulation.scenarios import (
    SCENARIOS,
    Expect,
    Scenario,
    all_told,
    cancel,
    close,
    close_once,
    flatten_all,
    holds,
    look,
    order,
    price,
    race,
    wait,
    watch,
)
from tests.simulation.world import PLAIN, SPOT, Broken, Desk, Kind, Personality, World

D = Decimal
BUY, SELL = Side.BUY, Side.SELL

_BITS = Personality("bits", rules=hostile.PARTS)
_REPEATS = Personality("repeats", rules=PaperRules(stream_repeats=True))
_TELLS = Personality("tells", tells_movements=True, rules=PaperRules(stream_repeats=True))
#: The stream is behind, and a cancel's answer knows nothing of it.
_BLIND_CANCEL = Personality("blind_cancel", cancels_blindly=True, stream_delay=hostile.BEHIND.stream_delay)


def _nothing_while_stopped(world: World, files: Files) -> None:
    """While a person had stopped the account, nothing was approved."""
    if any(row["intent_key"] == "stopped" and row["outcome"] == "APPROVED" for row in files.verdicts):
        raise Broken("G5", "an order was approved on a stopped account")


def _asked_never_written(world: World, files: Files) -> None:
    """A preview leaves no verdict."""
    if any(row["intent_key"] == "asked" for row in files.verdicts):
        raise Broken("I11", "a preview was written down as a verdict")


def _lost_and_held(world: World, files: Files) -> None:
    """The person's own fill is in the book, whoever caused the others."""
    if world.by_hand and not any(row["triggered_by"] == "external" for row in files.trades):
        raise Broken("I5", "what a person traded at the venue is not in the book")


def _in_time(expect: Expect) -> Expect:
    """Ask it only of stories in which no order came behind those who were to deal with it."""

    def expected(world: World, files: Files) -> None:
        if not any(fault.kind is Kind.LATE for fault in world.struck):
            expect(world, files)

    return expected


ORDERS = (
    Scenario("stop", (order("a", BUY, "10"), order("s", SELL, "10", stop="98", reduce_only=True), price("97.5"))),
    Scenario("stop_limit", (order("a", BUY, "10", "101.5", stop="101"), price("101.2")), (holds("10"),)),
    Scenario("at_once_in_part", (order("a", BUY, "10", "100", lasting=TimeInForce.IOC),), personality=_BITS),
    Scenario("at_once_or_never", (order("a", BUY, "10", "99", lasting=TimeInForce.FOK), price("98.5")), (holds("10"),)),
    Scenario("short", (order("a", SELL, "10"), price("103"), close("by hand")), (flat,)),
    Scenario(
        "added_to",
        (order("a", BUY, "5"), price("101"), order("b", BUY, "5"), order("c", SELL, "3", reduce_only=True)),
        (holds("5", "10", "7", "2"),),
    ),
    Scenario(
        "protected_and_closed",
        (order("a", BUY, "10"), order("s", SELL, "10", stop="97", reduce_only=True), close("by hand"), price("96.5")),
        (flat,),
    ),
    Scenario(
        "coins_behind_a_stop",
        (order("a", BUY, "20"), order("s", SELL, "20", stop="97"), price("101"), close("by hand")),
        (flat,),
        market=SPOT,
    ),
    Scenario("double_click", (race(order("a", BUY, "10"), order("a", BUY, "10")),), (holds("10"),)),
    Scenario(
        "another_wish",
        (order("a", BUY, "10"), refused(order("a", BUY, "11"), "intent_key_reused")),
        (holds("10"),),
    ),
    Scenario("too_dear", (order("a", BUY, "900"), order("b", BUY, "10")), (holds("10"),)),
    Scenario("cancel_meets_fill", (order("a", BUY, "10", "98"), race(cancel("a"), price("97.5"))), (holds("10"),)),
    Scenario("late_fill", (order("a", BUY, "10", "98"), price("97.5"), cancel("a")), personality=_BLIND_CANCEL),
    Scenario(
        "order_meets_flatten",
        (order("a", BUY, "10"), race(flatten_all(1), order("b", BUY, "5")), flatten_all()),
        (flat,),
    ),
    Scenario(
        "in_bits_and_closed",
        (order("a", BUY, "10", "98"), price("97.5"), price("97"), flatten_all()),
        personality=_BITS,
    ),
)
PEOPLE = (
    Scenario(
        "preview", (race(previewed("asked", BUY, "10"), order("a", BUY, "10")),), (holds("10"), _asked_never_written)
    ),
    Scenario(
        "stopped",
        (order("a", BUY, "10"), halted(), order("stopped", BUY, "5"), lifted(), order("b", BUY, "5")),
        (holds("5", "10", "15"), _nothing_while_stopped),
    ),
    Scenario("stopped_and_closed", (order("a", BUY, "10"), halted(), close("by hand"), lifted()), (flat,)),
    Scenario("by_hand", (order("a", BUY, "10"), by_hand("hand-1", BUY, "3")), (_lost_and_held,), personality=_REPEATS),
    Scenario("by_hand_unseen", (order("a", BUY, "10"), by_hand("hand-1", BUY, "3"), killed(1)), (_lost_and_held,)),
)
GUARD = (
    Scenario(
        "countdown_goes_on", (order("a", BUY, "90"), price("74"), look(), wait(3), killed(1), watch()), (protected,)
    ),
    Scenario(
        "killed_while_closing", (order("a", BUY, "90"), price("74"), look(), wait(12), killed(1), watch()), (protected,)
    ),
    Scenario(
        "guard_lifted",
        (order("a", BUY, "90"), price("74"), watch(), guard_lifted(), order("b", BUY, "5")),
        (_in_time(holds("5")),),
    ),
    Scenario(
        "false_alarm", (order("a", BUY, "90"), price("76"), look(), price("99"), look(), wait(11)), (holds("90"),)
    ),
    Scenario(
        "guard_beside_a_close",
        (order("a", BUY, "90"), price("74"), race(watch(), close_once("by hand"))),
        (_in_time(flat),),
    ),
)
MONEY = (
    Scenario(
        "deposit",
        (order("a", BUY, "10"), moved(CashKind.DEPOSIT, "500"), price("101")),
        (all_told,),
        personality=_TELLS,
    ),
    Scenario(
        "withdrawal",
        (order("a", BUY, "10"), moved(CashKind.WITHDRAWAL, "-500"), price("101")),
        (all_told,),
        personality=_TELLS,
    ),
    Scenario(
        "interest",
        (order("a", BUY, "10"), moved(CashKind.INTEREST, "-0.01"), killed(2)),
        (all_told,),
        personality=_TELLS,
    ),
    Scenario(
        "bust", (order("a", BUY, "10"), order("b", BUY, "5"), revised(1, None)), (holds("5", "10", "15"),), market=SPOT
    ),
    Scenario("bust_unheard", (order("a", BUY, "10"), revised(1, None), killed(1)), (_in_time(flat),), market=SPOT),
    Scenario(
        "correction", (order("a", BUY, "10"), revised(1, "99.5"), price("101"), close("by hand")), (flat,), market=SPOT
    ),
    Scenario(
        "corrected_then_busted",
        (order("a", BUY, "10"), revised(1, "99.5"), revised(1, None, 2)),
        (_in_time(flat),),
        market=SPOT,
    ),
)
NIGHTLY: tuple[Scenario, ...] = (*ORDERS, *PEOPLE, *GUARD, *MONEY)
EVERY: tuple[Scenario, ...] = (*SCENARIOS, *NIGHTLY)
BY_NAME = {scenario.name: scenario for scenario in EVERY}


def is_told_anywhere(scenario: Scenario, venue: Personality) -> bool:
    """Say whether a scenario can be played at a venue of another character.

    Where everything fills in bits nobody can say how a story ends, a story may be about its own venue, and a
    replay has no venue but the one beside it, which answers.
    """
    own = scenario.personality is not PLAIN or scenario.begin is not Desk.begin
    return not own and not (scenario.expect and venue.rules.partial_fill_probability)
