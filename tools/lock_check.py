"""Check that the lock files still say what pyproject.toml asks for.

Every dependency is pinned to a version its range accepts, every pin has hashes, both files agree, and no address of a
package index has slipped in. The remedy for all of them is `make lock`.
"""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
Pins = dict[str, str]


def read_lock(path: Path) -> tuple[Pins, list[str]]:
    """Read the pins of one lock file and what is wrong with its form."""
    pins: Pins = {}
    wrong: list[str] = []
    text = path.read_text(encoding="utf-8")
    if "//" in text or re.search(r"^\s*-(?!-hash)", text, re.MULTILINE):
        wrong.append(f"{path.name}: holds an address or an option")
    for block in re.split(r"\n(?=\S)", text):
        pin = PIN.match(block)
        if pin is None:
            wrong.append(f"{path.name}: not a pin: {block.splitlines()[0] if block else 'empty file'}")
        elif "--hash=sha256:" not in block:
            wrong.append(f"{path.name}: {pin['name']} has no hash")
        else:
            pins[canonicalize_name(pin["name"])] = pin["version"]
    return pins, wrong


def unmet(wanted: list[str], pins: Pins, where: str) -> list[str]:
    problems = []
    for requirement in map(Requirement, wanted):
        version = pins.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            problems.append(f"{where}: {requirement} is {f'pinned to {version}' if version else 'not pinned'}")
    return problems


def check(root: Path) -> list[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    extras = [need for needs in project["project"]["optional-dependencies"].values() for need in needs]
    groups = project["dependency-groups"]
    run = project["project"]["dependencies"] + extras + groups["build"]
    dev = [need for need in groups["dev"] if isinstance(need, str)]
    run_pins, problems = read_lock(root / "requirements.lock")
    dev_pins, dev_problems = read_lock(root / "requirements-dev.lock")
    page_pins, page_problems = read_lock(root / "requirements-page.lock")
    problems += dev_problems + page_problems
    problems += unmet(groups["page"], page_pins, "requirements-page.lock")
    problems += unmet(run, run_pins, "requirements.lock")
    problems += unmet(run + dev, dev_pins, "requirements-dev.lock")
    problems += [
        f"{name}: {version} to run, {dev_pins.get(name)} to develop"
        for name, version in run_pins.items()
        if dev_pins.get(name) != version
    ]
    return problems


def main(root: Path) -> int:
    problems = check(root)
    print("\n".join([*problems, "run `make lock`"] if problems else ["lock files: agree with pyproject.toml"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path()))
