"""Cash in the book: lines are facts, a balance is their sum kept at hand."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from plimsoll.ledger import keys
from plimsoll.ledger.log import next_link_seq
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.money import decimal_text
from plimsoll.store.draft import Draft, Row


@dataclass(frozen=True, slots=True)
class Balance:
    """What the lines of one portfolio, pocket and asset sum to."""

    account_id: AccountId
    portfolio_id: PortfolioId
    pocket: str
    asset: str
    amount: Decimal


def balance_from_row(row: Row) -> Balance:
    """Read a balance back."""
    account, portfolio, pocket, asset, amount = row
    return Balance(
        AccountId(int(account or 0)), PortfolioId(int(portfolio or 0)), str(pocket), str(asset), Decimal(str(amount))
    )


def to_row(line: CashLine, row_id: int, link_seq: int) -> Row:
    """Write a line as its row, columns in the table's order."""
    return (
        line.account_id,
        row_id,
        link_seq,
        line.portfolio_id,
        line.pocket,
        line.asset,
        line.kind.value,
        decimal_text(line.amount),
        line.reference,
        time_text(line.at),
        line.instrument_id,
        None if line.instrument_id is None else line.strategy_id or 0,
        line.leg or None,
    )


def from_row(row: Row) -> CashLine:
    """Read a line back."""
    (account, _id, _seq, portfolio, pocket, asset, kind, amount, reference, at) = row[:10]
    instrument, strategy, leg = row[10:]
    return CashLine(
        AccountId(int(account or 0)),
        PortfolioId(int(portfolio or 0)),
        str(pocket),
        str(asset),
        CashKind(str(kind)),
        Decimal(str(amount)),
        str(reference),
        parse_time(str(at)),
        InstrumentId(int(instrument)) if instrument else None,
        StrategyId(int(strategy)) if strategy else None,
        str(leg or ""),
    )


def balance_row(balance: Balance) -> Row:
    """Write a balance as its row, columns in the table's order."""
    return (
        balance.account_id,
        balance.portfolio_id,
        balance.pocket,
        balance.asset,
        decimal_text(balance.amount),
    )


def post(draft: Draft, lines: list[CashLine]) -> None:
    """Write lines and move the balances by them."""
    if not lines:
        return
    link_seq = next_link_seq(draft, lines[0].account_id)
    for line in lines:
        draft.add("cash_lines", to_row(line, draft.next_id("cash_lines"), link_seq))
        account_id, portfolio_id, pocket, asset = line.account_id, line.portfolio_id, line.pocket, line.asset
        key = keys.balance(account_id, portfolio_id, pocket, asset)
        before: Balance | None = draft.get(key)
        amount = line.amount if before is None else before.amount + line.amount
        balance = Balance(account_id, portfolio_id, pocket, asset, amount)
        draft.put(key, balance)
        draft.replace("balances", key, partial(balance_row, balance))


def find(draft: Draft, account_id: AccountId, reference: str, kind: CashKind) -> tuple[CashLine, ...]:
    """Find the lines that were posted under a reference and kind."""
    posted: tuple[CashLine, ...] | None = draft.get(keys.posted(account_id, reference, kind))
    if posted is not None:
        return posted
    return tuple(from_row(row) for row in draft.find("cash_line_by_reference", account_id, reference, kind.value))


def post_once(draft: Draft, lines: list[CashLine]) -> bool:
    """Write a movement from outside unless one of its reference and kind was booked before; say whether it was new."""
    first = lines[0]
    if find(draft, first.account_id, first.reference, first.kind):
        return False
    draft.put_fleeting(keys.posted(first.account_id, first.reference, first.kind), tuple(lines))
    post(draft, lines)
    return True
