"""Lots: which were sold first, to the last digit, by every method; against cases that others asserted."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plimsoll.model import money
from plimsoll.model.average_pool import AveragePool
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.lot_pool import LotPool
from plimsoll.model.lots import Choice, FeeRule, Figures, Fill, LotMethod, Piece, PieceKind, Pool, figures
from plimsoll.model.position import NOTHING, Amounts, came_in, paid_in_coins, split, traded, went_out

D = Decimal
START = datetime(2020, 1, 1, tzinfo=UTC)
IDENTIFYING = [method for method in LotMethod if method is not LotMethod.AVERAGE]
APART, IN_COST = FeeRule.APART, FeeRule.IN_COST


def pool_of(method: LotMethod, rule: FeeRule = IN_COST, *, inverse: bool = False) -> Pool:
    return AveragePool() if method is LotMethod.AVERAGE else LotPool(method, rule, inverse=inverse)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


class Told:
    """A pool, and what it told so far; a fill a day."""

    def __init__(self, method: LotMethod = LotMethod.FIFO, rule: FeeRule = IN_COST, *, inverse: bool = False) -> None:
        self.pool = pool_of(method, rule, inverse=inverse)
        self.rule, self.inverse, self.day = rule, inverse, 0
        self.pieces: list[Piece] = []

    def buy(self, quantity: str, price: str, fee: str = "0", coins: str = "0") -> "Told":
        return self._trade(D(quantity), D(price), D(fee), D(coins))

    def sell(self, quantity: str, price: str, fee: str = "0", coins: str = "0") -> "Told":
        return self._trade(-D(quantity), D(price), D(fee), D(coins))

    def come_in(self, quantity: str, cost: str | None) -> "Told":
        self.pieces += self.pool.enter(self.entry(EntryKind.IN, quantity, cost=cost), [])
        return self

    def go_out(self, quantity: str, cost: str | None = None) -> "Told":
        self.pieces += self.pool.leave(self.entry(EntryKind.OUT, quantity, cost=cost))[1]
        return self

    def pay(self, quantity: str) -> "Told":
        self.pieces += self.pool.pay(self.entry(EntryKind.FEE, quantity))
        return self

    def split(self, new: str, per: str) -> "Told":
        self.pieces += self.pool.split(self.entry(EntryKind.SPLIT, new, per=per))
        return self

    def entry(self, kind: EntryKind, quantity: str, *, cost: str | None = None, per: str | None = None) -> Entry:
        self.day += 1
        numbers = None if per is None else D(per), None if cost is None else D(cost)
        place = (AccountId(1), PortfolioId(1), InstrumentId(1), None, "")
        return Entry(*place, kind, D(quantity), f"e{self.day}", day(self.day), 0, *numbers)

    def _trade(self, moved: Decimal, price: Decimal, fee: Decimal, coins: Decimal) -> "Told":
        self.day += 1
        cash = money.settle_quotient(moved, price) if self.inverse else -moved * price
        self.pieces += self.pool.trade(Fill(day(self.day), f"t{self.day}", moved, cash, fee, coins))
        return self

    @property
    def told(self) -> list[Figures]:
        return [figures(piece, self.rule, inverse=self.inverse) for piece in self.pieces]

    @property
    def rows(self) -> list[tuple[str, str, Decimal | None]]:
        """Say what each piece was opened by, its quantity and its gain."""
        told = zip(self.pieces, self.told, strict=True)
        return [(piece.opened_by, money.decimal_text(piece.quantity), one.gain) for piece, one in told]

    @property
    def gain(self) -> Decimal:
        return sum((one.gain for one in self.told if one.gain is not None), D(0))

    @property
    def left(self) -> list[Decimal]:
        """Give what is held: quantity, of unknown cost, cash, fees."""
        return list(self.pool.held()[:4])

    @property
    def kinds(self) -> list[tuple[PieceKind, Decimal | None]]:
        """Say what each piece tells of, and its gain."""
        return [(piece.kind, one.gain) for piece, one in zip(self.pieces, self.told, strict=True)]


# One rule at a time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "rows"),
    [
        (LotMethod.FIFO, [("t1", "1", D(50)), ("t2", "0.5", D(15))]),
        (LotMethod.LIFO, [("t3", "1", D(40)), ("t2", "0.5", D(15))]),
        (LotMethod.HIFO, [("t2", "1", D(30)), ("t3", "0.5", D(20))]),
        (LotMethod.LOFO, [("t1", "1", D(50)), ("t3", "0.5", D(20))]),
        (LotMethod.SPECIFIC, [("t1", "1", D(50)), ("t2", "0.5", D(15))]),
        (LotMethod.AVERAGE, [("", "1.5", D(60))]),
    ],
)
def test_each_method_takes_its_own_lot_first(method: LotMethod, rows: list[tuple[str, str, Decimal]]) -> None:
    """Bought at 100, 120 and 110; one and a half sold at 150."""
    assert Told(method).buy("1", "100").buy("1", "120").buy("1", "110").sell("1.5", "150").rows == rows


def test_a_short_sale_opens_a_lot_that_a_purchase_closes() -> None:
    """Proceeds come first, cost later, and the gain is the difference."""
    told = Told().sell("2", "100", fee="1").buy("1", "90", fee="1")
    assert [(piece.is_short, piece.opened_by, piece.closed_by) for piece in told.pieces] == [(True, "t1", "t2")]
    assert told.told == [Figures(proceeds=D("99.5"), cost=D(91), fees=D("1.5"), gain=D("8.5"))]


def test_what_crosses_zero_closes_and_opens() -> None:
    """Cash and fee are split by quantity."""
    told = Told().buy("1", "100").sell("3", "130", fee="0.3").buy("2", "120")
    assert told.told == [
        Figures(proceeds=D("129.9"), cost=D(100), fees=D("0.1"), gain=D("29.9")),
        Figures(proceeds=D("259.8"), cost=D(240), fees=D("0.2"), gain=D("19.8")),
    ]
    back = Told().sell("1", "130").buy("3", "100", fee="0.3").sell("2", "100")
    assert [one.gain for one in back.told] == [D("29.9"), D("-0.2")]


@pytest.mark.parametrize("rule", FeeRule)
@pytest.mark.parametrize("method", LotMethod)
def test_coins_paid_for_a_purchase_make_its_lot_smaller_and_not_cheaper(method: LotMethod, rule: FeeRule) -> None:
    """Ten at 100 less a tenth of a coin: 9.9 that cost 1000 with the fee, or 990 without."""
    told = Told(method, rule).buy("10", "100", coins="0.1").sell("9.9", "100")
    cost, gain = (D(1000), D(-10)) if rule is IN_COST else (D(990), D(0))
    assert told.told == [Figures(proceeds=D(990), cost=cost, fees=D(10), gain=gain)]
    assert told.pool.held().quantity == 0


def test_coins_paid_for_a_sale_are_sold_with_it() -> None:
    """Their cost is the sale's; apart, they stand in a line of their own and the gain is gross."""
    together = Told().buy("3", "100").sell("2", "150", coins="0.5")
    assert together.told == [Figures(proceeds=D(300), cost=D(250), fees=D(0), gain=D(50))]
    apart = Told(rule=APART).buy("3", "100").sell("2", "150", coins="0.5")
    assert apart.told == [Figures(D(300), D(200), D(0), D(100)), Figures(D(0), D(0), D(50), D(0))]
    assert [piece.kind for piece in apart.pieces] == [PieceKind.CLOSED, PieceKind.FEE]
    assert together.pool.held().quantity == apart.pool.held().quantity == D("0.5")


