"""Where coins belong that came or went without a symbol: to the position that they were bought for or are sold from.

A statement of rewards, transfers and fees names coins and no market. If they moved a balance and no position, then a
sale of them would be a short sale, and what was paid away would be held for ever.

Rule 1. Coins are at home at their statement's own venue, in what is traded there for them. Where they are traded for
        several things, it is the one with the most fills in the whole book, of equals the first by its symbol: so it
        does not matter in which order the book was told.
Rule 2. Where the venue trades none of them, they are of the only market in the book that does. Among several nobody
        chooses, and they stay with the account.
Rule 3. Coins that others are paid with have a home all the same: one trade of ETH/BTC takes no BTC out of BTC/USD.
        Money that others are paid with has none: dollars are no holding of USD/JPY where EUR/USD is traded as well.

What if a market that is traded more turns up in a later statement? The book is made anew, and all of them move there.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

from plimsoll.model.instrument import Instrument

#: How many fills there are of each market, by venue and symbol.
Fills = Mapping[tuple[str, str], int]

_MONEY = frozenset(
    {
        *("AUD", "BRL", "CAD", "CHF", "CNH", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR"),
        *("JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "RUB", "SEK", "SGD", "THB", "TRY", "UAH"),
        *("USD", "ZAR"),
    }
)


class Homes:
    """The homes of all coins of a book."""

    def __init__(self, instruments: Mapping[tuple[str, str], Instrument], fills: Callable[[], Fills]) -> None:
        """Look at what is traded; fills are only counted where coins are traded for several things at one venue."""
        spent = {asset for one in instruments.values() for asset in (one.quote, one.settle)}
        self._at_venue: dict[tuple[str, str], Instrument] = {}
        everywhere: defaultdict[str, list[Instrument]] = defaultdict(list)
        rivals: defaultdict[tuple[str, str], list[Instrument]] = defaultdict(list)
        for one in instruments.values():
            if not one.is_derivative and not (one.base in _MONEY and one.base in spent):
                everywhere[one.base].append(one)
                rivals[one.venue, one.base].append(one)
        counted = fills() if any(len(among) > 1 for among in rivals.values()) else {}
        for where, among in rivals.items():
            self._at_venue[where] = min(among, key=lambda one: (-counted.get((one.venue, one.symbol), 0), one.symbol))
        self._only = {asset: among[0] for asset, among in everywhere.items() if len(among) == 1}

    def of(self, asset: str, venue: str) -> Instrument | None:
        """Say what coins belong to that a statement of this venue names; None where they are the account's alone."""
        return self._at_venue.get((venue, asset)) or self._only.get(asset)
