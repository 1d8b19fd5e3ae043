"""Cash in the book: lines are facts, a balance is their sum kept at hand."""

from dataclasses import dataclass
from decimal import Decimal

from plimsoll.ledger import keys
from plimsoll.ledger.log import next_link_seq
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import AccountId, PortfolioId
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
    )


def from_row(row: Row) -> CashLine:
    """Read a line back."""
    (account, _id, _seq, portfolio, pocket, asset, kind, amount, reference, at) = row
    return CashLine(
        AccountId(int(account or 0)),
        PortfolioId(int(portfolio or 0)),
        str(pocket),
        str(asset),
        CashKind(str(kind)),
        Decimal(str(amount)),
        str(reference),
        parse_time(str(at)),
    )


def post(draft: Draft, lines: list[CashLine]) -> None:
    """Write lines and move the balances by them."""
    if not lines:
        return
    link_seq = next_link_seq(draft, lines[0].account_id)
    for line in lines:
        draft.add("cash_lines", to_row(line, draft.next_id("cash_lines"), link_seq))
        key = keys.balance(line.account_id, line.portfolio_id, line.pocket, line.asset)
        before: Balance | None = draft.get(key)
        amount = line.amount if before is None else before.amount + line.amount
        draft.put(key, Balance(line.account_id, line.portfolio_id, line.pocket, line.asset, amount))
        place = (line.account_id, line.portfolio_id, line.pocket, line.asset)
        draft.replace("balances", place, (*place, decimal_text(amount)))


def post_once(draft: Draft, lines: list[CashLine]) -> bool:
    """Write a movement from outside unless one of its reference and kind was booked before; say whether it was new."""
    first = lines[0]
    key = ("posted", first.account_id, first.reference, first.kind)
    if draft.get(key) or draft.find("cash_line_by_reference", first.account_id, first.reference, first.kind):
        return False
    draft.put_fleeting(key, True)
    post(draft, lines)
    return True
