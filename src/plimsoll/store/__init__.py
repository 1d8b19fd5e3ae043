"""How anything of ours is written down, whatever it is.

`scribe` the one writer: runs units in order over an overlay of the hot state, writes their rows as one transaction,
publishes after the commit · `draft` what a unit sees and changes · `hot` the published state · `columns` exact column
types · `statements` SQL compiled once from SQLAlchemy Core · `place` where books lie · `sqlite`, `postgres` the
connections · `lease` who owns books that several processes can reach · `chain` the links that make tampering visible ·
`drivers` who turns the crank: a thread in production, the event loop in replay and simulation.

What must not enter: what is written. Orders, trades and cash live in `ledger/`; the paper venue keeps books of its own.
"""
