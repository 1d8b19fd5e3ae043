"""Strategies are found by name, built in or offered by a package; a wrong name or parameter says what there is."""

from pathlib import Path

import pytest

from plimsoll.bots.catalogue import make_strategy, strategy_names
from plimsoll.bots.hold import Hold
from plimsoll.bots.signal_strategy import SignalStrategy
from plimsoll.bots.strategy import Strategy
from plimsoll.model.errors import Illegal
from tests.builders.bots import CALM, D, bar

MODULE = """
from plimsoll.bots.hold import Hold

class Half(Hold):
    @property
    def name(self):
        return "half"

def make(params):
    return Half.from_params({"share": "0.5", **params})

def no_strategy(params):
    return "buy!"

number = 7
"""


def install(folder: Path, package: str, offers: str) -> None:
    """Lay down an installed package that offers strategies."""
    (folder / f"{package}.py").write_text(MODULE)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[plimsoll.strategies]\n{offers}\n")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_built_in_strategies_are_made_by_name() -> None:
    hold, signals = make_strategy("hold", {"share": "0.25"}), make_strategy("signals", {"trade_size": "100"})
    assert isinstance(hold, Hold)
    assert isinstance(signals, SignalStrategy)
    assert (hold.share, signals.trade_size) == (D("0.25"), D(100))
    assert (hold.name, signals.name) == ("hold", "signals")
    assert isinstance(hold, Strategy)
    assert isinstance(signals, Strategy)


def test_each_making_starts_cold() -> None:
    first = make_strategy("hold", {})
    first.restore({"held": "yes"})
    assert make_strategy("hold", {}).state() == {}


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(Illegal, match="strategy = 'holt': there is no such strategy; there are hold, signals"):
        make_strategy("holt", {})


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        ("hold", {"shares": "1"}, "shares = '1': there is no such parameter; there are share$"),
        ("signals", {"act": "1"}, "act = '1': .*there are trade_size, confirmation_minutes, cooldown_minutes, rsi_per"),
        ("hold", {"share": "all"}, "share = 'all'"),
        ("hold", {"share": "2"}, "share = Decimal"),
        ("signals", {"rsi_period": "1.5"}, "rsi_period = '1.5'"),
        ("signals", {"rsi_period": "-1"}, "rsi_period = '-1'"),
        ("signals", {"rsi_period": "0"}, "rsi_period = 0"),
        ("signals", {"rsi_weight": "1e-1"}, "rsi_weight = '1e-1'"),
        ("signals", {"cooldown_minutes": "soon"}, "cooldown_minutes = 'soon'"),
        ("signals", {"act_at": "nan"}, "act_at = 'nan'"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_by_name(name: str, params: dict[str, str], told: str) -> None:
    with pytest.raises(Illegal, match=told):
        make_strategy(name, params)


def test_a_package_can_offer_a_strategy(packages: Path) -> None:
    install(packages, "desk_of_ann", "half = desk_of_ann:make")
    assert strategy_names() == ["half", "hold", "signals"]
    half = make_strategy("half", {})
    wish = half.on_close(bar(0), CALM)
    assert half.name == "half"
    assert wish is not None
    assert wish.quote_value == 5_000
    with pytest.raises(Illegal, match="bogus"):
        make_strategy("half", {"bogus": "1"})


def test_a_package_cannot_replace_a_built_in_strategy(packages: Path) -> None:
    install(packages, "desk_of_bob", "hold = desk_of_bob:make")
    assert make_strategy("hold", {}).name == "hold"


def test_two_packages_with_one_name_are_refused_until_one_is_gone(packages: Path) -> None:
    install(packages, "desk_of_cid", "twice = desk_of_cid:make")
    install(packages, "desk_of_dot", "twice = desk_of_dot:make")
    with pytest.raises(Illegal, match="keep one of desk_of_cid:make, desk_of_dot:make"):
        make_strategy("twice", {})


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("desk_of_eve:missing", "cannot be loaded"),
        ("desk_of_nobody:make", "cannot be loaded"),
        ("desk_of_eve:number", "has to be a function"),
        ("desk_of_eve:no_strategy", "it gave str"),
    ],
)
def test_a_broken_offer_is_refused_by_name(packages: Path, target: str, told: str) -> None:
    install(packages, "desk_of_eve", f"broken = {target}")
    with pytest.raises(Illegal, match=told):
        make_strategy("broken", {})
