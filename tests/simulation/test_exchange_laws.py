"""The laws of the simulated exchange over drawn days: its sums are right at every moment, and a seed gives one day.

What must not enter: what one order does (`test_exchange`), one page (`…_histories`) or one happening (`…_happenings`).
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.simulation.exchange.books import Account, BooksBroken, Position
from tests.simulation.exchange.codes import Refusal
from tests.simulation.exchange.floor import KEY, PERP, SPOT, Floor
from tests.simulation.exchange.listing import LISTINGS
from tests.simulation.exchange.personality import draw_personality
from tests.simulation.exchange.stream import Message

D = Decimal


def _everything(seed: int, steps: int = 50) -> Floor:
    """Let a drawn venue live through drawn events; its sums are checked after every one."""
    chance = random.Random(seed)
    personality = draw_personality(seed, "drawn")
    symbols = (SPOT, PERP, "ETH/USDT", "ETH/USDT:USDT")
    floor = Floor(personality, seed=seed, symbols=symbols, deposits="USDT 20000 BTC 0.2 ETH 3 BNB 1")
    floor.exchange.open("neighbour", {"USDT": D(5)})
    prices = {"BTC": 40_000.0, "ETH": 3_000.0}
    exchange = floor.exchange
    for _ in range(steps):
        for base, price in prices.items():
            prices[base] = price * (1 + chance.uniform(-0.03, 0.03) * (8 if chance.random() < 0.03 else 1))
        for symbol in symbols:
            exchange.trade_at(symbol, D(f"{prices[symbol[:3]]:.2f}"))
        _something(floor, chance, symbols, prices)
        floor.wait(chance.choice((0.0, 0.4, 1.0, 60.0)))
        exchange.check()
    return floor


def _something(floor: Floor, chance: random.Random, symbols: tuple[str, ...], prices: dict[str, float]) -> None:
    exchange, what = floor.exchange, chance.random()
    if what < 0.55:
        _any_order(floor, chance, chance.choice(symbols), prices)
    elif what < 0.65:
        for row in list(floor.ask("GET", "/openOrders")["rows"])[:1]:  # type: ignore[call-overload]
            floor.ask("DELETE", "/order", orderId=row["orderId"])
    elif what < 0.72:
        exchange.bust_last(KEY)
    elif what < 0.79:
        exchange.correct_last(KEY)
    elif what < 0.85:
        exchange.trade_by_hand(KEY)
    elif what < 0.9:
        exchange.deleverage(KEY)
    elif what < 0.95:
        exchange.withdraw(KEY, chance.choice(("USDT", "BTC")), D(chance.randrange(1, 50)) / 100)
    else:
        exchange.deposit(KEY, "USDT", D(chance.randrange(1, 1000)))


def _any_order(floor: Floor, chance: random.Random, symbol: str, prices: dict[str, float]) -> None:
    base = symbol[:3]
    # Perpetuals are traded large enough that some accounts do not bear it.
    most = 400 if ":" in symbol else 40
    quantity = chance.randrange(1, most) * (D("0.005") if base == "BTC" else D("0.05"))
    words = f"{chance.choice(('BUY', 'SELL'))} {quantity}"
    for word in chance.choice(((), (), ("at",), ("stop",), ("stop", "at"))):
        words += f" {word} {prices[base] * chance.uniform(0.95, 1.05):.1f}"
    more = {"timeInForce": chance.choice(("GTC", "GTC", "IOC", "FOK"))}
    if chance.random() < 0.2:
        more["reduceOnly"] = "true"
    if floor.personality.hedging and ":" in symbol:
        more["positionSide"] = chance.choice(("LONG", "SHORT"))
    if ":" in symbol and chance.random() < 0.3:
        floor.ask("POST", "/leverage", symbol=symbol, leverage=str(chance.choice((1, 20, 50, 100))))
    # What is not affordable, or has nothing to reduce, is refused; its sums are checked like those of all others.
    with suppress(Refusal):
        floor.order(words, symbol, **more)


@pytest.mark.parametrize("chunk", range(8))
def test_everything_adds_up_at_every_moment(chunk: int) -> None:
    """Whatever happens, fills, fees and movements are the balances; the wire tells the same as the truth."""
    for seed in range(chunk * 25, chunk * 25 + 25):
        floor = _everything(seed)
        # Nothing more happens, so that everything that did is in the histories.
        floor.now += timedelta(seconds=floor.personality.history_lag_seconds)
        _histories_are_the_account(floor)
        _stream_is_the_histories(floor)


def _histories_are_the_account(floor: Floor) -> None:
    """Fold what the wire tells, and nothing else, into balances and positions."""
    counts: dict[tuple[object, object], Message] = {}
    fills = floor.all_rows("/fills")
    for row in sorted(fills, key=lambda one: int(str(one.get("revision", 1)))):
        counts[row["symbol"], row.get("bust", row.get("tradeId"))] = row
    balances: dict[tuple[str, str], D] = {}
    positions: dict[tuple[str, str], D] = {}

    def add(pocket: str, asset: object, amount: D) -> None:
        balances[pocket, str(asset)] = balances.get((pocket, str(asset)), D(0)) + amount

    for row in counts.values():
        if "bust" in row or row["effect"] == "BUST":
            continue
        listing, quantity = LISTINGS[str(row["symbol"])], D(str(row["quantity"]))
        signed = quantity if row["side"] == "BUY" else -quantity
        if listing.is_perpetual:
            place = (listing.symbol, str(row["leg"]))
            positions[place] = positions.get(place, D(0)) + signed
            add("futures", listing.quote, D(str(row["realized"])))
            add("futures", row["feeAsset"], -D(str(row["fee"])))
        else:
            add("spot", listing.base, signed)
            add("spot", listing.quote, -(signed * D(str(row["price"]))))
            add("spot", row["feeAsset"], -D(str(row["fee"])))
    for row in floor.all_rows("/ledger"):
        add(str(row["pocket"]), row["asset"], D(str(row["amount"])))
    assert {wallet: total for wallet, total in balances.items() if total} == floor.balances()
    assert {place: total for place, total in positions.items() if total} == floor.positions()
    truth = floor.exchange.truth(KEY)
    assert (dict(truth.balances), dict(truth.positions)) == (floor.balances(), floor.positions())


def _stream_is_the_histories(floor: Floor) -> None:
    """A stream that repeats everything tells every fact of the histories once, in order."""
    if not floor.personality.stream_repeats or "closed" in floor.kinds():
        return
    facts = [message["seq"] for message in floor.heard if message["e"] in ("fill", "bust", "ledger")]
    known = sorted(int(str(row["seq"])) for path in ("/fills", "/ledger") for row in floor.all_rows(path))
    # The first four are the deposits, from before anybody listened.
    assert facts == known[4:]


def _wrong_wallet(account: Account) -> None:
    account.wallets["spot", "USDT"] += D("0.00000001")


def _wrong_position(account: Account) -> None:
    account.positions[PERP, ""] = Position(D("0.2"), D(8000))


def _wrong_realized(account: Account) -> None:
    place = (PERP, "2")
    account.effective[place] = replace(account.effective[place], realized=D(1))
    account.wallets["futures", "USDT"] += 1


def _wrong_order(account: Account) -> None:
    account.orders[0].filled = D("0.2")


def _dead_order_that_waits(account: Account) -> None:
    account.open[account.orders[0].id] = account.orders[0]


@pytest.mark.parametrize(
    "tamper", [_wrong_wallet, _wrong_position, _wrong_realized, _wrong_order, _dead_order_that_waits]
)
def test_a_wrong_book_is_noticed(tamper: Callable[[Account], None]) -> None:
    """Whatever no fact explains is found by the exchange itself."""
    floor = Floor()
    floor.price(40_000)
    floor.order("BUY 0.1")
    floor.order("BUY 0.1", PERP)
    floor.exchange.check()
    tamper(floor.exchange._house.accounts[KEY])
    with pytest.raises(BooksBroken):
        floor.exchange.check()


_DIGEST = """
import hashlib
from tests.simulation.test_exchange_laws import _everything
print(hashlib.sha256(repr([_everything(seed).heard for seed in (7, 8, 9)]).encode()).hexdigest())
"""


def test_a_seed_gives_the_same_day_in_every_process() -> None:
    """Two processes with different hash seeds hear the same messages."""
    root = Path(__file__).parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(digests) == 1
