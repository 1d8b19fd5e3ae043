"""More mistakes in the product's own code: those that need a venue with a character, a net, people or hours to be seen.

They are hunted in the world of hours (`hours`), most of them by one kind of fault and one trait of the venue.
"""

from tests.simulation.exchange.personality import FeeIn, Ids
from tests.simulation.planted.bugs import BUGS, Bug, Edit
from tests.simulation.planted.hours import Hours

BOOK = "ledger/book_trade.py"
RESOLVE = "desk/resolve_unknown.py"
VENUE = "model/venue.py"


def _bug(name: str, catalogue: str, checks: str, edits: tuple[Edit, ...], *hunts: Hours) -> Bug:
    return Bug(name, catalogue, frozenset(checks.split()), edits, hunts)


HOUR_BUGS: tuple[Bug, ...] = (
    # A: sending ------------------------------------------------------------------------------------------------------
    _bug(
        "late_arrival_not_waited_for",
        "A5",
        "I7",
        (
            Edit(
                VENUE,
                "return self.late_arrival_bound + self.lookup_lag + self.history_lag + timedelta(seconds=1)",
                "return self.lookup_lag + self.history_lag + timedelta(seconds=1)",
            ),
        ),
        Hours({"request late": 0.2}, {"recv_window_seconds": None}, seeds=(2, 1, 3, 4)),
    ),
    _bug(
        "look_up_lag_not_waited_for",
        "A6",
        "I7",
        (
            Edit(
                VENUE,
                "return self.late_arrival_bound + self.lookup_lag + self.history_lag + timedelta(seconds=1)",
                "return self.late_arrival_bound + self.history_lag + timedelta(seconds=1)",
            ),
        ),
        Hours(
            {"request unanswered": 0.3, "event dropped": 0.3},
            {"recv_window_seconds": 1.0, "lookup_lag_seconds": 20.0},
            hours=0.5,
        ),
    ),
    _bug(
        "api_makes_a_key_of_its_own",
        "A7",
        "I1",
        (Edit("edges/api/commands.py", 'IntentKey(f"api:{key}")', 'IntentKey(f"api:{caller.api.ids.uuid7()}")'),),
        Hours(),
    ),
    # B: fills and order events ---------------------------------------------------------------------------------------
    _bug(
        "fill_of_an_ended_order_dropped",
        "B3",
        "I5 LAG",
        (
            Edit(
                BOOK,
                "    owner, order_id = _owner(draft, report, order, booked)\n",
                "    if order is not None and order.state.is_final and order.state is not OrderState.FILLED:\n"
                "        return Booking.REPEATED\n"
                "    owner, order_id = _owner(draft, report, order, booked)\n",
            ),
            Edit(
                BOOK, "from plimsoll.model.order import Order\n", "from plimsoll.model.order import Order, OrderState\n"
            ),
        ),
        Hours(
            {"event dropped": 0.5},
            {"partial_ratio": 0.95, "bare_answers": True, "history_lag_seconds": 20.0},
            seeds=(3, 4, 6, 7),
            hours=0.4,
        ),
    ),
    _bug(
        "trade_id_taken_for_unique",
        "B7",
        "I5 LAG",
        (
            Edit(
                "ledger/keys.py",
                '    return ("booked", told.account_id, told.instrument_id, told.broker_trade_id)\n',
                '    return ("booked", told.account_id, told.broker_trade_id)\n',
            ),
            Edit(
                "ledger/queries.py",
                '_by(trades, "account_id", "instrument_id", "broker_trade_id").where(_AND_EVERY_REVISION)',
                '_by(trades, "account_id", "broker_trade_id")',
            ),
            Edit(
                "ledger/trades.py",
                '    return "trade_revisions", (told.account_id, told.instrument_id, told.broker_trade_id)\n',
                '    return "trade_revisions", (told.account_id, told.broker_trade_id)\n',
            ),
        ),
        Hours({}, {"ids": Ids.SYMBOL}),
    ),
    _bug(
        "fee_booked_in_the_quote_asset",
        "B8",
        "I5",
        (
            Edit(
                "model/cash.py",
                "    moved.append((report.fee_currency, CashKind.FEE, -report.fee))\n",
                "    moved.append((instrument.cash_asset, CashKind.FEE, -report.fee))\n",
            ),
        ),
        Hours({}, {"fee_in": FeeIn.THIRD}, seeds=(2, 1, 3, 4)),
    ),
    _bug(
        "flip_loses_what_it_opens",
        "B9",
        "I5",
        (
            Edit(
                "model/position.py",
                "        cost_after = closing_cash - cash\n",
                "        cost_after, quantity = money.ZERO, money.ZERO\n",
            ),
        ),
        Hours(seeds=(3, 4, 6, 7), hours=0.4),
    ),
    _bug(
        "bust_not_heard",
        "B10",
        "I3",
        (
            Edit(
                BOOK,
                "    instrument: Instrument | None = draft.get(keys.instrument(report.instrument_id))\n",
                "    if report.effect is TradeEffect.BUST:\n"
                "        return Booking.REPEATED\n"
                "    instrument: Instrument | None = draft.get(keys.instrument(report.instrument_id))\n",
            ),
            Edit(BOOK, "Trade, TradeReport, effective_trade\n", "Trade, TradeEffect, TradeReport, effective_trade\n"),
        ),
        Hours({"minute bust": 0.5}),
    ),
    _bug(
        "deleveraging_stops_nothing",
        "B11",
        "G5",
        (
            Edit(
                "desk/closed_by_venue.py",
                "        if report.made_by is not None:\n",
                "        if report.made_by is MadeBy.LIQUIDATION:\n",
            ),
        ),
        Hours({"minute adl": 0.5}),
    ),
    _bug(
        "fill_by_hand_dropped",
        "B12",
        "I5 LAG",
        (
            Edit(
                BOOK,
                "    owner, order_id = _owner(draft, report, order, booked)\n",
                "    if order is None and report.made_by is None and report.effect is None:\n"
                "        return Booking.REPEATED  # nothing of ours\n"
                "    owner, order_id = _owner(draft, report, order, booked)\n",
            ),
        ),
        Hours({"minute by-hand": 0.5}),
    ),
    _bug(
        "lost_news_waited_for_instead_of_fetched",
        "B15",
        "LAG",
        (
            Edit(
                "desk/book_trades.py",
                '            ports.doubt(f"the stream lost something: {why}")\n',
                '            log.info("stream_gap", why=why)\n',
            ),
            Edit("desk/attend.py", "COMPARE_SECONDS = 10.0\n", "COMPARE_SECONDS = 100.0\n"),
        ),
        Hours({"event dropped": 0.3, "minute by-hand": 0.5}, seeds=(2, 1, 3, 4), hours=0.3),
    ),
    _bug(
        "older_word_of_an_order_believed",
        "B18",
        "I7",
        (
            Edit(
                "model/order.py",
                "        (closed, event): _S.FILLED if event is _E.WHOLLY_FILLED else closed\n"
                "        for closed in (_S.CANCELED, _S.REJECTED, _S.EXPIRED)\n"
                "        for event in _E\n"
                "    },\n",
                "        (closed, event): _S.FILLED if event is _E.WHOLLY_FILLED else closed\n"
                "        for closed in (_S.CANCELED, _S.REJECTED, _S.EXPIRED)\n"
                "        for event in _E\n"
                "        if event is not _E.ACKNOWLEDGED\n"
                "    },\n"
                "    **{(closed, _E.ACKNOWLEDGED): _S.NEW for closed in (_S.CANCELED, _S.REJECTED, _S.EXPIRED)},\n",
            ),
        ),
        Hours({"event overtaken": 0.3}, hours=0.3),
    ),
    # C: money --------------------------------------------------------------------------------------------------------
    _bug(
        "movements_swept_at_the_start_alone",
        "C5",
        "I5",
        (
            Edit(
                "desk/reconcile_account.py",
                "        await sweep_movements(ports)\n",
                "        if not ports.sync_told:\n            await sweep_movements(ports)\n",
            ),
        ),
        Hours({"event dropped": 0.3}, {"funding_seconds": 60.0}, seeds=(3, 1, 2, 4)),
    ),
    _bug(
        "withdrawal_sells_no_units",
        "C9",
        "G2",
        (
            Edit(
                "desk/book_flow.py",
                "        return replace(nav, units=max(left, money.ZERO), last=value)\n",
                "        return replace(nav, units=max(left, nav.units), last=value)\n",
            ),
        ),
        Hours({"minute withdrawal": 0.9}, hours=0.4),
    ),
    _bug(
        "difference_told_before_the_history_has_it",
        "C13",
        "I8",
        (
            Edit(
                "desk/weigh_differences.py",
                " if item.key not in suspicions or not lag or item.key in confirmed or item.key in known\n",
                "\n",
            ),
        ),
        Hours({}, {"history_lag_seconds": 20.0}),
    ),
    # D: process ------------------------------------------------------------------------------------------------------
    _bug(
        "folder_not_locked",
        "D7",
        "I19",
        (
            Edit(
                "bootstrap/__init__.py",
                "        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
                "        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)\n",
            ),
        ),
        Hours({"minute second": 0.3}),
    ),
    _bug(
        "old_verdict_sent_on_after_a_sleep",
        "D8",
        "I13",
        (Edit("desk/place_order.py", "VERDICT_FRESH_SECONDS = 1.0\n", "VERDICT_FRESH_SECONDS = 3_600.0\n"),),
        Hours({"commit freeze": 0.05}, seeds=(2, 1, 3, 4)),
    ),
    _bug(
        "lost_order_that_ended_not_taken_back",
        "D12",
        "I2",
        (
            Edit(
                "desk/resync.py",
                "    return [*ended, *(waiting[name] for name in still)]\n",
                "    return [waiting[name] for name in still if ended is not None]\n",
            ),
        ),
        Hours({"minute restore": 0.3}, hours=0.3),
    ),
    _bug(
        "window_measured_by_the_hour",
        "D14",
        "I7",
        (
            Edit(
                RESOLVE,
                "    now, unknown = ports.clock.monotonic(), ",
                "    now, unknown = ports.clock.now().timestamp(), ",
            ),
            Edit(
                RESOLVE,
                "    unknown_for = ports.clock.monotonic() - ",
                "    unknown_for = ports.clock.now().timestamp() - ",
            ),
            Edit(
                "desk/place_order.py",
                "        ports.unknown_since[order.client_order_id] = ports.clock.monotonic()\n",
                "        ports.unknown_since[order.client_order_id] = ports.clock.now().timestamp()\n",
            ),
        ),
        Hours(
            {"request unanswered": 0.4, "event dropped": 0.4, "minute step": (0.9, 8.0, 10.0)},
            {"recv_window_seconds": 1.0, "lookup_lag_seconds": 90.0},
            seeds=(3, 4, 6, 7, 8, 9),
            hours=0.5,
        ),
    ),
    # E, G: prices and guards -----------------------------------------------------------------------------------------
    _bug(
        "stale_price_believed",
        "E1",
        "I13",
        (
            Edit(
                "risk/limits.py",
                "    max_price_age=timedelta(seconds=5),\n",
                "    max_price_age=timedelta(minutes=5),\n",
            ),
        ),
        Hours({"quote frozen-price": 0.02}, seeds=(2, 1, 3, 4)),
    ),
    _bug(
        "one_bad_tick_believed",
        "G1",
        "G2",
        (
            Edit(
                "risk/guards/reading.py",
                "        return self.now if self.confirmed else self.most\n",
                "        return self.now\n",
            ),
            Edit(
                "risk/guards/drawdown.py",
                "    return reading.confirmed or reading.at - suspicion.at >= CONFIRM_AFTER\n",
                "    return reading.confirmed or reading.at >= suspicion.at\n",
            ),
            # The venue's own figure would contradict it.
            Edit(
                "risk/guards/reading.py",
                "    return abs(ours - theirs) <= abs(theirs) * VENUE_TOLERANCE_RATIO\n",
                "    return theirs >= 0\n",
            ),
        ),
        Hours({"quote bad-tick": 0.01}, seeds=(2, 1, 3, 4), hours=0.5),
    ),
    _bug(
        "close_bound_by_the_age_of_a_price",
        "I14",
        "I14",
        (
            Edit(
                "risk/gate/controls/c15_price_age.py",
                'Control(15, "price age", judge)',
                'Control(15, "price age", judge, binds_close=True)',
            ),
        ),
        Hours({"quote frozen-price": 0.02}, hours=0.3),
    ),
    # F: people -------------------------------------------------------------------------------------------------------
    _bug(
        "order_found_whosever_it_is",
        "F1",
        "OWNER",
        (
            Edit(
                "edges/api/find.py",
                "    for account_id in dict.fromkeys(portfolio.account_id for portfolio in mine):\n",
                "    for account_id in caller.desk.accounts:\n",
            ),
            Edit(
                "edges/api/find.py",
                "            if order.uid == uid and order.intent.portfolio_id in owned:\n",
                "            if order.uid == uid and (owned or mine):\n",
            ),
            Edit(
                "ledger/reading/orders.py",
                "where(rows.uid == uid, self._in_own_portfolio(rows.portfolio_id))",
                "where(rows.uid == uid)",
            ),
        ),
        Hours(seeds=(4, 3, 6, 7), hours=0.3),
    ),
)
#: What `make mutants` plants.
EVERY: tuple[Bug, ...] = (*BUGS, *HOUR_BUGS)
