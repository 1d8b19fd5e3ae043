#!/bin/sh
# Make .venv from the first Python of at least 3.11 that can: PYTHON if set, then python3, then the versioned names.
# Asks nothing. Says what to do when there is none, or when the system's Python was shipped without ensurepip.
set -u

old_enough='import sys; sys.exit(0 if sys.version_info >= (3, 11) else 1)'
found=''
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    "$candidate" -c "$old_enough" >/dev/null 2>&1 || continue
    found="$candidate"
    echo "making .venv with $candidate ($("$candidate" --version 2>&1))"
    rm -rf .venv
    if "$candidate" -m venv .venv && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        exit 0
    fi
    rm -rf .venv
done

if [ -z "$found" ]; then
    echo "Plimsoll needs Python 3.11 or newer; found: $(python3 --version 2>&1 || echo none)." >&2
    echo "Install one (Debian/Ubuntu: apt install python3 python3-venv; macOS: brew install python)," >&2
    echo "or name it: make up PYTHON=/path/to/python3" >&2
else
    echo "$found could not make a virtual environment; its own message is above." >&2
    echo "Debian and Ubuntu ship that part alone: apt install python3-venv, then run the same command again." >&2
fi
exit 1
