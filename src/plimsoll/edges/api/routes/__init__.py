"""One file per noun: read or command, then present. Each route says in its signature who may call it (`access`)."""

from plimsoll.edges.api.routes import auth, bots, orders, portfolios, prices, safety, system

#: Paths are tried in this order: what must be fast stands first.
ROUTERS = (
    orders.router,
    safety.router,
    portfolios.router,
    prices.router,
    system.router,
    auth.router,
    bots.router,
)