@pytest.mark.parametrize("method", LotMethod)
def test_coins_that_are_not_held_pay_no_fee(method: LotMethod) -> None:
    """What closes all, or goes short, pays with coins that stand in no lot; what is left pays as far as it goes."""
    assert Told(method).buy("1", "100").sell("1", "150", coins="0.5").gain == 50
    assert Told(method).buy("1", "100").sell("2", "150", coins="0.5").pool.held().quantity == -1
    assert Told(method).sell("1", "100").pay("0.5").pool.held().quantity == -1
    eaten = Told(method).buy("1", "100", coins="1")
    assert eaten.pool.held().quantity == 0
    assert eaten.kinds == [(PieceKind.FEE, D(-100))]


@pytest.mark.parametrize("method", LotMethod)
def test_unknown_cost_is_no_gain_and_no_loss(method: LotMethod) -> None:
    """What it brought is told, and nothing else is."""
    told = Told(method).come_in("1", None).sell("1", "150", fee="1")
    assert told.told == [Figures(proceeds=D(149), cost=None, fees=D(1), gain=None)]


@pytest.mark.parametrize("method", LotMethod)
def test_coins_of_unknown_cost_that_cover_a_short_sale_make_its_gain_unknown(method: LotMethod) -> None:
    """What the sale had brought is known, what covered it is not; what is beyond it stays as it came."""
    told = Told(method).sell("1", "150", fee="1").come_in("3", None)
    assert told.told == [Figures(proceeds=D(149), cost=None, fees=D(1), gain=None)]
    assert told.left[:2] == [2, 2]
    known = Told(method).sell("1", "150", fee="1").come_in("3", "300")
    assert [one.gain for one in known.told] == [D(49)]
    assert known.pool.held().cash == -200


