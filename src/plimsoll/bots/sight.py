"""What a bot sees of its account: read off the books once for each version of them, the same live and in a replay.

Its position and its orders are those of its own place (portfolio, instrument, strategy): what a person orders beside it
neither counts as the bot's nor keeps it waiting. Where long and short stand beside each other it sees the net of both.
Every halt that binds its orders at the gate is seen: the desk's, the user's, the account's, the portfolio's and the
strategy's, and what the process holds itself to in memory.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.bots.runner import Bot
from plimsoll.bots.strategy import View
from plimsoll.desk.cancel_order import leg_of
from plimsoll.desk.ports import Ports
from plimsoll.desk.protect import Protector
from plimsoll.desk.snapshot import leverage_of
from plimsoll.ledger import accounts, keys
from plimsoll.model import money
from plimsoll.model.account import Account, TradingState
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position
from plimsoll.risk.guards.reading import Reading


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the books say, as of one version of them."""

    version: int
    state: TradingState
    currency: str
    instrument: Instrument
    leverage: Decimal
    quantity: Decimal
    pending: bool
    last_trade_at: datetime | None


class Sight:
    """Looks at the books for one bot."""

    def __init__(self, ports: Ports, protector: Protector, bot: Bot) -> None:
        self._ports = ports
        self._protector = protector
        self._bot = bot
        self._place = (bot.portfolio_id, bot.instrument.id, bot.strategy_id or 0)
        self._seen: _Seen | None = None

    def look(self) -> View:
        """Give what the bot sees now."""
        ports, reading = self._ports, self._protector.last
        if self._seen is None or self._seen.version != ports.books.hot.version:
            self._seen = self._look_at_books()
        seen = self._seen
        return View(
            now=ports.clock.now(),
            account_state=max(seen.state, ports.memory_state, key=lambda state: state.strictness),
            account_currency=seen.currency,
            equity=reading.equity if isinstance(reading, Reading) else None,
            position_quantity=seen.quantity,
            pending=seen.pending,
            last_trade_at=seen.last_trade_at,
            instrument=seen.instrument,
            leverage=seen.leverage,
        )

    def _look_at_books(self) -> _Seen:
        hot, bot = self._ports.books.hot, self._bot
        with hot.lock:
            account: Account = hot.get(keys.account(bot.account_id))
            instrument: Instrument = hot.get(keys.instrument(bot.instrument.id))
            halts = accounts.halts_over(hot, account, bot.portfolio_id, bot.strategy_id)
            states = (TradingState.ACTIVE, *(halt.state for halt in halts))
            every: list[Position] = hot.shelf(keys.POSITION, account.id)
            held = [position for position in every if position.key[:3] == self._place]
            return _Seen(
                hot.version,
                max(states, key=lambda state: state.strictness),
                account.base_currency,
                instrument,
                leverage_of(hot, account.id, instrument, accounts.limits_of(hot, account)),
                sum((position.quantity for position in held), money.ZERO),
                any(leg_of(order)[:3] == self._place for order in hot.shelf(keys.ORDER, account.id)),
                max((position.folded_to[0] for position in held if position.folded_to is not None), default=None),
            )
