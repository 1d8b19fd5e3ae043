"""The worked examples of docs/lots.md: each is booked as it stands there, and every row is what the report tells."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.ledger.corporate import Holding, Split, deposit_coins, split_holdings
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.lots import Matching
from plimsoll.ledger.reading.reader import Reader
from plimsoll.ledger.trades import Booking
from plimsoll.model.asker import Asker
from plimsoll.model.ids import BrokerTradeId, UserId
from plimsoll.model.lots import Choice, FeeRule, LotMethod, Piece, PieceKind, figures
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Side
from plimsoll.store.draft import Draft
from tests.builders.happenings import desk
from tests.builders.ledger import ACCOUNT, MAIN, NOON, SPOT, Books, fill

D = Decimal
PAGE = Path(__file__).resolve().parents[2] / "docs" / "lots.md"
BLOCKS = re.findall(r"```lots\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
SAME = [line for line in BLOCKS[0].splitlines() if re.match(r"\d\d:", line)]
AMOUNT = r"(-?[\d.]+)"
FILL = rf"(\d\d:\d\d) (\w+): (buy|sell) {AMOUNT} BTC at {AMOUNT}(?: fee {AMOUNT}( BTC)?)?"
BRING = rf"(\d\d:\d\d) (\w+): bring {AMOUNT} BTC at (?:cost {AMOUNT}|unknown cost)"
SPLIT = rf"(\d\d:\d\d) split {AMOUNT} for {AMOUNT}"
SUM = rf"{AMOUNT} - {AMOUNT} = {AMOUNT}"


def at(clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return NOON.replace(hour=int(hours), minute=int(minutes))


def noted(books: Books, book: Callable[[Draft], Booking]) -> None:
    def unit(draft: Draft) -> Booking:
        write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "CASH", "an example", NOON, {}))
        return book(draft)

    assert books.write(unit) is Booking.BOOKED


def book(books: Books, line: str) -> None:
    """Book a line with a time."""
    if said := re.fullmatch(FILL, line):
        clock, name, side, quantity, price, fee, coins = said.groups()
        report = fill(
            SPOT,
            Side(side.upper()),
            quantity,
            price,
            trade_id=BrokerTradeId(name),
            fee=D(fee or "0"),
            fee_currency="BTC" if coins else "USDT",
            exec_time=at(clock),
        )
        assert books.book(report) == [Booking.BOOKED]
    elif said := re.fullmatch(BRING, line):
        clock, name, quantity, cost = said.groups()
        holding = Holding(ACCOUNT.id, MAIN.id, SPOT.id, D(quantity), name, at(clock))
        noted(books, lambda draft: deposit_coins(draft, holding, D(cost) if cost else None, NOON))
    elif said := re.fullmatch(SPLIT, line):
        clock, new, per = said.groups()
        split = Split(D(new), D(per), "a split", at(clock))
        noted(books, lambda draft: split_holdings(draft, ACCOUNT.id, SPOT.id, split, NOON))
    else:
        raise AssertionError(f"nobody knows what this means: {line}")


def matching_of(line: str) -> Matching:
    """Read `by fifo`, `by fifo, fees apart`, or `by specific: sale,lot,quantity; …`."""
    words, _, named = line.removeprefix("by ").partition(": ")
    method, _, fees = words.partition(", fees ")
    choices = [one.split(",") for one in named.split("; ") if one]
    chosen = tuple(Choice(sale, lot, D(size)) for sale, lot, size in choices)
    return Matching(LotMethod(method), FeeRule(fees or "in-cost"), chosen)


def told(books: Books, matching: Matching) -> list[str]:
    """Write the report in the words of the page."""
    year = datetime(2022, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
    reading = Reader(books.engine).of(Asker(UserId(1))).realised
    pieces = [one.piece for one in reading.realised(matching, since=year[0], until=year[1]).pieces]
    apart = matching.fees is FeeRule.APART
    gains, fees = [], []
    for piece in pieces:
        one = figures(piece, matching.fees, inverse=False)
        gains.append(one.gain or D(0))
        fees.append(one.fees)
    total = f"all: {decimal_text(sum(gains, D(0)))}"
    beside = f", fees {decimal_text(sum(fees, D(0)))}" if apart else ""
    return [*(row(piece, matching.fees) for piece in pieces), total + beside]


def row(piece: Piece, rule: FeeRule) -> str:
    one = figures(piece, rule, inverse=False)
    lot = f" of {piece.opened_by}" if piece.opened_by else ""
    fees = f", fees {decimal_text(one.fees)}" if rule is FeeRule.APART else ""
    words = f"{piece.closed_by} took {decimal_text(piece.quantity)}{lot}{', short' if piece.is_short else ''}"
    if piece.kind is PieceKind.FEE:
        return f"{words} as a fee{fees}"
    assert one.proceeds is not None
    if one.cost is None or one.gain is None:
        return f"{words}: {decimal_text(one.proceeds)} - unknown{fees}"
    return f"{words}: {decimal_text(one.proceeds)} - {decimal_text(one.cost)} = {decimal_text(one.gain)}{fees}"


def test_there_is_an_example_for_every_method() -> None:
    shown = {matching_of(line).method for block in BLOCKS for line in block.splitlines() if line.startswith("by ")}
    assert shown == set(LotMethod)


def test_every_sum_on_the_page_adds_up_by_hand() -> None:
    sums = [tuple(map(D, said)) for block in BLOCKS for said in re.findall(SUM, block)]
    assert len(sums) > 20
    assert [gain for proceeds, cost, gain in sums if proceeds - cost != gain] == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: " ".join(re.findall(r"by .*", block)))
def test_each_example_is_what_the_report_tells(block: str) -> None:
    books = desk()
    head, *reports = re.split(r"(?m)^(?=by )", block)
    for line in [line for first in head.splitlines() for line in (SAME if first == "the same fills" else [first])]:
        book(books, line)
    for report in reports:
        first, *rows = report.splitlines()
        assert told(books, matching_of(first)) == rows
    assert reports
