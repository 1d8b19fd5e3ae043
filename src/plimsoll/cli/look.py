"""`plimsoll status` and `plimsoll verify`: they read, and may do so while a desk writes."""

from decimal import Decimal

from plimsoll.bootstrap import DataDirectory, look_at
from plimsoll.bots.replay import PROGRESS, progress_of
from plimsoll.bots.replay_plan import PLAN, plan_of
from plimsoll.cli.report import prove
from plimsoll.cli.words import NoDesk, plain, print_table
from plimsoll.ledger.glance import Glance
from plimsoll.ledger.verify import VerifyReport
from plimsoll.ledger.views import PositionView, Status, status
from plimsoll.store.place import reader


def seen(directory: DataDirectory) -> Glance:
    """Look at the desk of a data directory.

    Raises: NoDesk, ForeignDatabase, NewerDatabase
    """
    found = look_at(directory)
    if found is None:
        raise NoDesk(directory)
    return found


def current(directory: DataDirectory) -> Glance:
    """Look at the desk of a data directory, to read its books by the tables of this release.

    Raises: what `seen` raises, OlderDatabase
    """
    found = seen(directory)
    found.check_current(directory.book)
    return found


def read_status(directory: DataDirectory) -> Status:
    """Read how the desk stands."""
    current(directory)
    return status(reader(directory.book))


def status_answer(directory: DataDirectory, told: Status) -> dict[str, object]:
    """Put it into the fields of the contract."""
    answer = {
        "portfolios": [{**_fields(view), "portfolio": view.name} for view in told.portfolios],
        "positions": [{**_fields(view), **_fees(view)} for view in told.positions],
        "orders": [_fields(view) for view in told.orders],
        "halts": [_fields(view) for view in told.halts],
        "guards": [_fields(view) for view in told.guards],
    }
    meta = seen(directory).meta
    if PLAN in meta:
        progress = progress_of(meta.get(PROGRESS))
        plan = plan_of(meta[PLAN])
        answer["replay"] = [
            {
                "symbol": plan.symbol,
                "strategy": plan.strategy,
                "prices": plan.prices,
                "bars": 0 if progress is None else progress.bars,
                "at": plan.first if progress is None else plain(progress.end),
            }
        ]
    return dict(answer)


def _fields(view: object) -> dict[str, object]:
    told = plain(view)
    assert isinstance(told, dict), "Invariant: a view is a dataclass."
    return told


def _fees(view: PositionView) -> dict[str, object]:
    """Give the fees as one amount, which they nearly always are, and by currency."""
    amounts = dict(view.fees)
    one = sum(amounts.values(), Decimal(0)) if len(amounts) <= 1 else None
    return {"fees": plain(one), "fees_by_currency": plain(amounts)}


def show_status(told: Status) -> None:
    """Show it to a person."""
    cash = [
        (view.account, view.name, view.mode, view.price_source, balance.pocket, balance.asset, balance.amount)
        for view in told.portfolios
        for balance in view.balances
    ]
    print_table("Portfolios", ("account", "portfolio", "mode", "prices", "pocket", "asset", "amount"), cash)
    positions = [
        (view.portfolio, view.symbol, view.quantity, view.avg_price, view.realized_pnl, _fees(view)["fees"])
        for view in told.positions
    ]
    names = ("portfolio", "symbol", "quantity", "average price", "realised P&L", "fees")
    print_table("Positions", names, positions)
    orders = [
        (view.symbol, view.side, view.type, view.quantity, view.filled_quantity, view.state, view.triggered_by)
        for view in told.orders
    ]
    print_table("Live orders", ("symbol", "side", "type", "quantity", "filled", "state", "triggered by"), orders)
    halts = [(view.source, view.state, view.latched, view.since, view.reason) for view in told.halts]
    print_table("Halts", ("source", "state", "latched", "since", "reason"), halts)
    guards = [
        (view.account, view.kind, view.number, view.status, view.drawdown, view.since, view.closed_count)
        for view in told.guards
    ]
    print_table("Guards", ("account", "guard", "episode", "status", "drawdown", "since", "closed"), guards)


def read_proof(directory: DataDirectory) -> VerifyReport:
    """Prove the books."""
    seen(directory)
    return prove(directory)


def show_proof(told: VerifyReport) -> None:
    """Show what was looked at, what was found, and what could not be seen."""
    print_table("Looked at", ("what", "how many"), sorted(told.checked.items()))
    if told.findings:
        rows = [(found.code, found.table, found.place, found.sentence) for found in told.findings]
        print_table("FOUND", ("code", "table", "place", "what"), rows)
    if told.unseen:
        print_table("Could not be looked at", ("what",), [(line,) for line in told.unseen])
    print_table("The books", ("whole",), [(told.ok,)])
