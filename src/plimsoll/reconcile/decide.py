"""Decide what follows from the differences: sweep, look up, adopt, or open a break for a person.

Rule 1. Facts first: while a sweep for trades is due, a difference of fills, quantity or cash waits for the comparison
        after it (`swept`), because the trades may explain it. What still stands then is a break.
Rule 2. Absence is no evidence. An order that is not at the venue is looked up; nothing here ends it.
Rule 3. Nothing is removed, scaled or set equal. An adjustment is a *proposal*, made by a person with a reason.
Rule 4. What is inferred has an id that is a function of the facts: a restart, or another worker, infers the same.

What must not enter: how a decision is carried out, how often, and when to give up (`desk/reconcile_account`).
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from plimsoll.model.ids import ClientOrderId
from plimsoll.model.money import decimal_text
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import VenueOrder
from plimsoll.reconcile.differences import (
    BalanceBreak,
    Difference,
    FilledMismatch,
    MissingTrade,
    OrderNotAtVenue,
    Origin,
    PositionKind,
    PositionMismatch,
    StatusMismatch,
    TermsMismatch,
    UnknownOrder,
)


@dataclass(frozen=True, slots=True)
class SweepTrades:
    """Ask for the venue's fills from the cursor on, book those that are missing, and compare again."""

    #: Those already told; none where only a filled quantity says that there must be some.
    missing: tuple[TradeReport, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class LookUpOrder:
    """Ask the venue for one order; "not found" is evidence only after its settle window and in two places."""

    client_order_id: ClientOrderId
    sentence: str


@dataclass(frozen=True, slots=True)
class AdoptOrder:
    """Take an order that waits at the venue into the book.

    One of `OURS` may stand in the book as closed: then it is looked up first, since the list may be behind.
    """

    order: VenueOrder
    origin: Origin
    #: What the book calls it: the id that it carries, or one inferred where it has none or shares it with another.
    client_order_id: ClientOrderId
    sentence: str


@dataclass(frozen=True, slots=True)
class OpenBreak:
    """Put a difference on the work-list. The same difference found again is the same break."""

    #: Kind and subject, without the amounts: they may change while the break is open, its age goes on.
    key: str
    difference: Difference
    blocks_opening: bool
    #: For a person: what is wrong.
    sentence: str
    #: For a person: what could be done.
    proposal: str


Decision = SweepTrades | LookUpOrder | AdoptOrder | OpenBreak


def decide(differences: Iterable[Difference], *, swept: bool = False) -> tuple[Decision, ...]:
    """Say what follows: the sweep first, then look-ups, adoptions and breaks, each in the order of the differences.

    Shapes:  `swept`: these differences were found after the sweep that earlier ones asked for
    """
    found = tuple(differences)
    sweep = _sweep(found)
    waits = bool(sweep) and not swept
    return (
        *sweep,
        *(look_up for difference in found for look_up in _look_up(difference)),
        *(_adopt(difference) for difference in found if isinstance(difference, UnknownOrder)),
        *(opened for difference in found for opened in _break(difference, waits=waits)),
    )


def inferred_id(order: VenueOrder) -> ClientOrderId:
    """Compute what the book calls an order that no client order id names; never one that looks like ours."""
    # Desk codes are capitals, so no desk takes the small letters for its own.
    digest = hashlib.sha256(f"{order.instrument_id}|{order.broker_order_id}".encode()).digest()
    return ClientOrderId("external-" + base64.b32encode(digest).decode()[:23].lower())


def _sweep(found: tuple[Difference, ...]) -> tuple[SweepTrades, ...]:
    missing = tuple(difference.trade for difference in found if isinstance(difference, MissingTrade))
    unexplained = sum(isinstance(difference, FilledMismatch) for difference in found)
    if not missing and not unexplained:
        return ()
    sentence = f"Trades that the book does not have: {len(missing)}. Orders filled otherwise: {unexplained}."
    return (SweepTrades(missing, sentence),)


def _look_up(difference: Difference) -> tuple[LookUpOrder, ...]:
    match difference:
        case OrderNotAtVenue(name, ledger):
            return (LookUpOrder(name, f"Order {name} is {ledger} in the book and does not wait at the venue."),)
        case StatusMismatch(name, ledger, venue):
            return (LookUpOrder(name, f"Order {name} is {ledger} in the book and {venue} at the venue."),)
        case FilledMismatch(name):
            return (LookUpOrder(name, _filled(difference)),)
        case _:
            return ()


def _adopt(unknown: UnknownOrder) -> AdoptOrder:
    order = unknown.order
    name = order.client_order_id
    if name is None or unknown.origin is Origin.DOUBLED:
        name = inferred_id(order)
    return AdoptOrder(order, unknown.origin, name, _unknown(unknown))


def _break(difference: Difference, *, waits: bool) -> tuple[OpenBreak, ...]:
    """Open the break of a difference, unless it has none or waits for the sweep."""
    match difference:
        case OrderNotAtVenue() | StatusMismatch():
            return ()  # the look-up brings evidence; without any the order stays live and is asked for again
        case UnknownOrder(order, origin):
            return (
                OpenBreak(
                    f"order:{order.instrument_id}:{order.broker_order_id}",
                    difference,
                    blocks_opening=origin is not Origin.FOREIGN,
                    sentence=_unknown(difference),
                    proposal=_PROPOSALS[origin],
                ),
            )
        case TermsMismatch(name, field, ledger, venue):
            return (
                OpenBreak(
                    f"terms:{name}:{field}",
                    difference,
                    blocks_opening=True,
                    sentence=f"Order {name} has {field} {ledger} in the book and {venue} at the venue.",
                    proposal="Cancel it through the desk and place it anew, or confirm who changed it at the venue.",
                ),
            )
        case MissingTrade() | FilledMismatch() | PositionMismatch() | BalanceBreak():
            return () if waits else (_break_of_facts(difference),)
        case _:
            assert_never(difference)


def _break_of_facts(difference: MissingTrade | FilledMismatch | PositionMismatch | BalanceBreak) -> OpenBreak:
    """Tell of fills, quantity or cash that no trade explains. All of them block: sizes and limits stand on them."""
    match difference:
        case MissingTrade(trade, symbol):
            key = f"trade:{trade.instrument_id}:{trade.broker_trade_id}:{trade.revision}"
            fill = f"{trade.side} {decimal_text(trade.quantity)} {symbol} at {decimal_text(trade.price)}"
            sentence = f"Trade {trade.broker_trade_id} ({fill}) could not be booked."
            proposal = "See why it was refused: an unknown instrument, or another trade under the same id."
        case FilledMismatch(name):
            key = f"filled:{name}"
            sentence = _filled(difference)
            proposal = "Compare its fills at the venue with the book; a fill without a trade is asked of the venue."
        case PositionMismatch(instrument_id, symbol, ledger, venue):
            key = f"position:{instrument_id}"
            sentence = f"The book holds {decimal_text(ledger)} {symbol}, the venue {decimal_text(venue)}."
            proposal = _PROPOSALS[difference.kind]
        case BalanceBreak(pocket, asset, ledger, venue):
            key = f"balance:{pocket}:{asset}"
            holds = f"the book has {decimal_text(ledger)}, the venue {decimal_text(venue)}"
            sentence = f"{asset} in {pocket}: {holds}."
            proposal = (
                "Find the movement at the venue (deposit, withdrawal, funding, interest, fee) and book it; "
                f"failing that, adjust by {decimal_text(venue - ledger)} {asset} with a reason."
            )
        case _:
            assert_never(difference)
    return OpenBreak(key, difference, blocks_opening=True, sentence=sentence, proposal=proposal)


_PROPOSALS: dict[Origin | PositionKind, str] = {
    Origin.OURS: "Let it be adopted and find out why the book did not have it: an old backup, or closed too early.",
    Origin.DOUBLED: "Cancel one of the two at the venue at once, and keep the record of both.",
    Origin.FOREIGN: "Assign it to a portfolio, or ignore it.",
    PositionKind.UNKNOWN: "Keep it as external: assign it to a portfolio, or close it at the venue.",
    PositionKind.GONE: "Look for a liquidation or a close made at the venue; its loss is booked with its trade.",
    PositionKind.QUANTITY: "Compare the trades of both sides; a residue is adjusted by a person, with a reason.",
}

_WHOSE = {
    Origin.OURS: "An order of ours that is not live in the book",
    Origin.DOUBLED: "A second order of the same client order id",
    Origin.FOREIGN: "An order that is not ours",
}


def _unknown(unknown: UnknownOrder) -> str:
    order = unknown.order
    what = f"{order.side} {decimal_text(order.quantity)} {unknown.symbol}"
    ids = f"venue id {order.broker_order_id}, client order id {order.client_order_id or 'none'}"
    return f"{_WHOSE[unknown.origin]} waits at the venue: {what} ({ids})."


def _filled(difference: FilledMismatch) -> str:
    ours, theirs = decimal_text(difference.ledger), decimal_text(difference.venue)
    return f"Order {difference.client_order_id} is filled {ours} in the book and {theirs} at the venue."
