"""The oracle sees what is broken: one row of a sound book is changed at a time, and the law that it breaks is named."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from plimsoll.bootstrap import DataDirectory
from tests.simulation.exchange.personality import KIND
from tests.simulation.exchange.truth import TrueFill, TrueOrder, Truth
from tests.simulation.hours.files import Book
from tests.simulation.hours.laws import ALWAYS, AT_REST, Scene, hold
from tests.simulation.hours.oracle import CODE, Oracle, still_true
from tests.simulation.hours.permuted import same_books_in_any_order
from tests.simulation.hours.plans import Plan, plan_of
from tests.simulation.hours.repairs import SHOWS_WITHIN, Repair, unexplained
from tests.simulation.hours.tape import Struck
from tests.simulation.hours.weather import FAIR, Fault
from tests.simulation.hours.world import live
from tests.simulation.world import Broken

#: Fills on both markets, orders that wait, some that ended without a fill, a refusal.
SEED = 4
HOURS = 0.5
ACCOUNT = 1


def _plan() -> Plan:
    drawn = plan_of(SEED, HOURS)
    kind = tuple(replace(KIND, name=venue.name) for venue in drawn.personalities)
    return replace(drawn, weather=FAIR, personalities=kind)


@pytest.fixture(scope="module")
def rested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Give the files of a desk at rest after half a fair hour, and what its venue truly has."""
    folder = tmp_path_factory.mktemp("rested") / "desk"
    found: list[Truth] = []
    real = Oracle.at_rest

    def at_rest(self: Oracle) -> None:
        real(self)
        (scene, *_) = self.scenes()
        found.append(scene.truth)
        with closing(sqlite3.connect(scene.book.database)) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(scene.book.database.parent, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Oracle, "at_rest", at_rest)
        failure = live(_plan()).failure
    assert failure is None, str(failure)
    return folder, found[0]


@pytest.fixture
def scene(rested: tuple[Path, Truth], tmp_path: Path) -> Scene:
    """Give a copy that a test may break."""
    folder, truth = rested
    shutil.copytree(folder, tmp_path / "desk")
    return Scene("account 1", Book(tmp_path / "desk" / "desk.db", ACCOUNT), truth, CODE)


def _change(scene: Scene, *statements: str) -> Scene:
    """Change rows past every guard, and look at the book anew."""
    with closing(sqlite3.connect(scene.book.database)) as file:
        guards = file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in guards:
            file.execute(f'DROP TRIGGER "{name}"')
        file.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            assert file.execute(statement).rowcount >= 1, f"nothing was changed by: {statement}"
        file.commit()
    return replace(scene, book=Book(scene.book.database, ACCOUNT), _revised=set())


def test_a_sound_book_keeps_every_law(scene: Scene) -> None:
    """And there is something in it to be judged."""
    hold(scene, AT_REST)
    hold(scene, ALWAYS)
    states = {row["state"] for row in scene.book.orders}
    assert {"FILLED", "CANCELED", "NEW"} <= states | {"NEW"}
    assert len(scene.book.fills) > 10
    assert {":" in symbol for symbol, _leg in scene.book.positions} == {True, False}, "spot and a perpetual"


FILLED = f"(SELECT id FROM orders WHERE account_id = {ACCOUNT} AND state = 'FILLED' ORDER BY id LIMIT 1)"
FIRST_TRADE = f"(SELECT MIN(id) FROM trades WHERE account_id = {ACCOUNT})"
COLUMNS = (
    "account_id, 999999, link_seq, instrument_id, 'another-id', revision, portfolio_id, strategy_id, 0,"
    " client_order_id, broker_order_id, side, quantity, price, notional, fee, fee_currency, realized_cash,"
    " triggered_by, exec_time, sequence, effect, leg"
)

