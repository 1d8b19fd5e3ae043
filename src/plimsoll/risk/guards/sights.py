"""What quotes bear out: the prices an instrument was seen at, from its newest quote back to one two seconds older.

A bad tick stays on the board until the next quote, however often a guard looks at it. So a guard believes of what an
account is worth only what it would also be worth if of each instrument any *other* quote of its span were the true one:
a loss is borne out if it is one at the most that the account may be worth, a gain if it is one at the least.

Rule 1. Each instrument answers for itself: while one ticks, another's single bad tick is borne out by nothing. Where
        two legs balance one another, both prices moving at once make the bounds wider than the account's own way was;
        the guard then waits until the loss exceeds that, or the market stands still for two seconds.
Rule 2. Quotes are told apart by the date their source gives them. A quote dated ahead of us counts from when it was
        seen, or one wrong clock would let two quotes of one moment bear each other out.
Rule 3. Without a second quote nothing is borne out, for as long as it takes. A market that goes on being silent makes
        the account blind instead, at the age limit of its prices.
Rule 4. A closed bar needs no second quote.

What if we crash? Nothing here is written; a restart waits for two quotes before it believes.

What must not enter: a clock, the board, what the account lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice

from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Moment, Quote
from plimsoll.risk.guards.reading import CONFIRM_AFTER
from plimsoll.risk.valuation import Holdings, Prices, value_account


@dataclass(frozen=True, slots=True)
class Sight:
    """The quotes of one date that looks found, by what they value a holding at."""

    dated: datetime
    #: When it was so: its date, but not before it was seen.
    at: datetime
    low: Quote
    high: Quote


#: Oldest first; the first is the newest that is two seconds older than the last, where there is one.
Track = tuple[Sight, ...]


def noted(track: Track, quote: Quote, now: datetime) -> Track:
    """Take what a look found on the board into a track; the very same track where that is nothing new."""
    last = track[-1] if track else None
    if last is None or quote.at > last.dated:
        return _shortened((*track, Sight(quote.at, min(quote.at, now), quote, quote)))
    # The board holds nothing older; of two prices of one date neither is the other's second quote.
    if quote.valuation < last.low.valuation:
        return (*track[:-1], replace(last, low=quote))
    if quote.valuation > last.high.valuation:
        return (*track[:-1], replace(last, high=quote))
    return track


def _shortened(track: Track) -> Track:
    last = track[-1]
    for place in range(len(track) - 2, 0, -1):
        if last.at - track[place].at >= CONFIRM_AFTER:
            return track[place:]
    return track


def span_of(track: Track) -> tuple[Quote, Quote] | None:
    """Give the lowest and the highest quote of a track; None while nothing in it is two seconds older than its last."""
    if not track or track[-1].at - track[0].at < CONFIRM_AFTER:
        return None
    return (
        min((sight.low for sight in track), key=_valuation),
        max((sight.high for sight in track), key=_valuation),
    )


def _valuation(quote: Quote) -> Decimal:
    return quote.valuation


def priced_by(holdings: Holdings) -> tuple[InstrumentId, ...]:
    """Name the instruments whose prices the worth of holdings rests on, derivatives before what converts assets."""
    derivatives = [of for _position, of in holdings.positions if of.is_derivative]
    assets = [*(asset for asset, amount in holdings.balances if amount != 0), *(of.settle for of in derivatives)]
    named = dict.fromkeys(of.id for of in derivatives)
    for asset in dict.fromkeys(assets):
        pair = {asset, holdings.base_currency}
        converts = (
            of.id for of in holdings.instruments.values() if not of.is_derivative and {of.base, of.quote} == pair
        )
        named |= dict.fromkeys(islice(converts, 1))
    return tuple(named)


def bounds(
    holdings: Holdings,
    instruments: tuple[InstrumentId, ...],
    quotes: Mapping[InstrumentId, Quote],
    tracks: Mapping[InstrumentId, Track],
    now: datetime,
) -> tuple[Decimal, Decimal] | None:
    """Give the least and the most that holdings may be worth by what was seen; None where a second quote is missing.

    Shapes: `instruments` as `priced_by` names them: whether a derivative gains at a price does not depend on the rate
            its profit is converted at, but whether the account gains at that rate depends on the profit
    """
    least = most = quotes
    worth: dict[tuple[Decimal, ...], Decimal] = {}

    def of(at: Mapping[InstrumentId, Quote]) -> Decimal:
        # Asked up to ten times a look, mostly of the same prices: the least begins where the most does.
        prices = tuple(at[instrument_id].valuation for instrument_id in instruments if instrument_id in at)
        known = worth.get(prices)
        if known is None:
            known = worth[prices] = _equity(holdings, at, now)
        return known

    for instrument_id in instruments:
        quote = quotes.get(instrument_id)
        if quote is None or quote.moment is not Moment.LIVE:
            continue
        span = span_of(tracks.get(instrument_id, ()))
        if span is None:
            return None
        if span[0].valuation != span[1].valuation:
            least = min(({**least, instrument_id: seen} for seen in span), key=of)
            most = max(({**most, instrument_id: seen} for seen in span), key=of)
    return of(least), of(most)


#: What was on the board at a look was looked at then; how old it may be is asked of the newest quote alone.
_ANY_AGE = timedelta(days=100_000)


def _equity(holdings: Holdings, quotes: Mapping[InstrumentId, Quote], now: datetime) -> Decimal:
    worth = value_account(holdings, Prices(quotes, now, _ANY_AGE))
    if worth.equity is None:
        raise AssertionError(f"no price of {', '.join(worth.unpriced)}, and the account was valued before")
    return worth.equity
