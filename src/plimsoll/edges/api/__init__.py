"""REST under `/api/v1` and the numbered stream beside it, as one FastAPI application over a served desk.

`schemas` the contract: what travels, decimals as strings · `app` puts the application together · `door` what every
request passes · `access` who is asking, and what for · `routes/` a file per noun · `estate`, `find` whose it is ·
`commands` what the desk is asked to do · `present/` what it knows, in the contract's words · `problems` every error as
RFC 9457 · `stream` what happens, as it happens · `openapi`, `document` the description of it all.
"""
