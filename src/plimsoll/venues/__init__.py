"""Venues: the only hands. One protocol, a folder per venue with the same file names, one contract suite for all.

`protocol` what every venue does · `paper/` the venue that needs no broker, with persistent books of its own. In each
folder `wire` speaks to the other side, `parse` turns its words into ours, `errors` classes its refusals, `venue` puts
them together. Only `wire` and `parse` know the broker's words.

Venues accept nothing but the gate's `Approved`. They know neither the ledger nor the gate's controls.
"""
