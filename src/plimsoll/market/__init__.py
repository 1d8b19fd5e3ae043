"""Prices: where they come from, how old they are, and what their source promises to know.

    board         `PriceBoard`: the last quote of each instrument, as long as it is fresh
    candles       `inspect`, `bars`, `read_quotes`: recorded files, checked whole before the first bar is used
    tables        `open_table`, `BadRecording`: CSV and Parquet as rows of text, and where in them something is wrong
    synthetic     `synthetic_bars`: a seeded market for offline use, labelled wherever it is shown
    instruments   `instrument_for`: the small built-in table, and what is said about an instrument that is not in it

A feed makes quotes, the board keeps them, everybody else asks the board with the time at hand. A price that is too old
is unknown; it is never zero and never the last one. A bar that was not recorded is a gap, counted and never made up.

What must not enter: orders, accounts, the book. A source says what it saw; what that is worth is decided elsewhere.
"""
