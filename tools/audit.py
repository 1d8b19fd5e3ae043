"""Ask the public advisory service whether a locked package is known to be vulnerable.

A finding fails. A service that cannot be reached, or that knows none of our packages (a mirror without the advisory
part), is said loudly and does not fail: a machine without network must still be able to check its change, and the next
run elsewhere will ask again. Whatever else goes wrong fails, a single package the service does not know too.
"""

import json
import subprocess
import sys
from typing import TypedDict

LOCK = "requirements-dev.lock"
PATIENCE_SECS = 120
NO_ANSWER = (
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Max retries exceeded",
    "Could not connect",
    "timed out",
    "Temporary failure in name resolution",
    "ProxyError",
    "SSLError",
    "ServiceError",
    "HTTPError",
)


class Advisory(TypedDict):
    id: str
    fix_versions: list[str]


class Package(TypedDict, total=False):
    name: str
    version: str
    vulns: list[Advisory]
    skip_reason: str


def ask() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    command += ["--timeout=10", "--format=json", "--requirement", LOCK]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECS, check=False, stdin=subprocess.DEVNULL
    )


def skipped(why: str) -> int:
    print(f"!!! audit skipped: no network. {why}", file=sys.stderr)
    return 0


def main() -> int:
    try:
        answer = ask()
    except subprocess.TimeoutExpired:
        return skipped(f"No answer in {PATIENCE_SECS} s.")
    try:
        packages: list[Package] = json.loads(answer.stdout)["dependencies"]
    except json.JSONDecodeError:
        last = (answer.stderr.strip().splitlines() or ["no output"])[-1]
        if any(sign in answer.stderr for sign in NO_ANSWER):
            return skipped(last[:200])
        print(answer.stderr, file=sys.stderr)
        return 1
    unknown = [f"{package['name']}: {package['skip_reason']}" for package in packages if "skip_reason" in package]
    if packages and len(unknown) == len(packages):
        return skipped("The service that answers here knows none of our packages.")
    found = [
        f"{package['name']} {package['version']}: {advisory['id']}, fix: {' '.join(advisory['fix_versions']) or '?'}"
        for package in packages
        for advisory in package.get("vulns", [])
    ]
    print("\n".join([*found, *unknown, f"audit: {len(packages)} packages, {len(found)} findings"]))
    return 1 if found or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
