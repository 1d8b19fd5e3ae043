"""Positions in the book: a cache of the fold of their trades."""

import json
from decimal import Decimal
from functools import partial

from plimsoll.ledger import keys
from plimsoll.ledger.log import json_text
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.ids import AccountId, BrokerTradeId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position
from plimsoll.store.draft import Draft, Row


def to_row(position: Position) -> Row:
    """Write a position as its row, columns in the table's order."""
    folded = position.folded_to
    return (
        position.account_id,
        position.portfolio_id,
        position.instrument_id,
        position.strategy_id or 0,
        position.leg,
        decimal_text(position.quantity),
        decimal_text(position.cost),
        decimal_text(position.realized_pnl),
        json_text({asset: decimal_text(amount) for asset, amount in position.fees}),
        decimal_text(position.fee_cost),
        None if position.opened_at is None else time_text(position.opened_at),
        None if folded is None else time_text(folded[0]),
        None if folded is None else folded[1],
        None if folded is None else folded[2],
        None if folded is None else folded[3],
        json_text([[kind, asset, decimal_text(amount)] for kind, asset, amount in position.flows]),
        decimal_text(position.uncosted),
        decimal_text(position.uncosted_proceeds),
    )


def from_row(row: Row) -> Position:
    """Read a position back."""
    (account, portfolio, instrument, strategy, leg, quantity, cost, realized, fees, fee_cost) = row[:10]
    opened, folded_time, folded_sequence, folded_id, folded_revision = row[10:15]
    flows, uncosted, uncosted_proceeds = row[15:]
    return Position(
        AccountId(int(account or 0)),
        PortfolioId(int(portfolio or 0)),
        InstrumentId(int(instrument or 0)),
        strategy_id=StrategyId(int(strategy)) if strategy else None,
        leg=str(leg),
        quantity=Decimal(str(quantity)),
        cost=Decimal(str(cost)),
        realized_pnl=Decimal(str(realized)),
        fees=tuple((asset, Decimal(amount)) for asset, amount in json.loads(str(fees)).items()),
        fee_cost=Decimal(str(fee_cost)),
        opened_at=None if opened is None else parse_time(str(opened)),
        folded_to=None
        if folded_time is None
        else (
            parse_time(str(folded_time)),
            int(folded_sequence or 0),
            BrokerTradeId(str(folded_id)),
            int(folded_revision or 0),
        ),
        flows=tuple((str(kind), str(asset), Decimal(amount)) for kind, asset, amount in json.loads(str(flows))),
        uncosted=Decimal(str(uncosted)),
        uncosted_proceeds=Decimal(str(uncosted_proceeds)),
    )


def of_account(draft: Draft, account_id: AccountId) -> list[Position]:
    """List the account's positions, flat ones included."""
    return draft.shelf(keys.POSITION, account_id)


def write(draft: Draft, position: Position) -> None:
    """Write a position as it stands now."""
    key = keys.position(position.account_id, position.key)
    draft.put(key, position)
    draft.replace("positions", key, partial(to_row, position))
