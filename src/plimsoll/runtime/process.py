"""What a process of ours sets once at its start, before anything else runs."""

import gc

from plimsoll.model.money import install_exact_arithmetic

#: Allocations between two looks at the youngest objects, and how seldom the older ones are looked at.
_COLLECT_EVERY = (50_000, 20, 100)


def begin_process() -> None:
    """Make arithmetic exact, and keep the collector of reference cycles out of the order path's way.

    Our values are frozen and hold no cycles, but there are many of them: with Python's own thresholds the collector
    walks through every live order some dozen times a second and takes a sixth of the order path (`make bench`).
    """
    install_exact_arithmetic()
    gc.set_threshold(*_COLLECT_EVERY)
