"""What a comparison found, weighed: which differences are breaks, which may still explain themselves, what has ended.

    found ──not a fact (an order there, its terms)──────────► a break, and told
      ├──a fact, at a venue whose histories do not lag──────► a break; told when it has stood (`reconcile.suspicion`)
      ├──a fact, at a venue whose histories lag─────────────► waits; a break, and told, when it has stood
      ├──a balance that waiting movements explain───────────► waits; a break when people were told of the movement
      └──an order that is nowhere, or not as the book has it► waits; ended when two looks a settle window apart agree

Nothing opens while a difference waits. What is on the work-list stays there for as long as it is found, whatever
becomes of its amounts: a break that comes and goes with every fill is read by nobody.

What must not enter: a question to the venue, and a word to people (`reconcile_account`).
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from plimsoll.desk.ports import Ports
from plimsoll.ledger import breaks, external_orders
from plimsoll.model.ids import ClientOrderId
from plimsoll.reconcile.decide import Decision, LookUpOrder, OpenBreak
from plimsoll.reconcile.differences import Origin, UnknownOrder
from plimsoll.reconcile.suspicion import explaining, look, may_explain_itself

_LOOK_UP = "look_up:"


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is left of a comparison's differences."""

    breaks: tuple[OpenBreak, ...]
    #: In sentences.
    waiting: tuple[str, ...]
    #: What people are to be told of, by name; of a break its sentence and what could be done.
    alarms: dict[str, str]
    #: Orders that were live and are nowhere at the venue any more.
    gone: tuple[ClientOrderId, ...]
    #: Something has not stood for long enough to be told.
    unsure: bool


def weigh(
    ports: Ports, decisions: Sequence[Decision], not_found: Set[ClientOrderId], began: float, ended: float
) -> Weighed:
    """Weigh what a look found, and remember it for the next.

    Shapes:  `decisions` of a look after which no sweep is due; `not_found`: orders that the venue was asked for in this
             attempt and did not know
    Units:   the look's beginning, before the histories were read, and its end, in seconds by the stopwatch
    """
    found = undecided(ports, decisions)
    missed = {f"{_LOOK_UP}{item.client_order_id}": item for item in _missed(decisions, found)}
    suspects: dict[str, object] = {item.key: item.difference for item in found if may_explain_itself(item.difference)}
    suspects |= {name: (item, item.client_order_id in not_found) for name, item in missed.items()}
    suspicions = ports.suspicions = look(ports.suspicions, suspects, ended)

    facts = ports.venue.facts
    lag, window = facts.history_lag.total_seconds(), facts.settle_window.total_seconds()
    confirmed = {name for name in suspicions if name not in missed and suspicions[name].is_confirmed(began, lag)}
    known = {one.found.name for one in breaks.open_breaks(ports.books.hot, ports.account_id)}
    explained = {item.key for item in found if explaining(item.difference, ports.waiting.values())}
    found = [named for item in found if (named := _as_explained(ports, item, known)) is not None]
    real = tuple(
        item for item in found if item.key not in suspicions or not lag or item.key in confirmed or item.key in known
    )
    gone = {
        name: item.client_order_id
        for name, item in missed.items()
        if item.client_order_id in not_found and suspicions[name].is_evidence(began, window)
    }
    waiting = [item.sentence for item in found if item not in real]
    waiting += [item.sentence for name, item in missed.items() if name not in gone]
    # Money that is not booked yet keeps everything from opening, whether a balance shows it or not.
    waiting += [one.sentence for one in ports.waiting.values()]
    alarms = {
        item.key: f"{item.sentence} {item.proposal}"
        for item in real
        # Of what waiting movements explain, people hear when they hear of those.
        if item.key not in explained and (item.key in confirmed or item.key not in suspicions)
    }
    alarms |= {
        name: f"{item.sentence} See what became of it at the venue; nothing opens until both agree."
        for name, item in missed.items()
        if name not in gone and suspicions[name].never_goes(began)
    }
    told = {*alarms, *ports.alarmed, *(item.key for item in real if item.key in explained)}
    unsure = any(name not in told for name in suspicions if name not in gone)
    return Weighed(real, tuple(waiting), alarms, tuple(gone.values()), unsure)


def _as_explained(ports: Ports, item: OpenBreak, known: Set[str]) -> OpenBreak | None:
    """Name in a break the movements that explain it; None while they may still be booked without a word to people."""
    why = explaining(item.difference, ports.waiting.values())
    if not why:
        return item
    if item.key not in known and not any(one.told for one in why):
        return None
    sentence = " ".join((item.sentence, *(one.sentence for one in why)))
    return replace(item, sentence=sentence, proposal=" ".join(dict.fromkeys(one.remedy for one in why)))


def undecided(ports: Ports, decisions: Sequence[Decision]) -> list[OpenBreak]:
    """List the breaks of which no person has said yet what they are."""
    return [item for item in decisions if isinstance(item, OpenBreak) and not _was_decided(ports, item)]


def _was_decided(ports: Ports, found: OpenBreak) -> bool:
    """Say whether a person has said already what an order of somebody else's is: it is on no work-list any more."""
    match found.difference:
        case UnknownOrder(order, Origin.FOREIGN):
            return external_orders.was_decided(ports.books.hot, ports.account_id, order)
        case _:
            return False


def _missed(decisions: Sequence[Decision], found: Sequence[OpenBreak]) -> list[LookUpOrder]:
    """List the look-ups that explained nothing; those of fills stand as differences of their own."""
    filled = {item.key for item in found}
    look_ups = (item for item in decisions if isinstance(item, LookUpOrder))
    return [item for item in look_ups if f"filled:{item.client_order_id}" not in filled]
