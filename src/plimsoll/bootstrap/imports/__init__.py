"""Bringing a book along: from a file through its reader, the builder and the one writer into a portfolio of its own."""
