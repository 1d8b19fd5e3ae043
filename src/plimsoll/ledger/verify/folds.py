"""Caches beside what the facts fold into: positions, what they earned on each day, balances (I9, I10)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from functools import partial
from typing import TypeVar

from sqlalchemy import func, select

from plimsoll.ledger import accounts, cash, days, positions, schema
from plimsoll.ledger.days import DayMove
from plimsoll.ledger.recompute import accounts_of, fold_account, sum_lines
from plimsoll.ledger.verify.proof import Proof
from plimsoll.model import money
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position, PositionKey
from plimsoll.store.draft import Row

K = TypeVar("K")
V = TypeVar("V", Position, DayMove)

#: (position, day)
DayKey = tuple[PositionKey, str]


def check_positions(proof: Proof) -> None:
    """Fold everything that happened, account by account, and compare with every position and day field by field."""
    _check_trade_keys(proof)
    instruments = {one.id: one for one in proof.read(schema.instruments, accounts.instrument_from_row)}
    counted = {"positions": 0, "pnl_days": 0}
    for account_id in accounts_of(proof.connection):
        if account_id in proof.unfinished:
            continue
        fold = fold_account(proof.connection, account_id, instruments, proof.find_unreadable)
        its = {"account_id": account_id}
        held = {one.key: one for one in proof.read(schema.positions, positions.from_row, **its)}
        earned = dict(proof.read(schema.pnl_days, _day_from_row, **its))
        folded_days = {key: _without_nothing(day) for key, day in fold.days.items()}
        _compare(proof, "position", held, fold.positions, partial(_empty, account_id), partial(_place, account_id))
        _compare(proof, "day", earned, folded_days, lambda _: DayMove(), partial(_day_place, account_id))
        counted["positions"] += len(held)
        counted["pnl_days"] += len(earned)
    proof.checked |= counted
    proof.unseen += [
        f"what account {number} folds into: its import is under way, or was cut off"
        for number in sorted(proof.unfinished)
    ]


def _check_trade_keys(proof: Proof) -> None:
    trades = schema.trades.c
    key = (trades.account_id, trades.instrument_id, trades.broker_trade_id, trades.revision)
    doubled = select(*key, func.count()).group_by(*key).having(func.count() > 1).order_by(*key)
    for account_id, instrument, trade_id, revision, count in proof.ask(doubled):
        place = f"account {account_id}, instrument {instrument}, trade {trade_id}, revision {revision}"
        proof.find("doubled_trade", "trades", place, f"booked {count} times")


def _empty(account_id: AccountId, key: PositionKey) -> Position:
    portfolio, instrument, strategy, leg = key
    return Position(account_id, portfolio, instrument, StrategyId(strategy) if strategy else None, leg)


def _place(account_id: AccountId, key: PositionKey) -> str:
    portfolio, instrument, strategy, leg = key
    place = f"account {account_id}, portfolio {portfolio}, instrument {instrument}, strategy {strategy} {leg}"
    return place.strip()


def _day_place(account_id: AccountId, key: DayKey) -> str:
    return f"{_place(account_id, key[0])}, day {key[1]}"


def _day_from_row(row: Row) -> tuple[DayKey, DayMove]:
    _, portfolio, day, instrument, strategy, leg = row[:6]
    of = (PortfolioId(int(portfolio or 0)), InstrumentId(int(instrument or 0)), int(strategy or 0), str(leg))
    return (of, str(day)), _without_nothing(days.from_row(row))


def _without_nothing(move: DayMove) -> DayMove:
    # What came to nothing may be told or not: a fee and its rebate, a day of which everything was taken back.
    fees = tuple(fee for fee in move.fees if fee[1])
    flows = tuple(flow for flow in move.flows if flow[2])
    return replace(move, fees=fees, flows=flows)


_TABLES = {"position": "positions", "day": "pnl_days"}


def _compare(  # noqa: PLR0917  two views of one table, and how to speak of them
    proof: Proof,
    noun: str,
    stored: Mapping[K, V],
    folded: Mapping[K, V],
    nothing: Callable[[K], V],
    place: Callable[[K], str],
) -> None:
    """Name each that is missing, that nothing makes, or that is another than the facts fold into."""
    for key in sorted({*stored, *folded}, key=repr):
        is_, must = stored.get(key) or nothing(key), folded.get(key) or nothing(key)
        if is_ == must:
            continue
        if key not in folded:
            code, sentence = f"{noun}_without_trades", "nothing that happened makes it"
        elif key not in stored:
            code, sentence = f"missing_{noun}", "what makes it is there, it is not"
        else:
            code, sentence = f"{noun}_not_fold", "; ".join(_differences(is_, must))
        proof.find(code, _TABLES[noun], place(key), sentence)


def _differences(is_: V, must: V) -> Iterator[str]:
    for name in (one.name for one in fields(is_)):
        stored, folded = getattr(is_, name), getattr(must, name)
        if stored != folded:
            yield f"{name} is {_told(stored)}, folds to {_told(folded)}"


def _told(value: object) -> str:
    return decimal_text(value) if isinstance(value, Decimal) and value.is_finite() else str(value)


def check_balances(proof: Proof) -> None:
    """Sum all lines and compare with every balance."""
    folded = sum_lines(proof.connection, proof.find_unreadable, leaving_out=proof.unfinished)
    stored = {
        (item.account_id, item.portfolio_id, item.pocket, item.asset): item.amount
        for item in proof.read(schema.balances, cash.balance_from_row)
        if item.account_id not in proof.unfinished
    }
    for place in sorted({*folded, *stored}):
        is_, must = stored.get(place, money.ZERO), folded.get(place, money.ZERO)
        if is_ != must:
            account_id, portfolio, pocket, asset = place
            where = f"account {account_id}, portfolio {portfolio}, {pocket} {asset}"
            sentence = f"{_told(is_)} is stored, its lines sum to {_told(must)}"
            proof.find("balance_not_fold", "balances", where, sentence)
    proof.checked["balances"] = len(stored)
