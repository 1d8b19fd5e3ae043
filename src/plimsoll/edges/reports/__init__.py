"""Reports: what the book tells of a stretch of time, as tables for a person, a spreadsheet, a printer or a machine.

`table` writes any table as text, CSV or HTML; each report beside it asks the book, as somebody, and fills tables and
the answer for machines from the same figures. The command line and the REST interface are two doors to the same
functions.

What must not enter: an HTTP word, an option of a command, and arithmetic that the book or `risk` already has.
"""
