"""Bots as they are shown: how they stand, what they make of the market, what keeps them from trading."""

from typing import Any

from plimsoll.bots.host import BotSeen, Evaluation
from plimsoll.bots.host import BotSignal as Signal
from plimsoll.bots.signals import Advice, Temperature
from plimsoll.desk.place_order import OrderAnswer
from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.find import bot_id, find_bot
from plimsoll.edges.api.schemas import BotRow, BotSignal, EvaluationResult
from plimsoll.edges.api.schemas import Evaluation as EvaluationRow
from plimsoll.ledger import keys
from plimsoll.model.account import Portfolio


def bot_row(caller: Caller, seen: BotSeen) -> BotRow:
    """Show a bot."""
    record, signal = seen.record, seen.signal
    portfolio: Portfolio = caller.desk.books.hot.get(keys.portfolio(record.portfolio_id))
    return BotRow(
        id=bot_id(portfolio, record.id),
        name=record.name,
        strategy=record.strategy,
        product_id=signal.product_id,
        portfolio=portfolio.uid,
        params=dict(record.params),
        status=_status(record.status),
        detail=seen.detail,
        temperature=_value(signal.temperature),
        combined_score=signal.combined_score,
        recommended_action=_value(signal.recommended_action),
        last_evaluation=signal.last_evaluation,
        ready_to_trade=signal.ready_to_trade,
        blocking_reason=signal.blocking_reason,
        position_quantity=seen.position_quantity,
        result=_result(signal, seen.answer),
    )


def signal_row(caller: Caller, seen: BotSeen) -> BotSignal:
    """Show what a bot makes of the market."""
    signal = seen.signal
    portfolio: Portfolio = caller.desk.books.hot.get(keys.portfolio(seen.record.portfolio_id))
    return BotSignal(
        bot_id=bot_id(portfolio, signal.bot_id),
        product_id=signal.product_id,
        temperature=_value(signal.temperature),
        combined_score=signal.combined_score,
        recommended_action=_value(signal.recommended_action),
        last_evaluation=signal.last_evaluation,
        ready_to_trade=signal.ready_to_trade,
        blocking_reason=signal.blocking_reason,
    )


def bots(caller: Caller) -> list[BotSeen]:
    """Look at every bot of the caller's."""
    mine = dict.fromkeys(portfolio.account_id for portfolio in caller.estate.portfolios(caller.actor))
    return [seen for number in mine for seen in caller.desk.accounts[number].bots.bots_of(caller.actor)]


def bot(caller: Caller, said: str) -> BotRow:
    """Show one bot.

    Raises: Refused, CommandRefused
    """
    served, number = find_bot(caller, said)
    return bot_row(caller, served.bots.bot(number, caller.actor))


def evaluation(said: str, made: Evaluation) -> EvaluationRow:
    """Show what a bot came to."""
    return EvaluationRow(bot_id=said, result=_result(made.signal, made.answer))


def _result(signal: Signal, answer: OrderAnswer | None) -> EvaluationResult:
    order = None if answer is None else answer.order
    return EvaluationResult(
        temperature=_value(signal.temperature),
        trade_executed=order is not None,
        trade_id=None if order is None else order.uid,
    )


def _status(status: str) -> Any:
    # One of the contract's three: the book's constraint holds it to them.
    return status


def _value(member: Temperature | Advice | None) -> Any:
    # The contract's literals are these members' values.
    return None if member is None else member.value
