"""Find places where a set decides an order.

The story: a set of strings is walked in another order under another PYTHONHASHSEED, so the same day replayed gives
another digest. Walk a sorted list or a dict instead. The escape is `# sim-ok: reason` on the line: a counted marker.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

CORE_ROOMS = ("model", "runtime", "risk", "store", "ledger", "market", "venues", "reconcile", "desk", "bots")
#: These read a set in its order; `sorted`, `len`, `any`, `all`, `set` and the like give the same answer in every order.
ORDERED_READERS = frozenset({"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "reversed", "sum", "next"})
SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference"})


def is_set(node: ast.expr) -> bool:
    """Tell whether an expression is a set by its look: a literal, a call, a comprehension, algebra on one."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in SET_METHODS:
            return is_set(inner)
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return is_set(left) or is_set(right)
        case _:
            return False


def ordered_reads(tree: ast.AST) -> Iterator[ast.expr]:
    """Give every expression whose order is read by a loop, a comprehension, an unpacking or an ordered function."""
    for node in ast.walk(tree):
        match node:
            case ast.For(iter=source) | ast.AsyncFor(iter=source):
                yield source
            case ast.ListComp(generators=loops) | ast.DictComp(generators=loops) | ast.GeneratorExp(generators=loops):
                yield from (loop.iter for loop in loops)
            case ast.Call(func=ast.Name(id=name), args=args) if name in ORDERED_READERS:
                yield from args
            case ast.Call(func=ast.Attribute(attr="join" | "extend"), args=args):
                yield from args
            case ast.Starred(value=source):
                yield source


def findings(source: str) -> list[int]:
    """Give the line numbers at which a set's order is read without an escape."""
    lines = source.splitlines()
    hits = {node.lineno for node in ordered_reads(ast.parse(source)) if is_set(node)}
    return sorted(number for number in hits if "sim-ok:" not in lines[number - 1])


def main(root: Path) -> int:
    found = [
        f"{path}:{number}: a set is walked in its own order; sort it, or say `# sim-ok: reason`"
        for room in CORE_ROOMS
        for path in sorted((root / room).rglob("*.py"))
        for number in findings(path.read_text(encoding="utf-8"))
    ]
    print("\n".join(found) or "set order: nowhere read")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path("src/plimsoll")))
