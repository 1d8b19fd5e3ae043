"""Find code that nothing uses: first with the tests, then the product alone, for what only tests use is dead as well.

Vulture's guesses about functions, classes, imports and unreachable lines are good. About variables and attributes they
are not (a field of a dataclass, a member of an enum, a column of a table are used by being declared): left out.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vulture import Vulture

SCANNED = ("src", "tests", "tools", "benchmarks")
REPORTED = ("src", "tools", "benchmarks")
KINDS = frozenset({"class", "function", "import", "method", "property", "unreachable_code"})
#: Called by name from outside: Alembic, pytest, logging, SQLAlchemy's types, the event loop, its protocols, uvicorn.
CALLED_FROM_OUTSIDE = [
    *("upgrade", "downgrade", "pytest_*", "handleError", "process_bind_param", "process_result_value"),
    *("run_in_executor", "_write_to_self", "_process_events", "_run_once", "__lt__"),
    *("load_dialect_impl", "process_request", "settings_customise_sources"),
    *("connection_made", "data_received", "connection_lost", "capture_signals"),
    # By whoever has a notebook: what `plimsoll.Book` offers.
    *("__getattr__", "tax", "to_pandas", "to_polars"),
]
#: Used by tests alone for now, each with its reason; a name that the product has come to use is told, too.
AHEAD_OF_USE = {
    "Split": "imports, and venues that tell of one",
    "book_late_fee": "venues that tell a fee after its fill",
    "crash": "the crash sweep's hold on the loop",
    "create_from_template": "the quick way to a new book for tests and the simulation",
    "debt": "margin accounts and their interest",
    "deposit_coins": "imports, and coins that a person brings in",
    "freeze": "the crash sweep's hold on the loop",
    "isolated_liquidation_price": "for pockets of one position, which no venue of ours has yet",
    "rename_instrument": "imports, and venues that rename",
    "split_holdings": "imports, and venues that tell of a split",
    "transfer_holding": "moving a holding between portfolios",
    "unassigned": "coins that belong to no position yet, for their page",
    "withdraw": "the paper venue's other direction",
    "withdraw_coins": "imports, and coins that a person takes out",
    "write_policy": "limits that a person sets",
    "LinearSlippage": "a choice of the paper venue's rules",
    "SquareRootSlippage": "a choice of the paper venue's rules",
}
#: Registered by their decorator: commands, routes, event listeners, fixtures, pydantic's validators.
REGISTERED = [
    *("@*.command", "@*.callback", "@*.listens_for", "@pytest.fixture", "@*validator", "@*.register"),
    *("@*.get", "@*.post", "@*.delete", "@*.websocket"),
]


class Unused(NamedTuple):
    """Something that nothing uses, as a line to print; two scans print the same line for it."""

    name: str
    report: str


def unused(root: Path, scanned: Iterable[str]) -> list[Unused]:
    """List what nothing among the scanned folders uses."""
    vulture = Vulture(ignore_names=CALLED_FROM_OUTSIDE, ignore_decorators=REGISTERED)
    vulture.scavenge([root / name for name in scanned if (root / name).is_dir()])
    if vulture.exit_code.value > 1:
        raise SystemExit("dead code: a file could not be read")
    return [
        Unused(item.name, item.get_report())
        for item in vulture.get_unused_code(min_confidence=60)
        if item.typ in KINDS and item.filename.relative_to(root.resolve()).parts[0] in REPORTED
    ]


def findings(root: Path) -> list[str]:
    """Give a line for each: unused, used by tests alone, or allowed to be without need."""
    anywhere, product = unused(root, SCANNED), unused(root, ("src",))
    found = [item.report for item in anywhere]
    only_tested = [item for item in product if item not in anywhere]
    found += [f"{item.report}, but for tests" for item in only_tested if item.name not in AHEAD_OF_USE]
    idle = {item.name for item in product}
    return found + [f"{name} is used now, or gone: take it off the list" for name in sorted(AHEAD_OF_USE.keys() - idle)]


def main(root: Path) -> int:
    found = findings(root)
    print("\n".join(found) or "dead code: none")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path()))
