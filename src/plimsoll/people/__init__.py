"""People: who somebody is, how he proves it, and what he may do.

A *user* proves himself once (a one-time link, a password) and then carries a token: a session in his browser, or an API
key. Every token is an opaque secret of 256 bits of which only the hash is stored; a token gives an `Actor`, and the
actor goes into every question and every command. What is not his does not exist for him.

Decided from values: `sessions` (how long, which rights), `api_keys`, `passwords`, `throttle`. Written: `units`. Run:
`people`, with `hashing` beside the event loop.

Key types: `Actor` (actor), `People` (people). Rows: `ledger/people`. What must not enter: HTTP, trading logic.
"""
