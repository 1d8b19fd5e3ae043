"""Decisions about risk, pure and over snapshots: nothing here reads, writes or waits.

`limits` what an account may do, as two small tables · `gate/` before the trade: one verdict over a list of controls ·
`guards/` after the trade: what the market did to the account, and what must happen then.

Fail closed: an input that is missing, stale or not a number is a no for whatever opens. Closing is sacred: what really
reduces risk is bound by identity, sanity and the venue's lot alone.
"""
