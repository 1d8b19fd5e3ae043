"""The front door: it reads words, calls `bootstrap`, prints what came of it, and decides nothing.

`main` the commands and exit codes · `words` options and output · `prepare` what may run · `replay`, `work`, `screen`,
`report` a replay from start to end · `door`, `commands`, `stop`, `at_rest` commands to a desk · `look` those that read.
"""
