"""The book against the venue: what differs, by name, and what to do about it. Pure: nothing here asks, writes or waits.

`compare` two views of one account at one moment → `differences`, each a small named fact → `decide` what follows:
sweep for trades, look an order up, adopt an order, open a break for a person.

Flow: the runner (`desk/reconcile_account`) asks the venue everything, builds both views in one step, compares, decides
and acts. It sweeps first, compares again, and tells `decide` so (`swept`).
The venue is the truth for *now*, its fills are the truth for *why*. Nothing is scaled, netted away or set equal: a
difference is explained by facts, or it stays open where a person sees it.
What must not enter: the ledger's tables, a venue's client, a clock, a tolerance.
"""
