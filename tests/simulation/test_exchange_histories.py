"""The simulated exchange's histories: pages, lags, look-ups, and that a reader who overlaps misses nothing."""

import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from plimsoll.model.venue import DedupeScope
from tests.simulation.exchange import codes
from tests.simulation.exchange.codes import Refusal
from tests.simulation.exchange.floor import KEY, PERP, SPOT, Floor
from tests.simulation.exchange.personality import KIND, Correcting, Ids, Paging, Personality
from tests.simulation.exchange.stream import Message

#: Beyond the lag: a row that was made known in the same millisecond as the question may still be added.
_MARGIN_MS = 1_000

_Key = tuple[object, object, object]


class _Reader:
    """Asks for what is new, again and again, in this venue's way; goes back as far as something may be added."""

    def __init__(self, floor: Floor, path: str, limit: int) -> None:
        self.floor = floor
        self.path = path
        self.limit = limit
        self.seen: dict[_Key, Message] = {}
        self._begins = dict.fromkeys(self._symbols(), 0)

    def read(self) -> None:
        """Read to the end, and remember from where to ask the next time."""
        lag_ms = int(self.floor.personality.history_lag_seconds * 1_000) + _MARGIN_MS
        for symbol, begin in self._begins.items():
            kept = begin
            for row in self._rows(symbol, begin):
                key = (row.get("symbol"), row.get("bust", row.get("tradeId", row.get("id"))), row.get("revision"))
                assert self.seen.setdefault(key, row) == row, "a row that was told is never told otherwise"
                if int(str(row["time"])) < self._now_ms() - lag_ms:
                    kept = max(kept, self._place_of(row))
            self._begins[symbol] = kept

    def _symbols(self) -> tuple[str, ...]:
        by_symbol = self.floor.personality.paging is Paging.FROM_ID and self.path == "/fills"
        return (SPOT, PERP) if by_symbol else ("",)

    def _rows(self, symbol: str, begin: int) -> Iterator[Message]:
        paging, limit = self.floor.personality.paging, self.limit
        while True:
            name = {Paging.FROM_ID: "fromId", Paging.TIME: "startTime", Paging.CURSOR: "after"}[paging]
            params = {name: str(begin), "limit": str(limit), **({"symbol": symbol} if symbol else {})}
            told = self.floor.ask("GET", self.path, **params)
            page = told["rows"]
            assert isinstance(page, list)
            yield from page
            if len(page) < limit:
                return
            reached = int(str(told["next"])) if paging is Paging.CURSOR else self._place_of(page[-1])
            # A page that is full of one millisecond, or of one row, does not go on by itself.
            limit += self.limit if reached == begin else 0
            begin = reached

    def _place_of(self, row: Message) -> int:
        return int(str(row["time" if self.floor.personality.paging is Paging.TIME else "seq"]))

    def _now_ms(self) -> int:
        return int(self.floor.now.timestamp() * 1_000)


def _venues() -> Iterator[Personality]:
    for paging, page_size, lag, ids, correcting in product(Paging, (1, 2, 100), (0.0, 20.0), Ids, Correcting):
        yield replace(
            KIND,
            paging=paging,
            page_size=page_size,
            history_lag_seconds=lag,
            ids=ids,
            correcting=correcting,
            partial_ratio=0.5,
        )


@pytest.mark.parametrize("paging", Paging)
def test_a_reader_who_overlaps_has_every_row_once(paging: Paging) -> None:
    """Whatever the pages, ids and lags: who goes back by the lag has every fill, correction and movement once."""
    for seed, venue in enumerate(one for one in _venues() if one.paging is paging):
        floor, chance = Floor(venue, seed=seed, deposits="USDT 1000000 BTC 5"), random.Random(seed)
        readers = [_Reader(floor, path, venue.page_size) for path in ("/fills", "/ledger")]
        for _ in range(25):
            floor.price(chance.randrange(39_000, 41_000))
            for _ in range(chance.randrange(4)):
                floor.order(f"{chance.choice(('BUY', 'SELL'))} 0.1", chance.choice((SPOT, PERP)))
            happens = chance.choice((floor.exchange.bust_last, floor.exchange.correct_last, None))
            if happens is not None:
                happens(KEY)
            else:
                floor.exchange.deposit(KEY, "USDT", Decimal(1))
            floor.wait(chance.choice((0.0, 0.0005, 1.0, 15.0)))
            if chance.random() < 0.5:
                for reader in readers:
                    reader.read()
        floor.wait(venue.history_lag_seconds + 1)
        for reader in readers:
            reader.read()
        truth = floor.exchange.truth(KEY)
        assert len(readers[0].seen) == len(truth.fills)
        assert len(readers[1].seen) == len(truth.movements)
        assert {row["seq"] for row in readers[0].seen.values()} == {fill.seq for fill in truth.fills}


def test_a_later_fill_may_be_seen_before_an_earlier_one() -> None:
    """Every row has a lag of its own, while account and stream know at once."""
    floor = Floor(replace(KIND, history_lag_seconds=20.0), deposits="USDT 1000000")
    floor.price(40_000)
    for _ in range(12):
        floor.order("BUY 0.01")
    assert floor.balance("BTC") == Decimal("0.12")
    assert floor.kinds().count("fill") == 12
    known: list[list[object]] = []
    for _ in range(22):
        known.append([row["seq"] for row in floor.all_rows("/fills")])
        floor.wait(1)
    assert known[0] == []
    assert known[-1] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert any(told != known[-1][: len(told)] for told in known)


