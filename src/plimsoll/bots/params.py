"""Read a strategy's parameters from text, each by name, and refuse what nobody asked for.

A parameter that is misspelt must not leave its default in force without a word: money would follow rules that nobody
chose. So a strategy takes its parameters one by one, and `done` refuses the rest by name.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.errors import Illegal

_WHOLE = re.compile(r"[0-9]{1,6}")


class Asked(dict[str, str]):
    """Parameters of which nothing is said; it remembers what was asked for, and what each is then."""

    def __init__(self) -> None:
        super().__init__()
        self.defaults: dict[str, str] = {}


class Params:
    """Parameters as they were written, taken one by one.

    Raises:  Illegal, naming the parameter, from every method
    """

    __slots__ = ("_known", "_texts")

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._known: list[str] = []

    def decimal(self, name: str, default: Decimal) -> Decimal:
        """Take an exact number."""
        text = self._take(name, money.decimal_text(default))
        return default if text is None else money.parse_decimal(text, name)

    def ratio(self, name: str, default: float) -> float:
        """Take a number of an indicator; such a number is an opinion, never money."""
        text = self._take(name, money.decimal_text(Decimal(repr(default))))
        return default if text is None else float(money.parse_decimal(text, name))

    def whole(self, name: str, default: int) -> int:
        """Take a whole number of bars."""
        text = self._take(name, str(default))
        return default if text is None else self._whole(name, text)

    def minutes(self, name: str, default: timedelta) -> timedelta:
        """Take a whole number of minutes."""
        text = self._take(name, str(default // timedelta(minutes=1)))
        return default if text is None else timedelta(minutes=self._whole(name, text))

    def done(self) -> None:
        """Refuse the parameters that nobody took, naming those that exist."""
        for name in sorted(self._texts):
            if name not in self._known:
                raise Illegal(
                    name, self._texts[name], f"there is no such parameter; there are {', '.join(self._known)}"
                )

    def _take(self, name: str, default: str) -> str | None:
        self._known.append(name)
        if isinstance(self._texts, Asked):
            self._texts.defaults[name] = default
        return self._texts.get(name)

    @staticmethod
    def _whole(name: str, text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise Illegal(name, text, "write a whole number with up to six digits, such as 14")
        return int(text)