@pytest.mark.parametrize(("method", "first"), [(LotMethod.HIFO, "t2"), (LotMethod.LOFO, "t2")])
def test_lots_of_unknown_cost_go_last_by_price(method: LotMethod, first: str) -> None:
    """Nobody knows whether they are dear."""
    assert Told(method).come_in("1", None).buy("1", "100").sell("2", "150").rows == [
        (first, "1", D(50)),
        ("e1", "1", None),
    ]


def test_average_sells_known_and_unknown_share_by_share() -> None:
    """Half of what is held has no known cost: half of each sale has no gain, and half of each fee is of such coins."""
    told = Told(LotMethod.AVERAGE).come_in("2", None).buy("2", "100").sell("2", "150").pay("1")
    assert told.told[:2] == [Figures(D(150), D(100), D(0), D(50)), Figures(D(150), None, D(0), None)]
    assert told.told[2:] == [Figures(D(0), D(50), D(50), D(-50)), Figures(D(0), None, D(0), None)]
    assert [piece.quantity for piece in told.pieces] == [1, 1, D("0.5"), D("0.5")]


@pytest.mark.parametrize("method", LotMethod)
def test_what_goes_out_goes_without_a_gain(method: LotMethod) -> None:
    """Its cost leaves with it; of more than is held, what is held goes."""
    told = Told(method).buy("2", "100").go_out("1").sell("1", "150").go_out("5")
    assert told.gain == 50
    assert told.left == [0, 0, 0, 0]


def test_what_the_position_settled_differently_is_told_by_average_only() -> None:
    """A late fill changed what had cost 100 when it went for 90: the live position realised the difference."""
    told = Told(LotMethod.AVERAGE).buy("2", "100").go_out("1", "90")
    assert told.kinds == [(PieceKind.SETTLED, D(-10))]
    assert told.rows == [("", "0", D(-10))]
    assert Told().buy("2", "100").go_out("1", "90").pieces == []


def test_late_fees_in_coins_are_a_line_of_their_own() -> None:
    """They brought nothing: their cost is a loss, or a fee apart."""
    for rule, row in ((IN_COST, Figures(D(0), D(50), D(50), D(-50))), (APART, Figures(D(0), D(0), D(50), D(0)))):
        assert Told(rule=rule).buy("2", "100").pay("0.5").told == [row]
    unknown = Told(rule=APART).come_in("2", None).pay("0.5")
    assert unknown.told == [Figures(proceeds=D(0), cost=None, fees=D(0), gain=None)]


@pytest.mark.parametrize("method", LotMethod)
def test_a_split_changes_pieces_and_no_cost(method: LotMethod) -> None:
    """Two lots, three for one; the price per piece decides as before."""
    told = Told(method).buy("1", "90").buy("1", "120").split("3", "1").sell("6", "50")
    assert told.gain == 90
    assert told.pool.held().quantity == 0


