"""`python -m plimsoll`: the same front door as the command `plimsoll`."""

from plimsoll.cli.main import run

if __name__ == "__main__":
    run()
