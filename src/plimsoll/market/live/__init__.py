"""Live prices of crypto exchanges, through ccxt.

`wire` speaks to one exchange · `parse` turns its words into ours · `errors` classes what goes wrong · `feed` keeps
prices coming · `find` asks which exchange can be reached · `aside` does in a thread what would hold up the desk. Only
`wire` and `parse` know ccxt's words, and ccxt itself is imported when a wire is opened, never before: it is an extra
that a desk without live prices does not need.
"""

from plimsoll.market.live.feed import LiveFeed
from plimsoll.market.live.find import find_live

__all__ = ["LiveFeed", "find_live"]