def test_ids_count_by_symbol_or_over_all() -> None:
    """Two trades may have one id, where a venue counts by symbol."""
    told: dict[Ids, list[object]] = {}
    for ids in Ids:
        floor = Floor(replace(KIND, ids=ids))
        floor.price(40_000)
        floor.order("BUY 0.01", SPOT)
        floor.order("BUY 0.01", PERP)
        told[ids] = [row["tradeId"] for row in floor.all_rows("/fills")]
    assert told == {Ids.GLOBAL: ["1", "2"], Ids.SYMBOL: ["1", "1"]}


def test_a_history_by_symbol_must_be_asked_by_symbol() -> None:
    """A venue that pages by id has a history for every symbol; its ledger is one."""
    floor = Floor(replace(KIND, paging=Paging.FROM_ID))
    with pytest.raises(Refusal, match="symbol"):
        floor.ask("GET", "/fills")
    assert len(floor.all_rows("/ledger")) == 1


@pytest.mark.parametrize("limit", ["0", "-1", "many", "²"])
def test_a_page_has_a_size(limit: str) -> None:
    """A limit is a whole number above zero; without one the venue's page is cut."""
    floor = Floor(replace(KIND, page_size=2))
    floor.price(40_000)
    for _ in range(3):
        floor.order("BUY 0.01")
    rows = floor.ask("GET", "/fills")["rows"]
    assert isinstance(rows, list)
    assert len(rows) == 2
    with pytest.raises(Refusal) as caught:
        floor.ask("GET", "/fills", limit=limit)
    assert caught.value.code == codes.FILTER


# --- look-ups


def test_a_look_up_lags_while_the_engine_knows() -> None:
    """An order that was just taken is not found and not listed; its duplicate is refused, its cancel works."""
    floor = Floor(replace(KIND, lookup_lag_seconds=20.0))
    floor.price(40_000)
    order = floor.order("BUY 0.01 at 39000", clientOrderId="mine")
    with pytest.raises(Refusal, match="-2013"):
        floor.ask("GET", "/order", clientOrderId="mine")
    assert floor.ask("GET", "/openOrders")["rows"] == []
    assert floor.no("BUY 0.01 at 39000", clientOrderId="mine") == codes.DUPLICATE_CLIENT_ID
    floor.wait(20)
    assert floor.ask("GET", "/order", clientOrderId="mine", symbol=SPOT)["orderId"] == order["orderId"]
    assert len(list(floor.ask("GET", "/openOrders")["rows"])) == 1  # type: ignore[call-overload]
    hidden = floor.order("BUY 0.01 at 39000")
    assert floor.cancel(hidden["clientOrderId"])["status"] == "CANCELED"


def test_an_order_is_not_found_in_another_market() -> None:
    """A look-up that names another symbol, or nothing, finds nothing."""
    floor = Floor()
    floor.price(40_000)
    floor.order("BUY 0.01 at 39000", clientOrderId="mine")
    for params in ({"clientOrderId": "mine", "symbol": PERP}, {"clientOrderId": "other"}, {"orderId": "9"}, {}):
        with pytest.raises(Refusal, match="-2013"):
            floor.ask("GET", "/order", **params)
    with pytest.raises(Refusal, match="-2011"):
        floor.cancel("mine", PERP)


def test_what_ended_is_forgotten() -> None:
    """Ended orders leave the look-ups after a while; waiting ones and the fills stay, and the id stays taken."""
    floor = Floor(replace(KIND, forgets_after_seconds=600.0))
    floor.price(40_000)
    floor.order("BUY 0.01", clientOrderId="filled")
    floor.order("BUY 0.01 at 39000", clientOrderId="waits")
    floor.wait(600)
    assert floor.ask("GET", "/order", clientOrderId="filled")["status"] == "FILLED"
    floor.wait(1)
    with pytest.raises(Refusal, match="-2013"):
        floor.ask("GET", "/order", clientOrderId="filled")
    assert floor.ask("GET", "/order", clientOrderId="waits")["status"] == "NEW"
    assert [row["clientOrderId"] for row in floor.all_rows("/fills")] == ["filled"]
    assert floor.no("BUY 0.01", clientOrderId="filled") == codes.DUPLICATE_CLIENT_ID


def test_of_several_under_one_id_the_last_is_told() -> None:
    """Where a venue takes an id twice, a look-up and a cancel mean the last one."""
    floor = Floor(replace(KIND, dedupe=DedupeScope.NONE))
    floor.price(40_000)
    first = floor.order("BUY 0.01 at 39000", clientOrderId="twice")
    second = floor.order("BUY 0.02 at 39000", clientOrderId="twice")
    assert floor.ask("GET", "/order", clientOrderId="twice")["orderId"] == second["orderId"]
    assert floor.cancel("twice")["orderId"] == second["orderId"]
    assert floor.cancel("twice")["orderId"] == first["orderId"]


def test_the_rules_are_told() -> None:
    """Every listing's rules and the account's leverage can be asked for and set; a leverage beyond the rules cannot."""
    floor = Floor()
    rows = floor.ask("GET", "/instruments")["rows"]
    assert isinstance(rows, list)
    assert [(row["symbol"], row["tick"], row["lot"], row["settle"]) for row in rows] == [
        (SPOT, "0.01", "0.00001", None),
        (PERP, "0.1", "0.001", "USDT"),
    ]
    assert floor.ask("POST", "/leverage", symbol=PERP, leverage="20")["leverage"] == "20"
    for symbol, leverage in ((PERP, "0"), (PERP, "151"), (SPOT, "2")):
        with pytest.raises(Refusal, match="-1013"):
            floor.ask("POST", "/leverage", symbol=symbol, leverage=leverage)
