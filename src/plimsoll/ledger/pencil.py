"""The arithmetic of one step of a position in words, so that a person can check it with a pencil.

It says what the fold did and does not fold again: parts are what the position was before less what it is after, and
where something was divided the sentence names the parts it was divided by. A quotient is rounded to 18 places, half to
even; what a division leaves over stays in the cost.
"""

from decimal import Decimal

from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text as text
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, signed_notional


def of_trade(before: Position, between: Position, after: Position, trade: Trade, instrument: Instrument) -> str:
    """Tell how a fill moved a position; `between` is the position before coins of it paid the fee."""
    report, times = trade.report, "" if instrument.multiplier == 1 else f" × {text(instrument.multiplier)}"
    sign = "/" if instrument.inverse else "×"
    value = f"value {text(report.quantity)}{times} {sign} {text(report.price)} = {text(trade.notional)}"
    moved = _moved(before, between, trade.signed_quantity, signed_notional(instrument, report.side, trade.notional))
    paid = _leaving(between, after)
    return f"{value}; {moved}{f'; the fee takes {paid}' if paid else ''}"


def of_entry(before: Position, after: Position, entry: Entry) -> str:
    """Tell how something that is no trade moved a position."""
    if entry.kind is EntryKind.SPLIT:
        return _split(before, after, f"{text(entry.quantity)} / {text(entry.per or Decimal(1))}")
    if entry.kind is EntryKind.IN:
        return _came(before, after) if entry.cost is None else _moved(before, after, entry.quantity, -entry.cost)
    gone = _leaving(before, after) or "none: the position holds no such coins"
    if entry.kind is EntryKind.FEE or entry.cost is None:
        return f"takes {gone}"
    earned, released = after.realized_pnl - before.realized_pnl, before.cost - after.cost
    settled = text(entry.cost)
    return f"takes {gone}; went at cost {settled}: realised {settled} {_signed(-released)} = {text(earned)}"


def _moved(before: Position, after: Position, moved: Decimal, cash: Decimal) -> str:
    """Tell how quantity moved for cash: opened, closed in part or whole, or turned over."""
    if before.quantity == 0 or (before.quantity > 0) == (moved > 0):
        return f"cost {text(before.cost)} {_signed(-cash)} = {text(after.cost)}"
    if after.quantity == 0 or (after.quantity > 0) == (before.quantity > 0):
        return _closed(before, after, abs(moved), cash, before.cost - after.cost)
    closed, closing = abs(before.quantity), cash + after.cost
    turned = f"turns: {text(closed)} of {text(abs(moved))} × {text(cash)} = {text(closing)} closes"
    opened = f"opens {text(after.quantity)} at cost {text(closing)} {_signed(-cash)} = {text(after.cost)}"
    return f"{turned}; {_closed(before, after, closed, closing, before.cost)}; {opened}"


def _closed(before: Position, after: Position, closed: Decimal, cash: Decimal, released: Decimal) -> str:
    """Tell what closing a part released of the cost, and what it earned."""
    earned, unknown = after.realized_pnl - before.realized_pnl, before.uncosted - after.uncosted
    if not unknown:
        share = f"released {text(closed)} of {text(abs(before.quantity))} × {text(before.cost)} = {text(released)}"
        return f"{share}; realised {text(cash)} {_signed(-released)} = {text(earned)}"
    brought = after.uncosted_proceeds - before.uncosted_proceeds
    known = f"released {text(closed - unknown)} of {text(before.quantity - before.uncosted)} × {text(before.cost)}"
    return (
        f"at unknown cost {text(closed)} of {text(before.quantity)} × {text(before.uncosted)} = {text(unknown)}, which"
        f" brought {text(unknown)} of {text(closed)} × {text(cash)} = {text(brought)}, no profit and no loss; {known} ="
        f" {text(released)}; realised {text(cash)} {_signed(-brought)} {_signed(-released)} = {text(earned)}"
    )


def _leaving(before: Position, after: Position) -> str:
    """Tell what of the cost left with coins."""
    coins, unknown = before.quantity - after.quantity, before.uncosted - after.uncosted
    if coins == 0:
        return ""
    told, known, released = text(coins), before.quantity - before.uncosted, before.cost - after.cost
    if unknown:
        share = f"{text(coins)} of {text(before.quantity)} × {text(before.uncosted)} = {text(unknown)}"
        told += f", of them at unknown cost {share}"
    return f"{told}; cost of {text(coins - unknown)} of {text(known)} × {text(before.cost)} = {text(released)}"


def _came(before: Position, after: Position) -> str:
    """Tell how coins came in at a cost that nobody knows."""
    if before.quantity >= 0:
        more = after.uncosted - before.uncosted
        return f"at unknown cost {text(before.uncosted)} {_signed(more)} = {text(after.uncosted)}"
    covered, short = min(after.quantity, Decimal(0)) - before.quantity, -before.quantity
    released = before.cost - after.cost
    share = f"covers {text(covered)} of {text(short)} × {text(before.cost)} = {text(released)}"
    return f"{share}: what their sale brought is no profit and no loss, as nobody knows what they had cost"


def _split(before: Position, after: Position, ratio: str) -> str:
    told = f"{text(before.quantity)} × {ratio} = {text(after.quantity)}; the cost stays"
    if before.uncosted:
        told += f"; at unknown cost {text(before.uncosted)} × {ratio} = {text(after.uncosted)}"
    lost = after.realized_pnl - before.realized_pnl
    return f"{told}; nothing is left, its cost is lost: realised {text(lost)}" if lost else told


def _signed(amount: Decimal) -> str:
    return f"− {text(-amount)}" if amount < 0 else f"+ {text(amount)}"
