"""The book: what was ordered, traded and moved, exactly, once, by one writer.

`schema` the tables; facts are added once, caches must equal their fold · `books` how the scribe's memory is filled ·
`keys` names in that memory · `log` the one note of each unit, its link in the chain, its numbered events · a module per
noun (`orders`, `trades`, `positions`, `cash`, `accounts`, `bots`, `guarding`, `verdicts`): its row, its reader, its
writer · `book_trade` the unit that turns a venue's report into books · `queries` the writer's named questions ·
`reading` what people ask, each about his own · `views` what the desk's own shell asks · `verify`, `digest` proofs ·
`migrations` how the tables came about.

Flow: a use case in `desk/` builds a unit; the scribe runs it over a draft; the unit uses the writers here.
What must not enter: venues, HTTP, async, a decision about what to trade.
"""
