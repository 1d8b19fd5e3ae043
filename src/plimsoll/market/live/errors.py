"""What goes wrong between an exchange and us, classed by what a price feed does next.

ccxt's classes are told by their names, up the line of their bases, so that nothing of ccxt is imported to read them. A
feed asks only for what has no effect, so nothing here is an unknown outcome; what is not in the table is asked again.
"""

from datetime import timedelta

from plimsoll.model.errors import CommandRefused, GiveUp, Refusal, TryAgain, Wait, WorldFailure

#: How long an exchange is left alone that asks for patience and does not say how much.
PATIENCE = timedelta(seconds=30)

_TABLE: dict[str, type[WorldFailure]] = {
    # Too many questions, from us or from our address: a ban follows if we go on (FAILURES A11).
    "DDoSProtection": Wait,
    "RateLimitExceeded": Wait,
    "OnMaintenance": Wait,
    # No answer, half an answer, or one that makes no sense.
    "OperationFailed": TryAgain,
    "UnsubscribeError": TryAgain,
    # The answer is final: we, our address or our question are not wanted. A feed still asks again, at long intervals.
    "ExchangeError": GiveUp,
}


class ExchangeUnknown(CommandRefused):
    """An exchange was named that ccxt does not know."""

    def __init__(self, exchange_id: str) -> None:
        super().__init__(
            Refusal(
                "exchange_unknown",
                f"there is no exchange called {exchange_id!r}",
                observed=exchange_id,
                remedy="name it as ccxt does, such as binance, bybit, okx or kraken",
            )
        )


class CcxtMissing(CommandRefused):
    """Live prices were asked for, and the extra that brings them is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Refusal(
                "ccxt_missing",
                "live prices of crypto exchanges need ccxt, which is not installed",
                remedy="pip install 'plimsoll-desk[crypto]'",
            )
        )


def failure_of(error: Exception, retry_after: str | None = None) -> WorldFailure:
    """Class what ccxt raised, or what broke inside it on an answer that made no sense.

    Units: `retry_after` in seconds, as the exchange's header has it; None where there was none
    """
    names = [known.__name__ for known in type(error).__mro__]
    family = next((_TABLE[name] for name in names if name in _TABLE), TryAgain)
    sentence = f"{names[0]}: {_short(str(error))}" if str(error) else names[0]
    if family is Wait:
        return Wait(sentence, _patience(retry_after))
    return family(sentence)


def _patience(retry_after: str | None) -> timedelta:
    # The header may also hold a date; a minute is then near enough, and ours to choose.
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit() and len(retry_after) <= 5:
        return max(timedelta(seconds=int(retry_after)), timedelta(seconds=1))
    return PATIENCE


def _short(text: str) -> str:
    """Cut what an exchange wrote to a sentence: some answer with a whole page of HTML."""
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:199]}…"