def test_a_reverse_split_leaves_no_cost_behind() -> None:
    """What becomes less than the last place hands its cost on; where nothing is left, the cost is told as settled."""
    tiny = "0.000000000000000001"
    told = Told().buy(tiny, "100").buy("1", "100").come_in(tiny, None).split("1", "10")
    held = told.pool.held()
    assert (held.quantity, held.cash, held.lots, told.pieces) == (D("0.1"), D("-100.0000000000000001"), 1, [])
    for method in (LotMethod.LIFO, LotMethod.AVERAGE):
        gone = Told(method).buy(tiny, "100", fee="1").split("1", "10")
        assert gone.kinds == [(PieceKind.SETTLED, D("-1.0000000000000001"))]
        assert gone.split("2", "1").left == [0, 0, 0, 0]
    assert Told(LotMethod.AVERAGE).split("1", "10").pieces == []
    short = Told().sell("2", "100").split("2", "1")
    assert short.pool.held().quantity == -4
    only_unknown = Told().come_in("1", None).buy(tiny, "100").split("1", "10")
    assert [one.gain for one in only_unknown.told] == [D("-0.0000000000000001")]


def test_lots_keep_their_age_wherever_they_came_from() -> None:
    """What another portfolio bought first is sold first, though it came last; what it lacks is a lot of that day."""
    old = Told().buy("1", "100", fee="2").buy("1", "110")
    new = Told()
    new.day = 10
    new.buy("1", "200")
    sent = new.entry(EntryKind.OUT, "3", cost="210")
    lots, pieces = old.pool.leave(sent)
    assert pieces == []
    new.pieces += new.pool.enter(new.entry(EntryKind.IN, "3", cost="210"), lots)
    new.sell("4", "300")
    assert new.rows == [("t1", "1", D(198)), ("t2", "1", D(190)), ("t11", "1", D(100)), ("e13", "1", D(230))]


def test_lots_that_meet_a_short_sale_close_it() -> None:
    """Each at what it had cost."""
    giver, taker = Told().buy("2", "100", fee="2"), Told().sell("1", "150")
    lots, _ = giver.pool.leave(giver.entry(EntryKind.OUT, "2"))
    taker.pieces += taker.pool.enter(taker.entry(EntryKind.IN, "2"), lots)
    assert taker.rows == [("t1", "1", D(49))]
    assert taker.left == [1, 0, -100, 1]


def test_fees_go_along_with_what_was_handed_on_at_average() -> None:
    """They are part of what it had cost."""
    giver, taker = Told(LotMethod.AVERAGE).buy("2", "100", fee="2"), Told(LotMethod.AVERAGE)
    lots, _ = giver.pool.leave(giver.entry(EntryKind.OUT, "1", cost="100"))
    taker.pieces += taker.pool.enter(taker.entry(EntryKind.IN, "1", cost="100"), lots)
    assert taker.sell("1", "150").gain == 49
    assert giver.pool.held().fees == 1


# What somebody named --------------------------------------------------------------------------------------------------


def chosen(*lines: str) -> Told:
    told = Told(LotMethod.SPECIFIC)
    named: dict[str, list[Choice]] = {}
    for line in lines:
        disposal, acquisition, quantity = line.split(",")
        named.setdefault(disposal, []).append(Choice(disposal, acquisition, D(quantity)))
    told.pool = LotPool(LotMethod.SPECIFIC, IN_COST, inverse=False, chosen=named)
    return told


def test_named_lots_go_first_and_the_rest_by_age() -> None:
    told = chosen("t4,t3,1", "t4,t2,0.25").buy("1", "100").buy("1", "120").buy("1", "110").sell("2", "150")
    assert told.rows == [("t3", "1", D(40)), ("t2", "0.25", D("7.5")), ("t1", "0.75", D("37.5"))]
    assert told.sell("1", "150").rows[3:] == [("t1", "0.25", D("12.5")), ("t2", "0.75", D("22.5"))]


def test_a_named_lot_that_was_sold_before_is_refused() -> None:
    """By its line; a part of it that is left may be named."""
    told = chosen("t4,t1,0.5", "t5,t1,0.5").buy("1", "100").buy("1", "120").sell("0.5", "150").sell("0.5", "150")
    assert told.rows == [("t1", "0.5", D(25)), ("t1", "0.5", D(25))]
    with pytest.raises(Illegal, match=r"of t1 0\.5 less is open then"):
        told.sell("0.5", "150")


