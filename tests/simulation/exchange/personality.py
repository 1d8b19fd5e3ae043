"""How a simulated exchange differs from the kindest one, drawn from a seed. What is named is what some venue does.

The shapes follow recorded answers of real venues (`exchange_payloads_raw`): which ids repeat, how pages end, what a
correction looks like, what a stream does after a break.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

from plimsoll.model.venue import DedupeScope


class Paging(StrEnum):
    """How a history is cut into pages."""

    #: `fromId`, inclusive: the last one of a page is the first of the next (Binance).
    FROM_ID = "from-id"
    #: An opaque cursor behind the last one (Bybit, Deribit).
    CURSOR = "cursor"
    #: By milliseconds, inclusive: several of one millisecond may be split over two pages (OKX, Kraken).
    TIME = "time"


class Ids(StrEnum):
    """In what a trade's id is unique."""

    GLOBAL = "global"
    #: Every symbol counts from 1 (Binance).
    SYMBOL = "symbol"


class Correcting(StrEnum):
    """How the venue takes a fill back or tells it otherwise."""

    #: The same trade id again, with a revision above the first (IBKR's digits behind the last dot).
    REVISION = "revision"
    #: A message `trade-bust` that names the trade, in stream and history (venues' bust channels).
    BUST_MESSAGE = "bust-message"


class Resuming(StrEnum):
    """What a stream does for who comes back."""

    #: It begins at now; what was missed is in the histories only.
    NOTHING = "nothing"
    #: It repeats everything since the number that is named.
    SINCE = "since"


class FeeIn(StrEnum):
    """In which asset a fill's fee is taken."""

    QUOTE = "quote"
    #: Of a spot purchase: what was bought.
    RECEIVED = "received"
    #: An asset of its own, at a discount (BNB).
    THIRD = "third"


@dataclass(frozen=True, slots=True)
class Personality:
    """One venue's character."""

    name: str = "kind"
    #: For how long it refuses an id that it has seen: for ever, among open orders, never.
    dedupe: DedupeScope = DedupeScope.FOREVER
    #: A request older than this when it arrives is refused; None takes any (it declares how late one can be).
    recv_window_seconds: float | None = 5.0
    #: An order stays invisible to look-ups and lists for so long after it was taken.
    lookup_lag_seconds: float = 0.0
    #: A fill or movement stays out of the histories for so long.
    history_lag_seconds: float = 0.0
    page_size: int = 100
    paging: Paging = Paging.CURSOR
    ids: Ids = Ids.GLOBAL
    correcting: Correcting = Correcting.REVISION
    resuming: Resuming = Resuming.NOTHING
    fee_in: FeeIn = FeeIn.QUOTE
    #: What that asset of its own is.
    third: str = "BNB"
    #: It takes the flag and enforces it; where not, it refuses to be asked for it.
    reduce_only: bool = True
    #: A derivative has a LONG and a SHORT leg beside each other.
    hedging: bool = False
    #: Ended orders are forgotten by look-ups after so long; None keeps them for ever.
    forgets_after_seconds: float | None = None
    #: An answer to an order says only that it was taken; fills come by stream and history.
    bare_answers: bool = False
    #: The stream repeats what an answer told.
    stream_repeats: bool = True
    #: How often one fill takes only a part of what could be filled.
    partial_ratio: float = 0.0
    #: The stream is cut by the venue after so long (Binance: 24 hours); its silence between heartbeats.
    cut_after_seconds: float = 86_400.0
    heartbeat_seconds: float = 5.0
    #: Every so often funding, and interest on what is owed.
    funding_seconds: float = 28_800.0
    interest_seconds: float = 3_600.0

    @property
    def late_seconds(self) -> float:
        """Say how late a request can still be carried out, as the venue documents it."""
        return 60.0 if self.recv_window_seconds is None else self.recv_window_seconds


KIND = Personality()


def draw_personality(seed: int, name: str) -> Personality:
    """Draw a venue's character."""
    chance = random.Random(f"{seed}|{name}|personality")
    return Personality(
        name=name,
        dedupe=chance.choice(tuple(DedupeScope)),
        recv_window_seconds=chance.choice((1.0, 5.0, 5.0, None)),
        lookup_lag_seconds=chance.choice((0.0, 0.0, 3.0, 20.0)),
        history_lag_seconds=chance.choice((0.0, 0.0, 2.0, 20.0)),
        page_size=chance.choice((2, 5, 100)),
        paging=chance.choice(tuple(Paging)),
        ids=chance.choice(tuple(Ids)),
        correcting=chance.choice(tuple(Correcting)),
        resuming=chance.choice(tuple(Resuming)),
        fee_in=chance.choice(tuple(FeeIn)),
        reduce_only=chance.random() < 0.8,
        hedging=chance.random() < 0.15,
        forgets_after_seconds=chance.choice((None, None, 600.0)),
        bare_answers=chance.random() < 0.4,
        stream_repeats=chance.random() < 0.7,
        partial_ratio=chance.choice((0.0, 0.3, 0.7)),
        cut_after_seconds=chance.choice((86_400.0, 900.0)),
        # An hour is the usual length of a run: it should see some of each.
        funding_seconds=chance.choice((28_800.0, 900.0)),
        interest_seconds=chance.choice((3_600.0, 600.0)),
    )
