"""Print the life of an order as a page, derived from the one table in `plimsoll.model.order`.

Run `.venv/bin/python tools/order_diagram.py > docs/order-lifecycle.md` after a change of the table; a test compares.
"""

from plimsoll.model.order import TRANSITIONS, OrderEvent, OrderState

HEAD = """\
# The life of an order

Derived from the table in `src/plimsoll/model/order.py` by `tools/order_diagram.py`; do not edit by hand.
The picture shows the moves; events that leave an order where it is are only in the table below it.
"""


def diagram() -> str:
    """Draw every move from one state to another."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {OrderState.PENDING}"]
    for before in OrderState:
        for after in OrderState:
            events = [
                event for event in OrderEvent if before is not after and TRANSITIONS.get((before, event)) is after
            ]
            if events:
                lines.append(f"    {before} --> {after}: {', '.join(events)}")
    lines += [f"    {state} --> [*]" for state in OrderState if state.is_final]
    return "\n".join([*lines, "```"])


def table() -> str:
    """List every state against every event; `·` stays, `refused` contradicts."""
    lines = ["| state | " + " | ".join(OrderEvent) + " |", "| --- " * (len(OrderEvent) + 1) + "|"]
    for before in OrderState:
        cells = []
        for event in OrderEvent:
            after = TRANSITIONS.get((before, event))
            cells.append("refused" if after is None else "·" if after is before else str(after))
        lines.append(f"| **{before}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page() -> str:
    """Give the whole page."""
    return f"{HEAD}\n{diagram()}\n\n{table()}\n"


if __name__ == "__main__":
    print(page(), end="")
