"""Laws about why: what the desk did by itself had a cause in the world, and not only in what it was told of it.

    G2   the drawdown guard acts on a loss that the account truly had, not on a bad price and not on money that went out
    G5   a fill of the venue's own making stops what opens, and is booked under the name of what made it
    I13  nothing opens at a price that had long been frozen
    LAG  what the stream lost is fetched soon: a dead stream is noticed within 15 seconds, and a comparison follows

What an account is truly worth comes from the exchange each second, in units of a fund, as a person would count it by
hand; what a desk was shown of prices comes from the tape.

What must not enter: what a desk believes of prices or worth.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.simulation.hours.files import Book
from tests.simulation.hours.laws import Scene
from tests.simulation.hours.repairs import lasting
from tests.simulation.hours.sides import THERE
from tests.simulation.hours.tape import Struck
from tests.simulation.hours.weather import Fault
from tests.simulation.world import START, Broken

if TYPE_CHECKING:
    from tests.simulation.hours.process import Process
    from tests.simulation.hours.record import Record
    from tests.simulation.hours.sides import Side

_ONE, _NOTHING = Fraction(1), Fraction(0)
#: A guard that says it saw a drawdown may have seen that much more than there was: it looks between two of our looks.
_NEAR = Fraction(3, 100)
#: Two bad prices of one market within so many seconds bear each other out, and no desk can tell.
_TOGETHER_SECONDS = 12.0
#: Silence is noticed after 15 seconds, the way may be long, pages may be many.
_HEARD_WITHIN_SECONDS = 30.0
#: After questions that failed it is asked more and more seldom.
_BACK_OFF_SECONDS = 60.0
_OF_STREAMS = frozenset({"event", "stream", "quote"})
#: The look before this one was no longer ago, but for a desk that stood still.
_LOOKED_BEFORE_SECONDS = 240.0
#: A price may be five seconds old; the last one may have come two seconds late, and an order waits for its turn.
_OLDEST_PRICE_SECONDS = 5.0 + 2.0 + 6.0 + 1.0


@dataclass(slots=True)
class Worth:
    """What an account is truly worth, followed second by second."""

    side: "Side"
    peak: Fraction = _ONE
    #: The worst loss of a unit from its peak, and the least that the account was ever worth.
    worst: Fraction = _NOTHING
    least: Fraction | None = None
    _units: Fraction = _NOTHING
    _flowed: Fraction = _NOTHING

    def look(self) -> None:
        """Value the account now."""
        told, out_and_in = self.side.exchange.worth(self.side.key)
        if told is None:
            return
        equity, flowed = Fraction(told), Fraction(out_and_in)
        came, self._flowed = flowed - self._flowed, flowed
        before = equity - came
        if self._units <= 0 or before <= 0:
            self._units, self.peak = max(equity, _NOTHING), _ONE
        else:
            unit = before / self._units
            self._units += came / unit
            self.peak = max(self.peak, unit)
            self.worst = max(self.worst, 1 - unit / self.peak)
        self.least = equity if self.least is None else min(self.least, equity)


@dataclass(slots=True)
class Causes:
    """Looks on at the sides of one world."""

    sides: "Sequence[Side]"
    record: "Record"
    struck: Sequence[Struck]
    #: Seconds since the world began.
    at: Callable[[], float]
    _judged: set[tuple[object, ...]] = field(default_factory=set)
    _worths: dict[int, Worth] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for side in self.sides:
            worth = self._worths[side.market.number] = Worth(side)
            _each_second(side, worth)

    def hold(self, scene: Scene) -> None:
        """Ask of an account why it was acted on.

        Raises: Broken
        """
        if not scene.restored:
            self._losses_were_real(scene, self._worths[scene.book.account_id])
        _the_venue_stops_it(scene)

    def leaves(self, book: Book, name: str) -> str | None:
        """Say why an order that arrives should never have left; None where nothing speaks against it."""
        rows = book.rows(_ORDER, name)
        sent = next((one for one in reversed(self.record.sent) if one.client_order_id == name), None)
        if not rows or rows[0]["closes"] or sent is None:
            return None
        began = next(span.began for span in reversed(self.record.lives) if span.process == sent.process)
        frozen = [one for one in self.struck if one.site == f"quote {rows[0]['symbol']}" and one.at <= sent.at]
        last = next((one for one in reversed(frozen) if one.fault is Fault.FROZEN_PRICE), None)
        if last is None or last.at <= began or sent.at > last.at + last.amount:
            return None
        if sum(rows[0]["symbol"] in side.market.symbols for side in self.sides) > 1:
            return None  # the site names no venue: it may be the other's price that stands still
        # A clock that is set back makes a price younger.
        if any(one.fault is Fault.STEP and last.at - 1 <= one.at <= sent.at for one in self.struck):
            return None
        age = sent.at - last.at
        return f"it opens at a price that is {age:.1f} s old" if age > _OLDEST_PRICE_SECONDS else None

    def _losses_were_real(self, scene: Scene, worth: Worth) -> None:
        for row in scene.book.rows("SELECT * FROM guard_alerts WHERE account_id = ? AND opened_at IS NOT NULL"):
            # What it saw is judged at the first look behind it, and once: people lift it, and then it is told anew.
            seen = (scene.book.account_id, row["number"], row["action"], row["drawdown"])
            if seen in self._judged:
                continue
            self._judged.add(seen)
            if self._prices_lied_together():
                continue
            said = f"{scene.name}: the guard acted on {row['action']}, a drawdown of {row['drawdown']}"
            if row["action"] == "min_equity":
                if worth.least is not None and worth.least > Fraction(row["equity"]) * (1 + _NEAR):
                    least = float(worth.least)
                    raise Broken("G2", f"{said} and equity {row['equity']}; it was never worth less than {least:.2f}")
            elif Fraction(row["drawdown"]) > worth.worst + _NEAR:
                raise Broken("G2", f"{said}; it never truly lost more than {float(worth.worst):.4f}")

    def _prices_lied_together(self) -> bool:
        last: dict[str, float] = {}
        for one in self.struck:
            if one.fault is Fault.BAD_TICK and one.at > self.at() - _LOOKED_BEFORE_SECONDS:
                if one.at - last.get(one.site, -_TOGETHER_SECONDS) < _TOGETHER_SECONDS:
                    return True
                last[one.site] = one.at
        return False

    def late(self, scene: Scene, process: "Process | None") -> str | None:
        """Say which fill the desk should have heard of by now, whatever the stream lost; None where there is none."""
        since = self.at() - _HEARD_WITHIN_SECONDS
        span = None if process is None or process.is_frozen else process.span
        if span is None or span.ready is None or span.ready > since or self._held_up_since(since):
            return None
        booked = {(fill.symbol, fill.trade_id) for fill in scene.book.fills}
        until_us = (START.timestamp() + since) * 1_000_000
        for fill in scene.truth.fills:
            if fill.counts and fill.visible_us <= until_us and (fill.symbol, fill.trade_id) not in booked:
                return f"({fill.symbol}, {fill.trade_id}) could be asked for {_HEARD_WITHIN_SECONDS:g} s, and was not"
        return None

    def _held_up_since(self, since: float) -> bool:
        """Say whether anything but the stream and the prices was struck: questions may have gone unanswered then."""
        if any(side.address.banned_until > since for side in self.sides):
            return True
        return any(
            one.at + lasting(one) > since - _BACK_OFF_SECONDS
            for one in self.struck
            if one.site.partition(" ")[0] not in _OF_STREAMS and one.fault not in THERE
        )


_ORDER = (
    "SELECT i.symbol, o.closes FROM orders o JOIN instruments i ON i.id = o.instrument_id"
    " WHERE o.account_id = ? AND o.client_order_id = ?"
)
_HALTS = "SELECT details_json FROM audit_log WHERE account_id = ? AND entity = 'HALT'"


def _each_second(side: "Side", worth: Worth) -> None:
    pass_time = side.exchange.pass_time

    def looked() -> None:
        pass_time()
        worth.look()

    side.exchange.pass_time = looked  # type: ignore[method-assign]


def _the_venue_stops_it(scene: Scene) -> None:
    booked = {fill.key: fill for fill in scene.book.fills}
    made = [fill for fill in scene.truth.fills if fill.made_by is not None and fill.counts]
    told = {json.loads(row["details_json"]).get("source") for row in scene.book.rows(_HALTS)} if made else set()
    for fill in made:
        ours = booked.get((fill.symbol, fill.trade_id, fill.revision))
        if ours is None:
            continue  # not heard of yet
        if ours.triggered_by != fill.made_by:
            raise Broken("G5", f"{scene.name}: {ours.key} was made by {fill.made_by}, booked by {ours.triggered_by}")
        if f"venue:{fill.made_by}" not in told:
            raise Broken("G5", f"{scene.name}: the venue made {ours.key} ({fill.made_by}), and opening was not stopped")
