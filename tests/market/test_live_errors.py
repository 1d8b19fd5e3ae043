"""What goes wrong with an exchange, classed by what a feed does next."""

import importlib
import inspect
from datetime import timedelta
from typing import Any

import pytest

from plimsoll.market.live.errors import PATIENCE, CcxtMissing, ExchangeUnknown, failure_of
from plimsoll.model.errors import CommandRefused, GiveUp, TryAgain, Wait, WorldFailure

ccxt: Any = importlib.import_module("ccxt")
EVERY = [
    error
    for error in vars(ccxt).values()
    if inspect.isclass(error) and issubclass(error, ccxt.BaseError) and error is not ccxt.BaseError
]
PATIENT = {"DDoSProtection", "RateLimitExceeded", "OnMaintenance"}


@pytest.mark.parametrize("error", EVERY)
def test_every_error_of_the_library_has_its_class(error: type[Exception]) -> None:
    if error.__name__ in PATIENT:
        wanted: type[WorldFailure] = Wait
    elif issubclass(error, ccxt.ExchangeError):
        wanted = GiveUp
    else:
        wanted = TryAgain
    assert type(failure_of(error("told"))) is wanted


@pytest.mark.parametrize("error", [KeyError("b"), TypeError(), ValueError("no JSON"), TimeoutError(), OSError("gone")])
def test_what_breaks_on_a_senseless_answer_is_tried_again(error: Exception) -> None:
    failure = failure_of(error)
    assert type(failure) is TryAgain
    assert str(failure).startswith(type(error).__name__)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 1), (None, 30), ("Wed, 21 Oct 2026 07:28:00 GMT", 30), ("-5", 30), ("1000000", 30), ("²", 30)],
)
def test_patience_is_as_long_as_the_exchange_says_or_half_a_minute(header: str | None, seconds: int) -> None:
    failure = failure_of(ccxt.RateLimitExceeded("slow down"), header)
    assert isinstance(failure, Wait)
    assert failure.retry_after == timedelta(seconds=seconds)
    assert timedelta(seconds=30) == PATIENCE


def test_a_page_of_html_becomes_one_short_sentence() -> None:
    failure = failure_of(ccxt.ExchangeNotAvailable("<html>\n" + "sorry " * 500))
    assert len(str(failure)) < 250
    assert "\n" not in str(failure)


def test_what_is_missing_names_its_remedy() -> None:
    for refused, remedy in ((CcxtMissing(), "pip install 'plimsoll-desk[crypto]'"), (ExchangeUnknown("x"), "binance")):
        assert isinstance(refused, CommandRefused)
        assert remedy in refused.refusals[0].remedy
