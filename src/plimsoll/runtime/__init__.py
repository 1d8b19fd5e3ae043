"""The machinery the desk runs on, and no business: the loop that makes time jump, and the log that keeps secrets.

    virtual_loop   `VirtualLoop`, `VirtualClock`, `run_virtual`: asyncio on virtual time, for `replay` and simulation
    logging        `logger`, `configure_logging`: structured lines, masked on their way out

In production the desk runs on asyncio's own loop and `model.clock.SystemClock`; in replay and simulation the same desk
runs on `VirtualLoop` and `VirtualClock`, and cannot tell. A day of market takes the time its work takes, the same seed
gives the same day, and one worker can be killed, frozen or lied to about the hour while the others run on.

What must not enter: orders, money, SQL, settings, anything that decides. A room above hands in what it wants run.
"""
