"""Use cases, a file each: load → decide → write → act.

`ports` what they work with · `snapshot` the account as the gate sees it · `place_order`, `cancel_order` the only way to
a venue's order methods · `preview_order` what the gate would say · `book_trades` what the venue tells, into the books ·
`repairs` what had to be found out, counted · `resolve_unknown` orders of unknown fate · `close_position`, `flatten`
out, through the same gate · `halt` who may still send · `value_account` a trusted number, or blind · `account_figures`
how the account stands, for people · `protect` the guards' hands · `reconcile_account` the book against the venue ·
`weigh_differences` which of them are believed · `supervise` one round of clearing up what is in doubt · `pulse` whether
this process slept · `recover` the start of every process · `open_account` the first rows.

A decision is a pure function elsewhere (`risk/`, `reconcile/`); a unit here reads and writes the draft and waits for
nothing; the async functions around it contain no arithmetic. No SQL, no HTTP, no broker's words.
"""
