"""How a stretch of returns, and a row of closed trades, are judged: growth, drawdown, volatility, Sharpe, Sortino.

Rule 1. Growth and drawdown are exact to 18 places, because they are money divided by money. Volatility and what is
        divided by it need a root: floats carry them, and twelve places are told.
Rule 2. What cannot be known is None, never 0: the volatility of one return, the Sharpe ratio of returns that do not
        vary, the profit factor of somebody who never lost.
Rule 3. A return that nobody knows (None) grows nothing and varies nothing: it is left out, as empyrical does.

Drawdown is told as a return: -0.1 is a tenth below the highest point before. No rate is taken as free of risk.
Source: quantopian/empyrical 40f61b4, `stats.py`: cum_returns, max_drawdown, annual_volatility, sharpe_ratio,
        sortino_ratio (with required return 0), read 2026
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plimsoll.model import money

_ONE = Decimal(1)
#: Of what floats carried.
_TOLD_PLACES = 12


@dataclass(frozen=True, slots=True)
class Judged:
    """What a stretch of returns comes to."""

    count: int
    total_return: Decimal | None
    max_drawdown: Decimal | None
    annual_volatility: Decimal | None
    sharpe: Decimal | None
    sortino: Decimal | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What closed trades come to, in one currency."""

    count: int
    won: int
    lost: int
    gross_profit: Decimal
    #: Below zero.
    gross_loss: Decimal
    win_rate: Decimal | None
    profit_factor: Decimal | None


def judge(returns: Sequence[Decimal | None], periods_per_year: int) -> Judged:
    """Judge returns, each of one period, the oldest first."""
    known = [value for value in returns if value is not None]
    # Where nobody knows any of them, what they came to is unknown as well, and not nothing.
    grown = growth(returns) if known else []
    mean, deviation, below = _spread([float(value) for value in known])
    year = math.sqrt(periods_per_year)
    return Judged(
        len(known),
        grown[-1] - _ONE if grown else None,
        max_drawdown(grown),
        None if deviation is None else _told(deviation * year),
        _told(mean / deviation * year) if deviation else None,
        _told(mean / below * year) if below else None,
    )


def growth(returns: Iterable[Decimal | None]) -> list[Decimal]:
    """Say what 1 had become after each return."""
    grown: list[Decimal] = []
    value = _ONE
    for one in returns:
        value = value if one is None else money.settle_product(value, _ONE + one)
        grown.append(value)
    return grown


def max_drawdown(grown: Sequence[Decimal]) -> Decimal | None:
    """Find the deepest fall from a highest point before; 1 at the start counts as one. None of nothing."""
    if not grown:
        return None
    highest, deepest = _ONE, money.ZERO
    for value in grown:
        highest = max(highest, value)
        deepest = min(deepest, money.settle_quotient(value - highest, highest))
    return deepest


def tally(results: Iterable[Decimal]) -> Tally:
    """Count closed trades by what each came to. One that came to nothing was neither won nor lost, and counts."""
    count = won = lost = 0
    profit = loss = money.ZERO
    for result in results:
        count += 1
        if result > 0:
            won, profit = won + 1, profit + result
        elif result < 0:
            lost, loss = lost + 1, loss + result
    return Tally(
        count,
        won,
        lost,
        profit,
        loss,
        money.settle_quotient(Decimal(won), Decimal(count)) if count else None,
        money.settle_quotient(profit, -loss) if loss else None,
    )


def _spread(values: Sequence[float]) -> tuple[float, float | None, float]:
    """Give the mean, the deviation from it (of a sample: n - 1; None of fewer than two), and that below 0."""
    if not values:
        return 0.0, None, 0.0
    mean = math.fsum(values) / len(values)
    below = math.sqrt(math.fsum(min(value, 0.0) ** 2 for value in values) / len(values))
    if len(values) == 1:
        return mean, None, below
    # Returns that are all the same vary by nothing; their mean in floats may be off by a last bit.
    same = min(values) == max(values)
    squares = 0.0 if same else math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / (len(values) - 1)), below


def _told(value: float) -> Decimal:
    return Decimal(f"{value:.{_TOLD_PLACES}f}")
