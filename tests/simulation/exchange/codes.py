"""What the exchange says when it says no. The numbers are Binance's; an adapter may believe these and no others.

Definitive: nothing rests and nothing was filled. Everything that is not named here is ambiguous, and every 5xx is but
one (`OVERLOADED`, which Binance documents as "not carried out").
"""

#: What the caller did not fit.
INSUFFICIENT = -2010
UNKNOWN_ORDER = -2011
NO_SUCH_ORDER = -2013
REDUCE_ONLY = -2022
FILTER = -1013
DUPLICATE_CLIENT_ID = -4111
OUTSIDE_RECV_WINDOW = -1021
#: Who he is.
BAD_KEY = -2015
#: 503, and the only one that means "not carried out".
OVERLOADED = -1008
#: A question that nobody understands: an error of the asker, which proves nothing about an order.
NO_SUCH_PATH = -1100

#: With the status that each comes with. Under another status it comes from something that stands before the exchange.
DEFINITIVE = frozenset(
    {
        *((400, code) for code in (INSUFFICIENT, UNKNOWN_ORDER, NO_SUCH_ORDER, REDUCE_ONLY, FILTER)),
        *((400, code) for code in (DUPLICATE_CLIENT_ID, OUTSIDE_RECV_WINDOW)),
        (401, BAD_KEY),
        (503, OVERLOADED),
    }
)


class Refusal(Exception):
    """The exchange did not do what it was asked. The transport turns it into a status and `{"code", "msg"}`."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{status}/{code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def refused(code: int, message: str) -> Refusal:
    """Say no with a 400, the status of every business refusal."""
    return Refusal(400, code, message)