OF_THE_BOOK = {
    "a verdict that is gone": ("I11", "DELETE FROM verdicts WHERE outcome = 'APPROVED'"),
    "a fill under a second id": ("I3", f"INSERT INTO trades SELECT {COLUMNS} FROM trades WHERE id = {FIRST_TRADE}"),
    "a fee by a hair": ("I5", f"UPDATE trades SET fee = fee || '1' WHERE id = {FIRST_TRADE} AND fee LIKE '%.%'"),
    "a time by some microseconds": (
        "I5",
        f"UPDATE trades SET exec_time = substr(exec_time, 1, 20) || '999999Z' WHERE id = {FIRST_TRADE}",
    ),
    "an order filled otherwise than its fills": (
        "I9",
        f"UPDATE orders SET filled_quantity = '0.00001' WHERE id = {FILLED}",
    ),
    "a balance that is not its lines": (
        "I10",
        "UPDATE balances SET amount = '1' WHERE asset = 'USDT'",
    ),
    "money that the venue does not have": (
        "I5",
        "UPDATE balances SET amount = '1' WHERE asset = 'USDT'",
        "DELETE FROM cash_lines WHERE asset = 'USDT'",
        "INSERT INTO cash_lines (account_id, id, link_seq, portfolio_id, pocket, asset, kind, amount, reference, at)"
        " SELECT account_id, CASE pocket WHEN 'spot' THEN 999998 ELSE 999999 END, 1, portfolio_id, pocket, asset,"
        " 'DEPOSIT', amount, pocket || 'x', 'then'"
        " FROM balances WHERE asset = 'USDT'",
    ),
    "a position of another size": (
        "I5",
        "UPDATE positions SET quantity = '77'"
        " WHERE instrument_id IN (SELECT id FROM instruments WHERE symbol LIKE '%:%')",
    ),
    "an order of unknown fate": ("I6", f"UPDATE orders SET state = 'UNKNOWN' WHERE id = {FILLED}"),
    "an order that lives here alone": ("I7", f"UPDATE orders SET state = 'NEW' WHERE id = {FILLED}"),
    "an order that ended in another way": ("I7", f"UPDATE orders SET state = 'CANCELED' WHERE id = {FILLED}"),
    "an end that holds money back": ("I12", f"UPDATE orders SET reserved = '5' WHERE id = {FILLED}"),
    "a close that the gate refused": (
        "I14",
        "UPDATE verdicts SET outcome = 'REFUSED', intent_key = 'close:1:1:0:e:1'"
        " WHERE id = (SELECT MAX(id) FROM verdicts WHERE outcome = 'REFUSED')",
    ),
}


@pytest.mark.parametrize("what", OF_THE_BOOK)
def test_a_changed_row_breaks_its_law(scene: Scene, what: str) -> None:
    """By name, and with a sentence that says which."""
    law, *statements = OF_THE_BOOK[what]
    with pytest.raises(Broken) as told:
        hold(_change(scene, *statements), AT_REST)
    assert told.value.check == law, told.value.sentence


def _order(scene: Scene) -> TrueOrder:
    return next(order for order in scene.truth.orders if order.status == "FILLED")


def _twice(scene: Scene) -> Truth:
    accepted = scene.truth.accepted.copy()
    accepted[str(_order(scene).client_order_id)] += 1
    return replace(scene.truth, accepted=accepted)


def _with_order(scene: Scene, **changes: object) -> Truth:
    other = replace(_order(scene), order_id="4711", **changes)  # type: ignore[arg-type]
    return replace(scene.truth, orders=(*scene.truth.orders, other))


def _without_a_fill(scene: Scene) -> Truth:
    return replace(scene.truth, fills=scene.truth.fills[1:])


def _with_a_fill(scene: Scene) -> Truth:
    more: TrueFill = replace(scene.truth.fills[0], trade_id="one more")
    return replace(scene.truth, fills=(*scene.truth.fills, more))


OF_THE_VENUE: dict[str, tuple[str, Callable[[Scene], Truth]]] = {
    "an order taken twice": ("I1", _twice),
    "an order that nobody approved": ("I11", lambda scene: _with_order(scene, client_order_id=f"{CODE}NOBODY")),
    "somebody's order that waits and is on no list": (
        "I2",
        lambda scene: _with_order(scene, client_order_id=None, is_open=True),
    ),
    "a fill that the venue does not have": ("I3", _without_a_fill),
    "a fill that the book does not have": ("I5", _with_a_fill),
}


