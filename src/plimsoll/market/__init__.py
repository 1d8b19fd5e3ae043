"""Prices: where they come from, how old they are, and what their source promises to know.

    feed          `PriceFeed`: what every source of prices of a served desk does
    live/         `LiveFeed`, `find_live`: an exchange's prices through ccxt
    synthetic_feed, replay_feed   `SyntheticFeed`, `ReplayFeed`: the seeded market and a recording, in real time
    candle_keeper `CandleKeeper`: candles made of quotes as they come, for charts and bots
    gather, pace  longer bars out of shorter ones; waiting for an hour of the clock
    board         `PriceBoard`: the last quote of each instrument, as long as it is fresh
    candles       `inspect`, `bars`, `read_quotes`: recorded files, checked whole before the first bar is used
    tables        `open_table`, `BadRecording`: CSV and Parquet as rows of text, and where in them something is wrong
    synthetic     `synthetic_bars`: a seeded market for offline use, labelled wherever it is shown
    instruments   `instrument_for`: the small built-in table, and what is said about an instrument that is not in it

A feed makes quotes, the board keeps them, everybody else asks the board with the time at hand. A price that is too old
is unknown; it is never zero and never the last one. A bar that was not recorded is a gap, counted and never made up.

What must not enter: orders, accounts, the book. A source says what it saw; what that is worth is decided elsewhere.
"""
