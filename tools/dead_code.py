"""Find code that nothing uses, product and tests together.

Vulture's guesses about functions, classes, imports and unreachable lines are good. About variables and attributes they
are not (a field of a dataclass, a member of an enum, a column of a table are used by being declared): left out.
"""

import sys
from pathlib import Path

from vulture import Vulture

SCANNED = ("src", "tests", "tools", "benchmarks")
REPORTED = ("src", "tools", "benchmarks")
KINDS = frozenset({"class", "function", "import", "method", "property", "unreachable_code"})
#: Called by name from outside: by Alembic, pytest, logging, SQLAlchemy's types and the event loop's base class.
CALLED_FROM_OUTSIDE = [
    *("upgrade", "downgrade", "pytest_*", "handleError", "process_bind_param", "process_result_value"),
    *("run_in_executor", "_write_to_self", "_process_events", "_run_once", "__lt__"),
    *("load_dialect_impl", "process_request", "settings_customise_sources"),
]
#: Registered by their decorator: commands, event listeners, fixtures, pydantic's validators.
REGISTERED = ["@*.command", "@*.callback", "@*.listens_for", "@pytest.fixture", "@*validator", "@*.register"]


def main(root: Path) -> int:
    vulture = Vulture(ignore_names=CALLED_FROM_OUTSIDE, ignore_decorators=REGISTERED)
    vulture.scavenge([root / name for name in SCANNED if (root / name).is_dir()])
    found = [
        item.get_report()
        for item in vulture.get_unused_code(min_confidence=60)
        if item.typ in KINDS and item.filename.relative_to(root.resolve()).parts[0] in REPORTED
    ]
    print("\n".join(found) or "dead code: none")
    return 1 if found or vulture.exit_code.value > 1 else 0


if __name__ == "__main__":
    sys.exit(main(Path()))
