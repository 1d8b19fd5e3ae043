"""Imported books, made ready beside the desk: what statements told becomes the rows of an account.

    statements --add--> Spool --settle--> each thing once --build--> staging tables in the same file --> the one writer

A making is a file of its own, which the desk's writer takes in piece by piece when it is finished. Everything told is
sorted by when it happened before anything is folded: in which order it was read, and how often, changes nothing.

Rule 1. What the rows mean is said elsewhere: notional, positions, cash lines and links are made by the functions that
        the desk's own units use, or (for fills, of which there are millions) with the same arithmetic: `verify` and the
        property tests hold both to one result.
Rule 2. All of a making is made or nothing: a file on which anything was in doubt is thrown away and made anew.

What must not enter: the formats of statements (`imports`), and the book itself: nothing here writes to it.
"""
