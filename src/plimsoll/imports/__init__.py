"""Readers of other people's books: statements of brokers and databases of other bots, told in our words (`model.told`).

What must not enter: our own book, and how what was told becomes part of it.
"""
