"""The door to the book for people: who asks is said first, and every question behind it is his."""

from dataclasses import dataclass

from sqlalchemy import Engine

from plimsoll.ledger.reading.curve import CurveReading
from plimsoll.ledger.reading.earnings import EarningReading
from plimsoll.ledger.reading.holdings import HoldingReading
from plimsoll.ledger.reading.imported import ImportedReading
from plimsoll.ledger.reading.made import MadeReading
from plimsoll.ledger.reading.naming import NamingReading
from plimsoll.ledger.reading.onward import OnwardReading
from plimsoll.ledger.reading.orders import OrderReading
from plimsoll.ledger.reading.performance import PerformanceReading
from plimsoll.ledger.reading.realised import RealisedReading
from plimsoll.ledger.reading.watching import WatchReading
from plimsoll.model.asker import Asker


@dataclass(frozen=True, slots=True)
class Own:
    """What one asker may ask."""

    orders: OrderReading
    holdings: HoldingReading
    earnings: EarningReading
    curve: CurveReading
    watch: WatchReading
    made: MadeReading
    realised: RealisedReading
    performance: PerformanceReading
    naming: NamingReading
    onward: OnwardReading
    imported: ImportedReading


class Reader:
    """Reads the book for people, by sessions that see nobody's rows until somebody asks (`place.people_reader`)."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, asker: Asker) -> Own:
        """Give what somebody may ask."""
        engine = self._engine
        return Own(
            OrderReading(engine, asker),
            HoldingReading(engine, asker),
            EarningReading(engine, asker),
            CurveReading(engine, asker),
            WatchReading(engine, asker),
            MadeReading(engine, asker),
            RealisedReading(engine, asker),
            PerformanceReading(engine, asker),
            NamingReading(engine, asker),
            OnwardReading(engine, asker),
            ImportedReading(engine, asker),
        )
