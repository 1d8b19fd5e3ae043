"""The paper venue: a venue in its own right, with books of its own that survive a restart.

Because its books, its schema and its arithmetic share nothing with the desk's (law: no ledger, no `model.position`, no
`model.cash.lines_of` in here), comparing the two proves something. What both use is what both must agree on with any
venue: exact decimals, and the instrument's one rule for the value of a trade.

`rules` what it charges and how unkind it is · `slippage`, `matching`, `arithmetic` pure: at what price, which orders,
what it costs · `books` its schema and hot state, `paper.db` · `wire` the exchange behind the wire, as units on its own
scribe · `parse` its records in our words · `errors` its refusals · `venue` the protocol.

There is no wire to speak over, so `wire` holds what other venues have on the far side of theirs: commands come in, one
unit is one commit, and nothing is acknowledged before it.
"""
