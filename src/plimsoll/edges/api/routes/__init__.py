"""One file per noun: read or command, then present. Each route says in its signature who may call it (`access`)."""

from plimsoll.edges.api.routes import (
    auth,
    bots,
    brokers,
    history,
    orders,
    portfolios,
    prices,
    reconciliation,
    reports,
    reports_tax,
    safety,
    system,
)

#: Paths are tried in this order: what must be fast stands first.
ROUTERS = (
    orders.router,
    safety.router,
    portfolios.router,
    history.router,
    prices.router,
    system.router,
    auth.router,
    bots.router,
    reconciliation.router,
    brokers.router,
    reports.router,
    reports_tax.router,
)
