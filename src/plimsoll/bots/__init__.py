"""Bots: closed bars become opinions, an opinion that lasts becomes a wish, and a wish becomes an intent for the gate.

`indicators` numbers of a feed · `signals` one score per bar · `confirmation` whether advice has stood long enough ·
`strategy` what a strategy is asked and may wish for · `hold`, `signal_strategy` the built-in ones · `params` their
parameters, read from text · `catalogue` every strategy by its name, those of other packages too · `runner` one bot:
one evaluation per bar, one intent at a time.

A bot decides what it would like and nothing else: the gate may say no, the ledger says what it holds, and a person may
stop it. What must not enter: venues, SQL, and anything that sends an order by another way than the one that the runner
is given.
"""
