"""Realistic mistakes in the product's own code, and the law that each must be caught by.

A bug is an edit of today's text: when the text has moved on, planting it fails loudly and the edit is written anew.
A bug that survives means a missing fault or law; `docs/simulation.md` says which did, and what was mended for it.
"""

from dataclasses import dataclass

from tests.simulation.planted.hours import Hours
from tests.simulation.world import Kind

PLACE = "desk/place_order.py"
BOOK = "ledger/book_trade.py"
HEAR = "desk/book_trades.py"
SCRIBE = "store/scribe.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in one file; the old text must be there exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Hunt:
    """Where to look: a scenario at a venue of some character, under some kinds of fault; no kinds is no fault."""

    scenario: str
    kinds: tuple[Kind, ...] = ()
    venue: str = ""


@dataclass(frozen=True, slots=True)
class Law:
    """Look with the laws of booking: any order, any repetition."""

    seeds: int = 4


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake, its place in the catalogue, and what must catch it."""

    name: str
    catalogue: str
    #: The checks that count; death by anything else is no proof.
    checks: frozenset[str]
    edits: tuple[Edit, ...]
    hunts: tuple[Hunt | Law | Hours, ...]


def _bug(name: str, catalogue: str, checks: str, edits: tuple[Edit, ...], *hunts: Hunt | Law) -> Bug:
    return Bug(name, catalogue, frozenset(checks.split()), edits, hunts)


CUT = (Kind.CUT_BEFORE, Kind.CUT_AFTER)
FAIL = (Kind.LOST, Kind.DONE)

BUGS: tuple[Bug, ...] = (
    _bug(
        "send_before_commit",
        "A1",
        "I11",
        (
            Edit(
                PLACE,
                "        admission: _Admission = await ",
                "        early, _seen = await ports.books.write(\n"
                "            lambda draft: _judge(draft, ports, intent, market, key_reused=False)\n"
                "        )\n"
                "        if isinstance(early, Approved):\n"
                "            await ports.venue.place(early)\n"
                "        admission: _Admission = await ",
            ),
            Edit(
                PLACE,
                "        placed = await ports.venue.place(approved)\n",
                "        placed = Placed(await ports.venue.order(order.intent.account_id, order.client_order_id))\n",
            ),
        ),
        Hunt("market"),
    ),
    _bug(
        "trade_and_order_in_two_groups",
        "D1",
        "I9",
        (
            Edit(
                BOOK,
                "def book_trade(draft: Draft, report: TradeReport, now: datetime) -> Booking:",
                "def book_trade(draft: Draft, report: TradeReport, now: datetime, *, fill: bool = True) -> Booking:",
            ),
            Edit(
                BOOK,
                "        if order is not None:\n            _fill(",
                "        if order is not None and fill:\n            _fill(",
            ),
            Edit(
                PLACE,
                "            book_trade(draft, report, now)\n",
                "            book_trade(draft, report, now, fill=False)\n",
            ),
            Edit(
                PLACE,
                "    booked: Order = await ports.books.write(unit)\n    heard(",
                "    await ports.books.write(unit)\n\n"
                "    def fill(draft: Draft) -> Order:\n"
                "        from plimsoll.ledger.book_trade import _fill\n\n"
                "        for report in placed.trades:\n"
                "            _fill(draft, _as_booked(draft, order), report, report.quantity, now)\n"
                "        last = _as_booked(draft, order)\n"
                '        write_order_note(draft, last, "UPDATE", "venue", now)\n'
                "        return last\n\n"
                "    booked: Order = await ports.books.write(fill)\n    heard(",
            ),
        ),
        Hunt("market", CUT),
    ),
    _bug(
        "cursor_moved_before_its_trades",
        "B17",
        "I5",
        (
            Edit(
                HEAR,
                "        new += await _book_news(ports, ",
                "        await ports.books.write(partial(_move_cursor, ports.account_id, page.cursor))\n"
                "        new += await _book_news(ports, ",
            ),
        ),
        Hunt("market", CUT, "never_answers"),
    ),
    _bug(
        "new_client_id_on_retry",
        "A2",
        "I1",
        (
            Edit(
                PLACE,
                "        return await record(ports, order, OrderEvent.OUTCOME_LOST, str(lost))\n",
                "        from dataclasses import replace\n\n"
                '        key = f"{order.intent.key}:again"\n'
                "        by = order.intent\n"
                "        name = ids.client_order_id(ports.desk_code, by.account_id, by.user_id, key)\n"
                "        placed = await ports.venue.place(replace(approved, client_order_id=name))\n"
                "        return await _record_placed(ports, order, placed)\n",
            ),
        ),
        Hunt("market", FAIL),
    ),
    _bug(
        "timeout_taken_for_a_reject",
        "A3",
        "I7",
        (Edit(PLACE, "OrderEvent.OUTCOME_LOST, str(lost))", "OrderEvent.REJECTED, str(lost))"),),
        Hunt("cancel", (Kind.DONE, Kind.LATE)),
        Hunt("resting_part", (Kind.DONE, Kind.LATE)),
    ),
    _bug(
        "trades_not_deduplicated",
        "B1",
        "I3",
        (
            Edit(
                BOOK,
                "    if booked and (before",
                "    booked = ()\n    if booked and (before",
            ),
        ),
        Law(),
    ),
    _bug(
        "overlay_kept_after_a_failed_commit",
        "D3",
        "I9 I11 I12",
        (
            Edit(
                SCRIBE,
                '                failure = StoreFailed(f"the commit failed and was undone: {error}")\n',
                "                self.hot.publish(group.changes_to_keep())\n"
                '                failure = StoreFailed(f"the commit failed and was undone: {error}")\n',
            ),
        ),
        Hunt("market", FAIL),
    ),
    _bug(
        "pending_resent_at_start",
        "A1",
        "I1",
        (
            Edit(
                "desk/recover.py",
                "    until = ports.clock.monotonic()",
                "    from decimal import Decimal\n\n"
                "    from plimsoll.desk.resolve_unknown import unknown_orders\n"
                "    from plimsoll.ledger import keys\n"
                "    from plimsoll.risk.gate.verdict import Approved\n\n"
                "    for order in unknown_orders(ports):\n"
                "        instrument = ports.books.hot.get(keys.instrument(order.terms.instrument_id))\n"
                "        approved = Approved(\n"
                "            order.intent.account_id, order.client_order_id, instrument, order.intent, order.terms,\n"
                "            Decimal(1), order.reserved, order.reserved_asset, None, 1, order.value, order.closes, ()\n"
                "        )\n"
                "        await ports.venue.place(approved)\n"
                "    until = ports.clock.monotonic()",
            ),
        ),
        Hunt("market", CUT),
    ),
    _bug(
        "unknown_order_resent_when_asked_again",
        "A2",
        "I1",
        (
            Edit(
                PLACE,
                "        return _Admission(before, order, None, repeated=True)\n",
                "        again = _Admission(before, order, None, repeated=True)\n"
                "        doubtful = (OrderState.PENDING, OrderState.UNKNOWN)\n"
                "        if again.order is not None and again.order.state in doubtful:\n"
                "            verdict, _seen = _judge(draft, ports, intent, market, key_reused=False)\n"
                "            if isinstance(verdict, Approved):\n"
                "                return _Admission(before, again.order, verdict)\n"
                "        return again\n",
            ),
        ),
        Hunt("reduce", FAIL),
    ),
    _bug(
        "unclear_commit_taken_for_done",
        "D4",
        "I11",
        (Edit(SCRIBE, "            if self.hot.get(HEADS) != heads:\n", "            if heads is None:\n"),),
        Hunt("market", FAIL),
    ),
    _bug(
        "unclear_commit_taken_for_undone",
        "D4",
        "I7",
        (Edit(SCRIBE, "            if self.hot.get(HEADS) != heads:\n", "            if heads is not None:\n"),),
        Hunt("resting_part", FAIL),
    ),
    _bug(
        "commit_counter_stands_still",
        "D4",
        "I3 I11",
        (Edit(SCRIBE, "Heads(before.group + 1, before.event)", "Heads(before.group, before.event)"),),
        Hunt("market", FAIL),
    ),
    _bug(
        "reservation_kept_at_the_end",
        "C16",
        "I9 I12",
        (
            Edit(
                "model/order.py",
                "            reserved=money.ZERO if state.is_final else self.reserved,\n",
                "            reserved=self.reserved,\n",
            ),
        ),
        Hunt("cancel"),
    ),
    _bug(
        "reservation_released_by_the_first_fill",
        "C16",
        "I9 I12",
        (
            Edit(
                "model/order.py",
                "            money.ZERO if state.is_final else money.settle_share(",
                "            money.ZERO if state.is_final else 0 * money.settle_share(",
            ),
        ),
        Hunt("resting_part"),
    ),
    _bug(
        "close_ignores_the_one_under_way",
        "G4",
        "G4",
        (
            Edit(
                "ledger/orders.py",
                "    closing = remaining if takes else money.ZERO\n",
                "    closing = money.ZERO\n",
            ),
        ),
        Hunt("two_want_out"),
    ),
    _bug(
        "second_close_of_full_size",
        "G10",
        "G4 I14",
        (Edit("desk/close_position.py", "abs(position.quantity) - in_flight)", "abs(position.quantity))"),),
        Hunt("two_want_out"),
    ),
    _bug(
        "late_trade_not_refolded",
        "B2",
        "I9 I17",
        (
            Edit(
                BOOK,
                "    if follows(draft, before, trade.fold_key):\n",
                "    if before is not None:\n",
            ),
        ),
        Law(),
    ),
    _bug(
        "event_numbers_drawn_in_blocks",
        "B16",
        "I10",
        (
            Edit(
                "ledger/books.py",
                "Heads(int(heads[0][1] or 0), int(heads[0][2] or 0))",
                "Heads(int(heads[0][1] or 0), (int(heads[0][2] or 0) // 100 + 1) * 100)",
            ),
        ),
        Hunt("market"),
    ),
    _bug(
        "fills_before_the_answer_dropped",
        "B2",
        "I8",
        (
            Edit(
                HEAR,
                "    fills = [event for event in events if isinstance(event, TradeReport)]\n",
                "    fills = [\n"
                "        event\n"
                "        for event in events\n"
                "        if isinstance(event, TradeReport)\n"
                "        and not any(\n"
                "            order.client_order_id == event.client_order_id and order.broker_order_id is None\n"
                '            for order in ports.books.hot.shelf("order", ports.account_id)\n'
                "        )\n"
                "    ]\n",
            ),
            # The order's own word of its fills would have them fetched.
            Edit(HEAR, "    differs = told.filled_quantity != ours.filled_quantity\n", "    differs = False\n"),
        ),
        Hunt("market", venue="fills_by_stream"),
    ),
    _bug(
        "gate_looks_outside_the_unit",
        "I13",
        "I12",
        (
            Edit(
                PLACE,
                "        admission: _Admission = await ",
                "        judged = await ports.books.write(\n"
                "            lambda draft: _judge(draft, ports, intent, market, key_reused=False)\n"
                "        )\n"
                "        admission: _Admission = await ",
            ),
            Edit(
                PLACE,
                "lambda draft: _admit(draft, ports, intent, market),",
                "lambda draft: _admit(draft, ports, intent, market, judged),",
            ),
            Edit(
                PLACE,
                "def _admit(draft: Draft, ports: Ports, intent: Intent, market: MarketView) -> _Admission:",
                "def _admit(\n"
                "    draft: Draft, ports: Ports, intent: Intent, market: MarketView, judged: tuple[Verdict, Snapshot]\n"
                ") -> _Admission:",
            ),
            Edit(
                PLACE,
                "    verdict, snapshot = _judge(draft, ports, intent, market, key_reused=before is not None)\n",
                "    verdict, snapshot = judged\n",
            ),
        ),
        Hunt("race"),
    ),
    _bug(
        "answers_before_the_commit",
        "D1",
        "I11",
        (
            Edit(
                SCRIBE,
                "        return _Done(waiting.answer, value, None)\n",
                "        waiting.answer(value, None)\n        return _Done(waiting.answer, value, None)\n",
            ),
        ),
        Hunt("market", FAIL),
    ),
    _bug(
        "not_found_believed_at_once",
        "A1",
        "I7",
        (
            Edit(
                "desk/resolve_unknown.py",
                "if unknown_for <= ports.venue.facts.settle_window.total_seconds():",
                "if unknown_for < 0:",
            ),
        ),
        Hunt("cancel", (Kind.LATE,)),
        Hunt("resting_part", (Kind.LATE,)),
    ),
    _bug(
        "pending_trusted_at_start",
        "A1",
        "I6",
        (
            Edit(
                "desk/resolve_unknown.py",
                "    return order.state is OrderState.PENDING and wish not in ports.placing\n",
                "    return False\n",
            ),
        ),
        Hunt("market", CUT),
    ),
    _bug(
        "fills_in_an_answer_not_compared",
        "B4",
        "I8",
        (
            Edit(
                HEAR,
                "    if ours is None or not _lacks_fills(ours, told):\n",
                "    if ours is not None or told is not None:\n",
            ),
        ),
        Hunt("partial_then_cancel", (), "silent_stream"),
    ),
    _bug(
        "halt_kept_in_memory_only",
        "G5",
        "I9 G5",
        (Edit("ledger/accounts.py", '    draft.replace("halts", key, cells)\n', ""),),
        Hunt("guard", CUT),
    ),
    _bug(
        "dead_watch_stops_the_guard",
        "D10",
        "LIVE",
        (
            Edit(
                "desk/protect.py",
                "            ended, self._watch = self._watch, None\n            ended.result()\n",
                "            self._watch.result()\n",
            ),
            Edit(
                "desk/protect.py",
                "            except Exception as failure:  # noqa: BLE001  a dead guard protects nobody\n",
                "            except LookupError as failure:\n",
            ),
        ),
        Hunt("guard", FAIL),
    ),
)
