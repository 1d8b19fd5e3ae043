"""Copies of a desk: made while it trades, tried at once, brought back, and proven by bringing them back.

DIR/20261121T152306.000000Z/   one copy: the books, the stamp of their chains, and the manifest that says what they are
DIR/proven.json                which copy a drill last brought back, and when
DIR/lock                       held by whoever makes or removes copies

`manifest`   what a copy says about itself, and the folder that copies lie in
`retention`  which copies are kept
`copy`       make one
`restore`    bring one back
`drill`      bring one back to a place nobody uses, and prove it
`keeper`     make one an hour beside a served desk
`postgres`   the copy of a desk whose books are on PostgreSQL

A copy has the name of a copy only when it is whole and was tried: it is made under another name and moved into place.
What must not enter a copy: the chain's key. Who holds a copy and the key can write a past that verifies; so the key is
kept apart, the copy names it by its fingerprint, and nothing comes back without it.
"""
