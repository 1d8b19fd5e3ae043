"""Where an account's prices come from: what may be asked for, and what is remembered of it."""

from pathlib import Path

import pytest

from plimsoll.bootstrap.sources import LIVE, REPLAY, SYNTHETIC, PricePlan, Wanted, plans_of, plans_text, wanted
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId


def test_live_and_synthetic_are_asked_for_by_their_names() -> None:
    """No file, no symbol."""
    assert wanted("live", None) == Wanted(LIVE)
    assert wanted("synthetic", None) == Wanted(SYNTHETIC)


@pytest.mark.parametrize("text", ["", "real", "live:binance", "synthetic:7", "replay", "replay:"])
def test_anything_else_is_refused_with_what_there_is(text: str) -> None:
    """The sentence names the field, the value and the remedy."""
    with pytest.raises(Illegal, match="choose live, synthetic or replay:FILE") as refused:
        wanted(text, None)
    assert repr(text) in str(refused.value)


def test_a_symbol_goes_with_a_recording_only() -> None:
    """A live account has a list of its own."""
    with pytest.raises(Illegal, match="--symbol"):
        wanted("live", "BTC/USDT")


def test_a_recording_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Before anything is made."""
    with pytest.raises(Illegal, match="no such file"):
        wanted(f"replay:{tmp_path / 'nothing.csv'}", None)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("btc_perp_1m_2022-01.csv.gz", "BTC/USDT:USDT"),
        ("coinbase_btcusd_1h.csv.gz", "BTC/USD"),
        ("fxcm_eurusd_1m.csv", "EUR/USD"),
        ("ETH-USDT.csv", "ETH/USDT"),
    ],
)
def test_the_name_of_a_recording_says_what_it_holds(tmp_path: Path, name: str, symbol: str) -> None:
    """Unless it is told."""
    file = tmp_path / name
    file.touch()
    assert wanted(f"replay:{file}", None) == Wanted(REPLAY, file, symbol)
    assert wanted(f"replay:{file}", "XRP/USDT").symbol == "XRP/USDT"


def test_a_name_that_says_nothing_asks_for_the_symbol(tmp_path: Path) -> None:
    """A guess would price one thing as another."""
    file = tmp_path / "prices.csv"
    file.touch()
    with pytest.raises(Illegal, match="--symbol"):
        wanted(f"replay:{file}", None)


def test_plans_are_read_back_as_they_were_written() -> None:
    """All kinds, with their instruments."""
    plans = {
        AccountId(1): PricePlan(AccountId(1), LIVE, exchange="kraken", instruments=((1, "BTC/USDT"), (2, "ETH/USDT"))),
        AccountId(2): PricePlan(
            AccountId(2), SYNTHETIC, seed=7, origin="2026-01-02T03:04:00.000000Z", instruments=((3, "BTC/USDT"),)
        ),
        AccountId(3): PricePlan(
            AccountId(3), REPLAY, file="/data/btc.csv", sha256="abcdef0123", tick="0.1", instruments=((4, "BTC/USDT"),)
        ),
    }
    assert plans_of(plans_text(plans)) == plans
    assert plans_of(None) == {}


def test_every_source_has_a_name_an_account_and_a_venue_of_its_own() -> None:
    """Instruments of two sources are two instruments, so their venues may not share a name."""
    live = PricePlan(AccountId(1), LIVE, exchange="kraken")
    made_up = PricePlan(AccountId(2), SYNTHETIC)
    replay = PricePlan(AccountId(3), REPLAY, file="/data/btc.csv", sha256="abcdef0123")
    assert [plan.source for plan in (live, made_up, replay)] == ["live:kraken", "synthetic", "replay:btc.csv"]
    assert [plan.account_name for plan in (live, made_up, replay)] == ["Paper", "Demo (synthetic)", "Replay of btc.csv"]
    assert len({plan.venue for plan in (live, made_up, replay)}) == 3


def test_a_plan_serves_who_asks_for_its_kind_and_its_file() -> None:
    """Another recording is another account."""
    replay = PricePlan(AccountId(3), REPLAY, file="/data/btc.csv", sha256="abcdef0123")
    assert replay.serves(Wanted(REPLAY, Path("/data/btc.csv"), "BTC/USDT"))
    assert not replay.serves(Wanted(REPLAY, Path("/data/eth.csv"), "ETH/USDT"))
    assert not replay.serves(Wanted(SYNTHETIC))
    assert PricePlan(AccountId(1), LIVE, exchange="okx").serves(Wanted(LIVE))
