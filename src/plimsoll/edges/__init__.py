"""Edges: how the world outside meets a desk that runs. They present and pass on; they decide nothing.

`served` names what an edge works with · `listen` is the door to the network · `api/` REST and the stream · `web/` the
built dashboard, whose source is `web/` of the checkout. What must not enter: rules of trading, SQL, broker words.
"""
