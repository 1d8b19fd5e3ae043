"""Every strategy by its name: the built-in ones, and those that installed packages offer.

A package offers a strategy by an entry point of the group `plimsoll.strategies`: a name, and a function that takes the
parameters as text and gives the strategy. Only the one that is asked for is loaded; a built-in name is never replaced.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from plimsoll.bots import hold, signal_strategy
from plimsoll.bots.params import Asked
from plimsoll.bots.strategy import Strategy
from plimsoll.model.errors import Illegal

GROUP: Final = "plimsoll.strategies"

Factory = Callable[[Mapping[str, str]], Strategy]

BUILT_IN: Final[dict[str, Factory]] = {
    hold.NAME: hold.Hold.from_params,
    signal_strategy.NAME: signal_strategy.SignalStrategy.from_params,
}


def strategy_names() -> list[str]:
    """Name every strategy that could be made now, in order."""
    return sorted({*BUILT_IN, *(offer.name for offer in entry_points(group=GROUP))})


def make_strategy(name: str, params: Mapping[str, str]) -> Strategy:
    """Make a strategy anew, cold and with nothing to remember.

    Raises:  Illegal, naming what is wrong and what there is: an unknown name, one that two packages offer, one that
             cannot be loaded or is no strategy, an unknown or impossible parameter
    """
    if name in BUILT_IN:
        return BUILT_IN[name](params)
    offers = [offer for offer in entry_points(group=GROUP) if offer.name == name]
    if not offers:
        raise Illegal("strategy", name, f"there is no such strategy; there are {', '.join(strategy_names())}")
    if len({offer.value for offer in offers}) > 1:
        # Which one would win depends on the order of folders: nobody has chosen it.
        raise Illegal("strategy", name, f"keep one of {', '.join(sorted(offer.value for offer in offers))}")
    return _offered(offers[0], params)


def _offered(offer: EntryPoint, params: Mapping[str, str]) -> Strategy:
    try:
        factory = offer.load()
    except (ImportError, AttributeError) as broken:
        raise Illegal("strategy", offer.name, f"{offer.value} cannot be loaded: {broken}") from broken
    if not callable(factory):
        raise Illegal("strategy", offer.name, f"{offer.value} has to be a function of the parameters")
    made: object = factory(params)
    if not isinstance(made, Strategy):
        raise Illegal("strategy", offer.name, f"{offer.value} has to give a strategy; it gave {type(made).__name__}")
    return made


def parameters_of(name: str) -> Mapping[str, str]:
    """Name a strategy's parameters, each with what it is where nothing is said.

    A strategy of somebody else that reads its parameters in another way than by `Params` names none.

    Raises: Illegal as `make_strategy` does
    """
    asked = Asked()
    make_strategy(name, asked)
    return asked.defaults
