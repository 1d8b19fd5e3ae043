"""The gate: the one place where an order is allowed or refused, before anything is written or sent.

    Snapshot + Intent ── propose ──► Proposal ── judge(CONTROLS) ──► Approved │ Refused, with every reason

`snapshot` what is known, where `None` means "not known" · `verdict` how the answers of all controls become one, and
`Approved`, the only thing a venue takes · `controls/` one small file per rule of the list, and the list · `parity` the
last look at the wire: what leaves is what was approved.

Everything here is pure: same snapshot, same limits, same verdict. Reserving and writing happen in the ledger's unit
that calls `judge`; nothing here waits, reads a clock, or knows a venue's words. There is no bypass flag: who needs
wider limits stores a policy with wider limits.
"""
