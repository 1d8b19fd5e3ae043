"""One bot at work: a closed bar is decided once, at most one intent is out, its answer comes before the next bar.

    closed bar ──decide──► None                        nearly always, and without waiting
                       └─► Intent ──place──► approved? ──told──► the strategy hears of an approval

`decide` and `told` are for whoever drives bars without waiting (replay); `on_close` is both with the placing between.

If we crash after the intent was written and before the strategy's state was kept, the bot comes back with that order in
its view, and deciding that bar again gives the same key, which is answered and not ordered a second time.

What must not enter: sizes, prices, and whether an order is good. The strategy wishes, the gate judges.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from plimsoll.bots.strategy import Strategy, View, Wish
from plimsoll.model.clock import Clock
from plimsoll.model.errors import invariant
from plimsoll.model.ids import AccountId, IntentKey, PortfolioId, StrategyId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderTerms, OrderType
from plimsoll.model.quote import Bar


@dataclass(frozen=True, slots=True)
class Bot:
    """Whose bot it is and what it trades."""

    id: int
    account_id: AccountId
    portfolio_id: PortfolioId
    user_id: UserId
    instrument: Instrument
    strategy_id: StrategyId | None = None

    @property
    def triggered_by(self) -> str:
        """Name it as the author of its orders."""
        return f"bot:{self.id}"


class BotRunner:
    """Run one strategy for one bot.

    Shapes:  place(intent) -> True when the gate approved it; view() -> what the bot sees now
    """

    __slots__ = (
        "_clock",
        "_decided_to",
        "_out",
        "_place",
        "_turn",
        "_view",
        "bot",
        "strategy",
    )

    def __init__(
        self,
        bot: Bot,
        strategy: Strategy,
        place: Callable[[Intent], Awaitable[bool]],
        view: Callable[[], View],
        clock: Clock,
    ) -> None:
        self.bot = bot
        self.strategy = strategy
        self._place = place
        self._view = view
        self._clock = clock
        self._turn = asyncio.Lock()
        #: The intent whose answer is not known yet.
        self._out: Intent | None = None
        self._decided_to: datetime | None = None

    async def on_close(self, bar: Bar) -> None:
        """Decide a closed bar and place what comes of it; bars that arrive meanwhile wait for their turn.

        Raises: whatever `place` raises; the strategy has then not acted, and the view says what became of the order
        """
        async with self._turn:
            await self._send(self.decide(bar))

    async def ask(self, wish_for: Callable[[View], Wish | None]) -> None:
        """Ask the strategy once more between two bars, in its turn, and place what comes of it.

        Raises: whatever `place` raises, as `on_close`
        """
        async with self._turn:
            invariant(self._out is None, "a bot hears the answer to its intent before it decides again")
            view = self._view()
            await self._send(self._take(wish_for(view), view))

    async def _send(self, intent: Intent | None) -> None:
        if intent is None:
            return
        try:
            approved = await self._place(intent)
        except BaseException:
            # Refused, written or sent: we do not know. Nothing is repeated from here; a live or unknown order is
            # pending in the next view, and a trade of it is in the ledger.
            self._out = None
            raise
        self.told(intent, approved=approved)

    def decide(self, bar: Bar) -> Intent | None:
        """Evaluate a closed bar once, without waiting; an intent must be placed and its answer `told`.

        Shapes:  None -> nothing to do, or a bar that came twice or late
        """
        invariant(self._out is None, "a bot hears the answer to its intent before it decides again")
        if not self._is_next(bar):
            return None
        view = self._view()
        return self._take(self.strategy.on_close(bar, view), view)

    def _take(self, wish: Wish | None, view: View) -> Intent | None:
        if wish is None:
            return None
        # Asked again here, because a strategy of somebody else may not look.
        if not (view.may_close if wish.reduce_only else view.may_open):
            return None
        self._out = self._intent(wish)
        return self._out

    def told(self, intent: Intent, *, approved: bool) -> None:
        """Hear the gate's answer to the intent that is out."""
        invariant(intent is self._out, "a bot hears the answer to the intent that is out, once")
        self._out = None
        if approved:
            self.strategy.acted(intent.terms.side, intent.made_at)

    def warm(self, bar: Bar) -> None:
        """Feed a closed bar of the past; it is never decided after that."""
        if self._is_next(bar):
            self.strategy.warm(bar)

    def _is_next(self, bar: Bar) -> bool:
        invariant(bar.instrument_id == self.bot.instrument.id, "a bot is fed the bars of its own instrument")
        # A feed that reconnects tells its last bars again; twice in the indicators is another market.
        if self._decided_to is not None and bar.start <= self._decided_to:
            return False
        self._decided_to = bar.start
        return True

    def _intent(self, wish: Wish) -> Intent:
        bot = self.bot
        return Intent(
            key=IntentKey(f"{bot.triggered_by}:{wish.key}"),
            account_id=bot.account_id,
            portfolio_id=bot.portfolio_id,
            user_id=bot.user_id,
            terms=OrderTerms(
                bot.instrument.id,
                wish.side,
                OrderType.MARKET,
                quantity=wish.quantity,
                quote_value=wish.quote_value,
                reduce_only=wish.reduce_only,
            ),
            triggered_by=bot.triggered_by,
            made_at=self._clock.now(),
            strategy_id=bot.strategy_id,
            signal_context=wish.context,
            allow_smaller=wish.allow_smaller,
        )
