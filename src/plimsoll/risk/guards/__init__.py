"""Guards: what protects an account after the trade. Pure: a state, a reading, the hour → the next state and what to do.

`reading` what an account is worth and whether that number may be trusted · `sights` which quotes bear it out ·
`drawdown` the loss from the peak.
A guard that cannot trust its reading is *blind*: it opens nothing, liquidates nothing, and says so.
"""
