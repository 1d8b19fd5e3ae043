"""A desk moves house: from its folder to a server, back again, or to another folder, row by row and proven.

1. Beside. Everything goes into a *stage*: a folder, or schemas, that no desk opens. Its tables are those of this
   release with every constraint in force, so each row is judged by the very engine it will live on.
2. Again. Rows go over in the order of their keys, a few thousand in a transaction: what is there says how far it came.
   Killed anywhere, on either side, the next run goes on behind the last row.
3. Proven. Both sides are read from the first row to the last and compared cell by cell, as the text that is stored;
   then the book is verified where it lies, with every link of its chain. What `ledger.digest` hashes are these rows:
   equal rows, equal digest, and nobody has to hold a book in memory for it.
4. In place. Only then does the stage get its name, and the source's folder says where its desk has gone.

The source is read, and never written: not a row, not a page, not its log of writes. What was there stays there.

`mark`     what a stage is made of, and whether its source is still what it was
`fit`      whether a cell is one that either engine gives back as it got it
`transfer` read, judge, write; and read again, compare
`folder`   the stage in a folder        `server`  the stage in a database
`move`     the use case, and its rehearsal

What must not enter: which tables there are (they are the metadata's), and what a row means.
"""
