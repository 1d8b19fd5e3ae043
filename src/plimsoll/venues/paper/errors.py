"""How the paper venue says no: stable codes, and which class each travels in.

Every refusal here is final and documented, so none of them is an unknown outcome: the exchange runs in our process, and
what it has not committed did not happen. A failed commit is the store's `StoreFailed`; it travels as what it is.
"""

from enum import StrEnum

from plimsoll.model.errors import GiveUp
from plimsoll.venues.protocol import OrderRejected


class Code(StrEnum):
    """Why an order or a request was refused."""

    UNKNOWN_ACCOUNT = "unknown_account"
    #: The account was opened before, in another currency.
    ACCOUNT_EXISTS = "account_exists"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    #: The instrument is not traded at present.
    NOT_TRADABLE = "not_tradable"
    #: The venue does not know this kind of order.
    UNSUPPORTED_TYPE = "unsupported_type"
    #: Not a multiple of the lot, or below the venue's least quantity or value.
    INVALID_QUANTITY = "invalid_quantity"
    #: Not a multiple of the tick.
    INVALID_PRICE = "invalid_price"
    #: A price that the decision needs was never seen.
    NO_PRICE = "no_price"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    #: A reduce-only order that would open or add.
    REDUCE_ONLY = "reduce_only"
    #: A post-only order that would have taken.
    POST_ONLY = "post_only"
    #: An IOC or FOK order that could not be filled (wholly).
    NOT_FILLED = "not_filled"
    #: This client order id was used before, with other terms.
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    #: This reference was used before, for another amount.
    DUPLICATE_REFERENCE = "duplicate_reference"
    #: Drawn by the rules' chance, to exercise the callers.
    REJECTED_BY_CHANCE = "rejected_by_chance"
    #: Leverage cannot change under an open position or order.
    POSITION_OPEN = "position_open"
    INVALID_LEVERAGE = "invalid_leverage"
    #: A deposit or withdrawal of nothing, of less than nothing, or with more digits than money has.
    INVALID_AMOUNT = "invalid_amount"


class PaperRefused(GiveUp):
    """The paper venue refused a request that is no order; nothing was changed."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


def reason_text(code: Code, sentence: str) -> str:
    """Write a refusal as the books keep it."""
    return f"{code}: {sentence}"


def rejection(reason: str) -> OrderRejected:
    """Make the exception from what the books kept, so that a repeat of the request hears the same words."""
    code, _colon, sentence = reason.partition(": ")
    return OrderRejected(code, sentence)
