"""Which prices an account lives on: chosen once, when it is made, and written beside it; never changed, never replaced.

Rule 1. What was chosen is a fact of the desk (`PricePlan` in its books): the next start makes the same feed again.
Rule 2. A source that is lost is lost: the account's prices grow old and are unknown. Nothing falls back on another.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from plimsoll.ledger.log import json_text
from plimsoll.market.instruments import instrument_for
from plimsoll.model.clock import parse_time
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.instrument import Instrument

LIVE, SYNTHETIC, REPLAY = "live", "synthetic", "replay"

#: What a paper account of crypto trades unless it is told otherwise; an exchange that lacks one leaves it out.
SYMBOLS = ("BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT")
#: Asked all at once at the first start; the first that answers is the account's source for ever.
EXCHANGES = ("binance", "bybit", "okx", "kraken")
#: The synthetic market is older than the desk, so that the first chart is not empty.
SYNTHETIC_PAST = timedelta(hours=12)

_COINS = re.compile(r"(btc|eth|xrp|sol|eur|gbp)[-_/]?(usdt|usdc|usd|eur|jpy)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for with `--prices`."""

    kind: str
    file: Path | None = None
    symbol: str = ""


def wanted(text: str, symbol: str | None) -> Wanted:
    """Read `live`, `synthetic` or `replay:FILE`.

    Raises: Illegal, naming what there is
    """
    kind, _, file = text.partition(":")
    if kind in (LIVE, SYNTHETIC) and not file and symbol is None:
        return Wanted(kind)
    if kind != REPLAY or not file:
        raise Illegal("prices", text, "choose live, synthetic or replay:FILE; --symbol goes with replay:FILE only")
    path = Path(file).expanduser().absolute()
    if not path.is_file():
        raise Illegal("prices", text, "there is no such file")
    return Wanted(REPLAY, path, symbol or _symbol_of(path))


def _symbol_of(path: Path) -> str:
    found = _COINS.search(path.name)
    if found is None:
        raise Illegal("symbol", None, f"say what {path.name} holds, such as --symbol BTC/USDT")
    base, quote = found[1].upper(), (found[2] or "USDT").upper()
    return f"{base}/{quote}:{quote}" if "perp" in path.name.lower() else f"{base}/{quote}"


@dataclass(frozen=True, slots=True)
class PricePlan:
    """Where one account's prices come from, for as long as it lives."""

    account_id: AccountId
    kind: str
    #: Which exchange; of a live source only.
    exchange: str = ""
    #: When the market of a synthetic source or a replay began, as this desk counts time.
    origin: str = ""
    #: What a synthetic market follows from.
    seed: int = 0
    #: Of a replay: which recording, and its bytes.
    file: str = ""
    sha256: str = ""
    tick: str = ""
    #: (id, symbol) of every instrument that is priced.
    instruments: tuple[tuple[int, str], ...] = ()

    @property
    def source(self) -> str:
        """Name it as accounts do."""
        names = {LIVE: f"{LIVE}:{self.exchange}", REPLAY: f"{REPLAY}:{Path(self.file).name}"}
        return names.get(self.kind, SYNTHETIC)

    @property
    def account_name(self) -> str:
        """Name the account that is made for it."""
        return {LIVE: "Paper", SYNTHETIC: "Demo (synthetic)"}.get(self.kind, f"Replay of {Path(self.file).name}")

    @property
    def venue(self) -> str:
        """Name its paper venue: instruments of another source are other instruments, with steps of their own."""
        return {LIVE: "paper", SYNTHETIC: "paper-synthetic"}.get(self.kind, f"paper-replay-{self.account_id}")

    @property
    def origin_at(self) -> datetime:
        """Give when a synthetic market or a replay began."""
        return parse_time(self.origin)

    def serves(self, asked: Wanted) -> bool:
        """Say whether this is what somebody asks for."""
        return self.kind == asked.kind and (asked.file is None or self.file == str(asked.file))

    def from_table(self) -> tuple[Instrument, ...]:
        """Describe its instruments by the built-in table, where there is no venue to ask."""
        return tuple(
            instrument_for(symbol, InstrumentId(number), self.venue, Decimal(self.tick) if self.tick else None)
            for number, symbol in self.instruments
        )


def plans_text(plans: Mapping[AccountId, PricePlan]) -> str:
    """Write the plans of all accounts as one fact of the desk."""
    return json_text([{name: getattr(plan, name) for name in PricePlan.__slots__} for plan in plans.values()])


def plans_of(text: str | None) -> dict[AccountId, PricePlan]:
    """Read what `plans_text` wrote."""
    plans: dict[AccountId, PricePlan] = {}
    for told in json.loads(text) if text else ():
        instruments = tuple((int(number), str(symbol)) for number, symbol in told.pop("instruments"))
        plan = PricePlan(**{**told, "instruments": instruments})
        plans[plan.account_id] = plan
    return plans