@pytest.mark.parametrize("line", ["t2,t9,1", "t2,t1,2", "t2,t1,1.5"])
def test_a_named_lot_that_is_not_there_is_refused(line: str) -> None:
    """No such lot, or not as much of it, or more than is sold."""
    told = chosen(line).buy("1", "100")
    with pytest.raises(Illegal, match="lots"):
        told.sell("1.5" if line.endswith("1.5") else "1", "150")


# What holds for all ---------------------------------------------------------------------------------------------------

numbers = st.decimals(min_value=D("0.001"), max_value=D(1000), places=3)
moves = st.tuples(st.booleans(), numbers, numbers, st.decimals(min_value=D("-0.5"), max_value=D(2), places=2))


@given(fills=st.lists(moves, min_size=1, max_size=25), inverse=st.booleans())
@example(fills=[(True, D(3), D(100), D(1)), (True, D(7), D(1), D("0.1")), (False, D(10), D(3), D(1))], inverse=True)
def test_when_all_is_sold_every_method_comes_to_the_same(
    fills: list[tuple[bool, Decimal, Decimal, Decimal]], inverse: bool
) -> None:
    """FAILURES C11; and by both fee rules the gain less the fees beside it is the same."""
    totals = set()
    for method in LotMethod:
        for rule in FeeRule:
            told = Told(method, rule, inverse=inverse)
            for buys, quantity, price, fee in fills:
                (told.buy if buys else told.sell)(str(quantity), str(price), str(fee))
            left = told.pool.held().quantity
            if left:
                (told.sell if left > 0 else told.buy)(str(abs(left)), "7", "0.3")
            fees = sum((one.fees for one in told.told), D(0)) if rule is APART else D(0)
            totals.add(told.gain - fees)
            assert told.left == [0, 0, 0, 0]
    assert len(totals) == 1


steps = st.one_of(
    st.tuples(st.sampled_from(["buy", "sell"]), numbers, numbers, st.sampled_from([D(0), D("0.01"), D(2)])),
    st.tuples(st.sampled_from(["in", "lost in", "out", "settled out", "pay"]), numbers, numbers),
    st.tuples(st.just("split"), st.integers(1, 4).map(D), st.integers(1, 4).map(D)),
)


def live(amounts: Amounts, step: tuple[Any, ...]) -> Amounts:
    """Fold a step as the live position does."""
    match step:
        case ("buy" | "sell" as side, quantity, price, coins):
            moved = quantity if side == "buy" else -quantity
            return paid_in_coins(traded(amounts, moved, -moved * price), coins)
        case ("in", quantity, cost):
            return came_in(amounts, quantity, cost)
        case ("lost in", quantity, _):
            return came_in(amounts, quantity, None)
        case ("out", quantity, _):
            return went_out(amounts, quantity, None)
        case ("settled out", quantity, cost):
            return went_out(amounts, quantity, cost)
        case ("pay", quantity, _):
            return paid_in_coins(amounts, quantity)
        case _:
            return split(amounts, step[1], step[2])


def do(told: Told, step: tuple[Any, ...]) -> None:
    words = [str(word) for word in step]
    match words:
        case [("buy" | "sell") as side, quantity, price, coins]:
            (told.buy if side == "buy" else told.sell)(quantity, price, "0", coins)
        case ["in", quantity, cost]:
            told.come_in(quantity, cost)
        case ["lost in", quantity, _]:
            told.come_in(quantity, None)
        case ["out", quantity, _]:
            told.go_out(quantity)
        case ["settled out", quantity, cost]:
            told.go_out(quantity, cost)
        case ["pay", quantity, _]:
            told.pay(quantity)
        case _:
            told.split(words[1], words[2])


@given(st.lists(steps, min_size=1, max_size=20))
def test_average_is_the_live_position(story: list[tuple[Any, ...]]) -> None:
    """After every step: the gross gain so far is what the position realised, and what is held is what it holds."""
    told, amounts = Told(LotMethod.AVERAGE, APART), NOTHING
    for step in story:
        do(told, step)
        amounts = live(amounts, step)
        held = told.pool.held()
        assert told.gain == amounts[2]
        assert (held.quantity, -held.cash, held.unknown) == (amounts[0], amounts[1], amounts[4])


