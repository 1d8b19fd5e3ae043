"""The vocabulary: every noun that the rest of Plimsoll speaks about, frozen and legal on construction.

`money` exact numbers · `clock`, `ids` time and identity as parameters · `instrument` what is traded and what a size is
worth · `order` the life of an order, one table · `trade` the permanent fact · `position`, `cash` what facts fold into ·
`quote` prices and what their source promises · `account` whose it is and what may still be sent · `venue` what a broker
answers · `event` what is told to those who follow · `errors` the four families.

Everything may import this room; it imports nothing of ours. No I/O, no SQL, no async, no settings, no clock of its own.
"""