@pytest.mark.parametrize("what", OF_THE_VENUE)
def test_what_the_venue_has_otherwise_breaks_its_law(scene: Scene, what: str) -> None:
    """The book is sound in itself and wrong all the same."""
    law, other = OF_THE_VENUE[what]
    with pytest.raises(Broken) as told:
        hold(replace(scene, truth=other(scene), _revised=set()), AT_REST)
    assert told.value.check == law, told.value.sentence


def test_what_a_caller_was_told_must_stay_true(scene: Scene) -> None:
    """A filled order may not be less filled later, an end may not be another end, and no order may be gone."""
    row = next(row for row in scene.book.orders if row["state"] == "FILLED")
    told = {"client_order_id": row["client_order_id"], "state": "FILLED", "filled_quantity": row["filled_quantity"]}
    still_true(scene.book, told)
    for other in ({"filled_quantity": "1000"}, {"state": "CANCELED"}, {"client_order_id": "SIMSNEVER"}):
        wrong = {**told, **other}
        if other == {"state": "CANCELED"}:
            still_true(scene.book, wrong)  # a late fill may fill what was told as ended
            continue
        with pytest.raises(Broken, match="ACK"):
            still_true(scene.book, wrong)


def test_the_facts_in_any_order_make_the_same_books(rested: tuple[Path, Truth], tmp_path: Path) -> None:
    """And a book that does not hold what its facts make is told from one that does."""
    folder, _truth = rested
    (tmp_path / "fresh").mkdir()
    (tmp_path / "again").mkdir()
    same_books_in_any_order(DataDirectory(folder), tmp_path / "fresh", [ACCOUNT], 1)
    shutil.copytree(folder, tmp_path / "other")
    other = DataDirectory(tmp_path / "other")
    with closing(sqlite3.connect(other.database)) as file:
        file.execute("UPDATE positions SET cost = cost + 1 WHERE quantity <> '0'")
        file.commit()
    with pytest.raises(Broken, match="I17"):
        same_books_in_any_order(other, tmp_path / "again", [ACCOUNT], 1)


# Repairs --------------------------------------------------------------------------------------------------------------

SWEPT = Repair("trade_by_sweep", 1, 1_000.0, 1_060.0, "account 1")


def test_a_repair_without_a_reason_is_told() -> None:
    """In fair weather, and when what went wrong was long over."""
    assert unexplained([SWEPT], [], KIND, []) == SWEPT
    early = Struck("event anna", 3, Fault.DROPPED, 0.0, 999.0 - SHOWS_WITHIN)
    assert unexplained([SWEPT], [early], KIND, []) == SWEPT


def test_a_repair_shortly_after_a_fault_that_can_cause_it_has_a_reason() -> None:
    """A fault that lasts explains what comes while it lasts, too."""
    dropped = Struck("event anna", 3, Fault.DROPPED, 0.0, 1_001.0)
    frozen = Struck("minute", 3, Fault.FREEZE, 120.0, 600.0)
    assert unexplained([SWEPT], [dropped], KIND, []) is None
    assert unexplained([SWEPT], [frozen], KIND, []) is None


def test_a_fault_that_cannot_cause_a_repair_explains_nothing() -> None:
    """A wrong price loses no fill, and a deposit makes no order of ours appear."""
    assert unexplained([SWEPT], [Struck("quote BTC/USDT", 1, Fault.BAD_TICK, 0.0, 1_010.0)], KIND, []) == SWEPT
    adopted = replace(SWEPT, kind="adopted")
    assert unexplained([adopted], [Struck("minute", 1, Fault.DEPOSIT, 5.0, 1_010.0)], KIND, []) == adopted


def test_a_start_and_a_venue_that_cuts_its_streams_are_reasons() -> None:
    """What a predecessor left, and what no stream tells again."""
    assert unexplained([SWEPT], [], KIND, [990.0]) is None
    assert unexplained([SWEPT], [], replace(KIND, cut_after_seconds=900.0), []) is None
    gap = replace(SWEPT, kind="stream_gap")
    assert unexplained([gap], [], KIND, []) == gap
    assert unexplained([gap], [], replace(KIND, cut_after_seconds=900.0), []) is None