@given(st.lists(steps, min_size=1, max_size=20), st.sampled_from(IDENTIFYING), st.sampled_from(FeeRule))
@example([("sell", D(1), D(5), D(0)), ("buy", D(3), D(5), D("0.01"))], LotMethod.FIFO, IN_COST)
def test_quantity_is_the_positions_and_no_cash_is_lost(
    story: list[tuple[Any, ...]], method: LotMethod, rule: FeeRule
) -> None:
    """Whatever the method: as many as the live position holds; gains and what is open are all the cash that moved."""
    told, amounts, cash = Told(method, rule), NOTHING, D(0)
    for step in story:
        do(told, step)
        amounts = live(amounts, step)
        assert told.pool.held().quantity == amounts[0]
        if step[0] in ("buy", "sell"):
            cash += (-1 if step[0] == "buy" else 1) * step[1] * step[2]
    if any(step[0] in ("in", "lost in", "out", "settled out") for step in story):
        return
    held = told.pool.held()
    fees = sum((one.fees for one in told.told), D(0)) if rule is APART else D(0)
    assert told.gain - fees - held.fees + held.cash == cash


# Against others -------------------------------------------------------------------------------------------------------


def golden(name: str, data: Path) -> list[Any]:
    cases: list[Any] = json.loads((data / "pnl_cases" / "fill_sequences.json").read_text())["cases"]
    return [case for case in cases if name in case["id"]]


METHODS = {"FIFO": LotMethod.FIFO, "LIFO": LotMethod.LIFO, "average/flat-to-flat": LotMethod.AVERAGE}


def test_closed_trades_of_lean(test_data: Path) -> None:
    """QuantConnect's trade builder, fill to fill by FIFO and LIFO, and flat to flat."""
    for case in golden("lean-", test_data):
        method = METHODS[case["lot_method"]]
        told = Told(method, APART)
        for step in case["steps"]:
            fill = step["fill"]
            getattr(told, fill["side"])(fill["qty"], fill["price"], fill["fee"])
        assert told.gain == D(case["expect_final"]["gross_profit"]), case["id"]
        fees = sum((one.fees for one in told.told), D(0)) + told.pool.held().fees
        assert fees == D(case["expect_final"]["total_fees"]), case["id"]
        closed = case["expect_final"]["closed_trades"]
        if len(closed) == len(told.pieces):
            shown = [(D(row["qty"]), row["direction"] == "short", D(row["profit"])) for row in closed]
            assert [(p.quantity, p.is_short, f.gain) for p, f in zip(told.pieces, told.told, strict=True)] == shown


def test_lots_of_beancount(test_data: Path) -> None:
    """By the day they were bought and not by the order they stand in; what is left of each."""
    cases = golden("beancount", test_data)
    assert cases
    for case in cases:
        pool = LotPool(METHODS[case["lot_method"]], APART, inverse=False)
        for lot in case["starting_lots"]:
            quantity = D(lot["qty"])
            bought = datetime.fromisoformat(f"{lot['date']}T00:00:00+00:00")
            pool.trade(Fill(bought, lot["date"], quantity, -quantity * D(lot["price"]), D(0), D(0)))
        (sale,) = (step["fill"] for step in case["steps"])
        quantity = D(sale["qty"])
        pieces = pool.trade(Fill(START, "sale", -quantity, quantity * D(sale["price"]), D(0), D(0)))
        matched = [(D(lot["qty"]), D(lot["price"]), lot["date"]) for lot in case["expect_final"]["matched_lots"]]
        assert [(-p.quantity, -(p.opening or D(0)) / p.quantity, p.opened_by) for p in pieces] == matched
        left = {lot["date"]: D(lot["qty"]) for lot in case["expect_final"]["remaining_lots"]}
        rest = pool.trade(Fill(START, "rest", -pool.held().quantity, D(0), D(0), D(0)))
        assert {piece.opened_by: piece.quantity for piece in rest} == left


def test_gross_performance_of_ghostfolio_and_freqtrade(test_data: Path) -> None:
    """Average cost, with the fees where each of them has them."""
    (sold,) = golden("ghostfolio-baln-buy-and-sell", test_data)
    told = Told(LotMethod.AVERAGE)
    for step in sold["steps"]:
        fill = step["fill"]
        getattr(told, fill["side"])(fill["qty"], fill["price"], fill["fee"])
    assert told.gain == D(sold["expect_final"]["net_performance"])
    for case in golden("freqtrade-dca", test_data):
        told = Told(LotMethod.AVERAGE)
        for step in case["steps"]:
            fill = step["fill"]
            getattr(told, fill["side"])(fill["qty"], fill["price"], fill["fee"])
            assert abs(told.gain - D(str(step["expect"]["cumulative_realized_net"]))) < D("1e-8"), case["id"]


