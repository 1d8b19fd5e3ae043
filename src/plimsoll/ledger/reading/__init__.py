"""What the book tells the people whose it is. `reader.Reader` is the door: `Reader(engine).of(asker)`.

Rule 1. Every question carries who asks (`model.asker`), and what is his is decided in the statement itself, by the
        predicates of `owning`: never by ids that a caller hands in. Ids only narrow what may be seen anyway.
Rule 2. Another's row does not exist: one thing is answered with None, a list without it.
Rule 3. What concerns a whole account (its equity, guards, log) is seen only by who may touch every portfolio of it.
Rule 4. Nothing that was deleted is listed.
Rule 5. Memory is flat: a page is read, not a table; a curve and a year's profit are folded while they are read.

On PostgreSQL there is a second wall behind the predicates: row-level security (migration 0004). A session that reads
for people sees no row of anybody's until a question has named its asker, and then his only.

A file per noun: `orders` with their fills · `earnings` what was earned · `holdings` what there is · `curve` equity ·
`watching` guards, halts, comparisons, the log · `made` what people set up · `paging` how a long list is read.

What must not enter: the desk's own readers (`views`, `glance`, `digest`, `verify`, `follow`), which see everybody; and
the hot state, whose live orders and positions are faster asked for there.
"""
