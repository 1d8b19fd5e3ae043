"""`plimsoll history`: the story of one position, for a person with a pencil; it reads, and may while a desk writes."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from plimsoll.bootstrap import DataDirectory
from plimsoll.cli.look import current
from plimsoll.cli.words import print_table
from plimsoll.ledger.history import Step, Story, find_position, tell_story
from plimsoll.model.errors import Illegal
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position
from plimsoll.store.place import reader


def read_history(directory: DataDirectory, words: Sequence[str]) -> Story:
    """Tell the story of the position that the words name.

    Raises: NoDesk; Illegal for a position that is not there
    """
    current(directory)
    engine = reader(directory.book)
    try:
        with engine.connect() as connection:
            return tell_story(connection, find_position(connection, words))
    finally:
        engine.dispose()


def since_of(said: str | None) -> datetime | None:
    """Read a day or a time; without a zone it is UTC.

    Raises: Illegal
    """
    if said is None:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise Illegal("since", said, "give a day or a time, such as 2022-01-31 or 2022-01-31T12:00Z") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def history_answer(story: Story, since: datetime | None) -> dict[str, object]:
    """Put it into fields for a machine."""
    named = story.named
    before, steps = _split(story, since)
    return {
        "position": {"id": named.id, "account": named.account, "portfolio": named.portfolio, "symbol": named.symbol},
        "before": None if before is None else _running(before.position, named.instrument),
        "steps": [_step(step, named.instrument) for step in steps],
        "told": _running(story.told, named.instrument),
        "stored": None if story.stored is None else _running(story.stored, named.instrument),
        "equal": story.equal,
        "differences": list(story.differences),
    }


def show_history(story: Story, since: datetime | None) -> None:
    """Show it to a person: each line with what it came to, and at the end what is stored."""
    named = story.named
    before, steps = _split(story, since)
    lines: list[tuple[object, ...]] = []
    if before is not None:
        lines.append((before.at, "until then", None, None, None, None, *_columns(before.position, named.instrument)))
    for step in steps:
        amount = None if step.amount is None else f"{decimal_text(step.amount)} {step.asset}".rstrip()
        happened = (step.at, step.what, step.quantity, step.price, amount, f"{step.words} [{step.reference}]")
        lines.append((*happened, *_columns(step.position, named.instrument)))
    names = ("when", "what", "quantity", "price", "amount", "how", "held", "cost", "average", "realised", "fees")
    print_table(f"{named.portfolio} {named.symbol} ({named.id}, account {named.account})", names, lines)
    told = _running(story.told, named.instrument)
    stored = {} if story.stored is None else _running(story.stored, named.instrument)
    print_table("It comes to", ("", "the story", "stored"), [(name, told[name], stored.get(name)) for name in told])
    ends = "equal" if story.equal else f"NOT EQUAL: {', '.join(story.differences)}"
    print_table("The story and the stored position", ("are",), [(ends,)])


def _split(story: Story, since: datetime | None) -> tuple[Step | None, Sequence[Step]]:
    """Give the last step before a moment, and the steps from it on."""
    if since is None:
        return None, story.steps
    before = [step for step in story.steps if step.at < since]
    return (before[-1] if before else None), story.steps[len(before) :]


def _step(step: Step, instrument: Instrument) -> dict[str, object]:
    return {
        "at": step.at,
        "what": step.what,
        "reference": step.reference,
        "quantity": step.quantity,
        "price": step.price,
        "amount": step.amount,
        "asset": step.asset,
        "words": step.words,
        "then": _running(step.position, instrument),
    }


def _running(position: Position, instrument: Instrument) -> dict[str, object]:
    """Name what a position is, in the words of the contract."""
    return {
        "quantity": position.quantity,
        "cost": position.cost,
        "avg_price": position.avg_price(instrument),
        "realized_pnl": position.realized_pnl,
        "fees": _amounts(position.fees),
        "fee_cost": position.fee_cost,
        "flows": _amounts((f"{kind} {asset}", amount) for kind, asset, amount in position.flows),
        "uncosted": position.uncosted,
        "uncosted_proceeds": position.uncosted_proceeds,
        "opened_at": position.opened_at,
    }


def _columns(position: Position, instrument: Instrument) -> tuple[object, ...]:
    fees = _amounts(position.fees)
    return position.quantity, position.cost, position.avg_price(instrument), position.realized_pnl, fees


def _amounts(told: Iterable[tuple[str, Decimal]]) -> str:
    return ", ".join(f"{decimal_text(amount)} {name}" for name, amount in told)