@pytest.mark.parametrize("method", [LotMethod.FIFO, LotMethod.LIFO, LotMethod.HIFO, LotMethod.LOFO])
def test_rp2_piece_by_piece(method: LotMethod, test_data: Path) -> None:
    """Every gain of RP2's own report: sales, gifts and donations at the spot price, moves as the coins they cost."""
    pool = LotPool(method, IN_COST, inverse=False)
    gains: dict[tuple[int, str], list[tuple[Decimal, Decimal]]] = {}
    for happened in sorted(rp2_fills(test_data / "cost_basis_rp2" / f"crypto_example_{method}__BTC_In-Out.csv")):
        kind, fill = happened[1], Fill(happened[0], *happened[2:])
        for piece in pool.trade(fill):
            gain = figures(piece, IN_COST, inverse=False).gain
            assert gain is not None
            gains.setdefault((fill.at.year, kind), []).append((piece.quantity, gain))
    summary, detail = rp2_report(test_data / "cost_basis_rp2" / f"crypto_example_{method}__BTC_Tax.csv")
    ours = {key: sum((gain for _, gain in rows), D(0)) for key, rows in gains.items()}
    assert {key: abs(gain - summary[key]) < D("1e-8") for key, gain in ours.items()} == dict.fromkeys(ours, True)
    assert set(ours) == {key for key in summary if key[1] != "INTEREST"}
    pieces = [row for rows in gains.values() for row in rows]
    wanted = [row for row in detail if row not in ((D(2), D(24000)), (D(3), D(39000)))]
    assert sorted(pieces) == sorted(wanted)


def rp2_fills(path: Path) -> list[tuple[Any, ...]]:
    """Read RP2's three tables as fills: (time, kind, reference, moved, cash, fee, coins)."""
    fills: list[tuple[Any, ...]] = []
    table = ""
    for number, line in enumerate(path.read_text().splitlines()):
        cells = line.split(",")
        table = cells[0] if cells[0].endswith("Detail") else table
        if cells[1][:2] != "20":
            continue
        at, reference = datetime.fromisoformat(cells[1]), f"line {number}"
        if table == "In-Flow Detail":
            size, spot, fee = D(cells[7]), D(cells[6]), D(cells[9])
            fills.append((at, cells[5], reference, size, -size * spot, fee, D(0)))
        elif table == "Out-Flow Detail":
            size, spot, coins = D(cells[7]), D(cells[6]), D(cells[8])
            fills.append((at, cells[5], reference, -size, size * spot, D(0), coins))
        elif coins := D(cells[10]):
            fills.append((at, "MOVE", reference, -coins, coins * D(cells[7]), D(0), D(0)))
    return fills


def rp2_report(path: Path) -> tuple[dict[tuple[int, str], Decimal], list[tuple[Decimal, Decimal]]]:
    """Read RP2's gains by year and kind, and piece by piece."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    titles = [number for number, cells in enumerate(lines) if cells[0] in ("Gain / Loss Summary", "Account Balances")]
    detail = next(number for number, cells in enumerate(lines) if cells[0] == "Gain / Loss Detail")
    first, last = titles
    summary = {(int(cells[0]), cells[4]): D(cells[2]) for cells in lines[first + 3 : last]}
    return summary, [(D(cells[0]), D(cells[3])) for cells in lines[detail + 3 :]]


def test_there_is_no_order_in_which_shares_lose_a_digit() -> None:
    """Thirds of a hundred: the last piece has what is left, of the lot and of the sale."""
    told = Told().buy("1", "100").buy("1", "100").buy("1", "100").sell("0.7", "1").sell("2.3", "1")
    costs = [one.cost or D(0) for one in told.told]
    assert (sum(costs), sum(one.proceeds or D(0) for one in told.told)) == (300, 3)
    assert all(one.closed_at <= other.closed_at for one, other in pairwise(told.pieces))
