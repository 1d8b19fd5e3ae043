"""What a strategy is asked, what it is shown, and what it may wish for.

Rules of this file:
1. A strategy is asked once per closed bar and answers from that bar, the view and its own indicators: no clock, no
   chance, no I/O, so that live, paper and replay decide alike.
2. A wish is named by its decision, not by its attempt: deciding the same bar again, after a crash, gives the same key
   and so the same order. A new decision has a new key, because a key that was once refused stays refused for ever.
3. What a strategy owns and when it last traded comes from the ledger, in the view; it does not count for itself. A
   trade that it was never told of, because we crashed in between, is then no surprise.
4. A bot that may not open (its account is not ACTIVE) may still close while it is REDUCE_ONLY. In stricter states bots
   send nothing: the gate would let a close pass, but a person or a guard has the helm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from plimsoll.model import money
from plimsoll.model.account import TradingState
from plimsoll.model.errors import Illegal
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.quote import Bar


@dataclass(frozen=True, slots=True)
class View:
    """What a bot sees of the world besides the bar, all of one moment.

    Units:   `equity` in `account_currency`; `position_quantity` signed, in the instrument's quantity
    """

    now: datetime
    account_state: TradingState
    account_currency: str
    #: None while the account cannot be valued.
    equity: Decimal | None
    #: The bot's own position, not the account's.
    position_quantity: Decimal
    #: An order of this bot is live, or of unknown fate.
    pending: bool
    #: This bot's last trade, None before the first.
    last_trade_at: datetime | None
    instrument: Instrument
    leverage: Decimal

    @property
    def may_open(self) -> bool:
        """Say whether a wish that opens may be made now."""
        return not self.pending and self.account_state is TradingState.ACTIVE

    @property
    def may_close(self) -> bool:
        """Say whether a reduce-only wish may be made now."""
        return not self.pending and self.account_state in _CLOSES


_CLOSES = frozenset({TradingState.ACTIVE, TradingState.REDUCE_ONLY})


@dataclass(frozen=True, slots=True)
class Wish:
    """What a strategy would like to trade at the market.

    Refuses: an empty key; neither or both of quantity and quote value; a size that is not above zero
    """

    #: Names the decision: the same for the same bar, another for another.
    key: str
    side: Side
    quantity: Decimal | None = None
    quote_value: Decimal | None = None
    reduce_only: bool = False
    #: The gate may approve less instead of refusing.
    allow_smaller: bool = False
    #: What made the strategy want it, as text for the record.
    context: str = ""

    def __post_init__(self) -> None:
        if not self.key:
            raise Illegal("key", self.key, "name the decision, such as 2018-01-01T00:00:00.000000Z:BUY")
        if (self.quantity is None) == (self.quote_value is None):
            raise Illegal("quantity", self.quantity, "give either a quantity or a quote value")
        for field, size in (("quantity", self.quantity), ("quote_value", self.quote_value)):
            if size is not None and money.check_digits(size, field) <= 0:
                raise Illegal(field, size, "wish for more than zero; the side says which way")


@runtime_checkable
class Strategy(Protocol):
    """A named set of rules with its parameters, for one bot.

    A resumed bot is given `restore` first and then `warm` with every closed bar again, oldest first; from there it
    decides as if it had never stopped.
    """

    @property
    def name(self) -> str:
        """Give the name that it is chosen by."""

    def on_close(self, bar: Bar, view: View) -> Wish | None:
        """Take the next closed bar and wish for at most one trade. Nothing but its own state may change."""

    def warm(self, bar: Bar) -> None:
        """Take a closed bar of the past: learn what it tells, wish for nothing."""

    def state(self) -> dict[str, str]:
        """Give what must not be forgotten and cannot be computed from bars or ledger, as text."""

    def restore(self, state: Mapping[str, str]) -> None:
        """Take back what `state` gave.

        Raises: Illegal when it is not what `state` gives
        """

    def acted(self, side: Side, at: datetime) -> None:
        """Hear that the last wish was approved; how much of it was filled is the ledger's to say."""


@runtime_checkable
class Explains(Protocol):
    """A strategy that can say why it waits."""

    def waits_for(self, view: View) -> str:
        """Say what keeps it from acting at the hour of the view, empty when nothing does. Nothing changes."""


@runtime_checkable
class Reconsiders(Protocol):
    """A strategy that can be asked again between two bars."""

    def reconsider(self, view: View, *, forced: bool) -> Wish | None:
        """Decide anew on the bars it has seen, at the hour of the view; `forced` skips its patience, nothing else."""
