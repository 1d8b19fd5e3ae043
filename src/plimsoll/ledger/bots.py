"""Bots in the book: which strategy runs where, and what it must not forget."""

import json
from dataclasses import dataclass, replace
from datetime import datetime

from plimsoll.ledger import keys
from plimsoll.ledger.cells import text_or_null, time_or_none
from plimsoll.ledger.log import json_text
from plimsoll.model.account import Portfolio
from plimsoll.model.ids import InstrumentId, PortfolioId
from plimsoll.store.draft import Draft, Row

#: The highest number that a bot has.
_NUMBER = ("id", "bots")


@dataclass(frozen=True, slots=True)
class BotRecord:
    """One strategy on one instrument and portfolio."""

    id: int
    portfolio_id: PortfolioId
    instrument_id: InstrumentId
    name: str
    strategy: str
    #: `RUNNING`, `STOPPED` or `ERROR`.
    status: str
    params: tuple[tuple[str, str], ...]
    #: As the strategy wrote it.
    state: tuple[tuple[str, str], ...] = ()
    #: Which version of which strategy; None for a bot made before strategies had versions.
    strategy_version_id: int | None = None
    deleted_at: datetime | None = None


def write(draft: Draft, bot: BotRecord) -> None:
    """Write a bot as it stands now."""
    bot = replace(bot, params=tuple(sorted(bot.params)), state=tuple(sorted(bot.state)))  # as it is read back
    owner: Portfolio = draft.get(keys.portfolio(bot.portfolio_id))
    draft.put(keys.bot(bot.id), bot)
    draft.put(keys.bot_of(owner.user_id, bot.id), bot)
    if bot.id > (draft.get(_NUMBER) or 0):
        draft.put(_NUMBER, bot.id)
    cells = (
        bot.id,
        bot.portfolio_id,
        bot.instrument_id,
        bot.name,
        bot.strategy,
        json_text(dict(bot.params)),
        bot.status,
        json_text(dict(bot.state)),
        bot.strategy_version_id,
        text_or_null(bot.deleted_at),
    )
    draft.replace("bots", bot.id, cells)


def from_row(row: Row) -> BotRecord:
    """Read a bot back."""
    number, portfolio, instrument, name, strategy, params, status, state, version, deleted_at = row
    return BotRecord(
        int(number or 0),
        PortfolioId(int(portfolio or 0)),
        InstrumentId(int(instrument or 0)),
        str(name),
        str(strategy),
        str(status),
        tuple(sorted(json.loads(str(params)).items())),
        tuple(sorted(json.loads(str(state)).items())),
        None if version is None else int(version),
        time_or_none(deleted_at),
    )
