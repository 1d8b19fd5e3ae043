"""The small checks of `make check` and `make test` find what they are there to find."""

from pathlib import Path

import pytest

from tools import coverage_gate, lock_check, set_iteration, sim_markers

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "source",
    [
        "for x in {1, 2}: f(x)",
        "for x in set(names): f(x)",
        "y = [x for x in frozenset(names)]",
        "y = list({x for x in names} | others)",
        "y = ', '.join(set(names).union(others))",
        "y = (*set(names),)",
    ],
)
def test_a_walk_over_a_set_is_found_and_its_escape_works(source: str) -> None:
    assert set_iteration.findings(source) == [1]
    assert set_iteration.findings(f"{source}  # sim-ok: the sum is the same in every order") == []


@pytest.mark.parametrize("source", ["for x in sorted(set(names)): f(x)", "ok = name in {1, 2}", "n = len(set(names))"])
def test_an_order_free_use_of_a_set_is_left_alone(source: str) -> None:
    assert set_iteration.findings(source) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("import socket  # noqa: TID251  sim-ok: the shell talks to the desk through it", None),
        ("import socket  # noqa: TID251", "without `sim-ok: reason`"),
        ("import socket  # noqa: TID251  sim-ok:", "without a reason"),
        ("import socket  # noqa", "bare noqa"),
        ("x = f(a)  # noqa: S608  the name is a constant of ours", None),
    ],
)
def test_an_exception_to_the_banned_list_needs_a_reason(line: str, problem: str | None) -> None:
    said = sim_markers.complaint(line)
    assert said is None if problem is None else problem in (said or "")


def test_too_many_exceptions_and_a_sleeping_test_fail(tmp_path: Path) -> None:
    product, tests = tmp_path / "src", tmp_path / "tests"
    product.mkdir()
    tests.mkdir()
    line = "import socket  # noqa: TID251  sim-ok: a reason of some length\n"
    (product / "a.py").write_text(line * sim_markers.LIMIT)
    assert sim_markers.main(product, tests) == 0
    (product / "b.py").write_text(line)
    assert sim_markers.main(product, tests) == 1
    (product / "b.py").unlink()
    (tests / "test_a.py").write_text("time.sleep" + "(1)\n")
    assert sim_markers.main(product, tests) == 1


def report(covered_branches: int) -> coverage_gate.FileReport:
    summary = coverage_gate.Summary(
        num_statements=18, covered_lines=18, num_branches=2, covered_branches=covered_branches
    )
    return coverage_gate.FileReport(
        summary=summary, missing_lines=[], missing_branches=[] if covered_branches == 2 else [[4, -1]]
    )


def test_one_missing_branch_fails_a_money_room_and_not_the_whole() -> None:
    files = {f"src/plimsoll/{room}/a.py": report(2) for room in ("model", "risk", "ledger", "desk")}
    assert coverage_gate.judge(files)[1]
    files["src/plimsoll/desk/a.py"] = report(1)
    assert coverage_gate.judge(files)[1]
    files["src/plimsoll/risk/a.py"] = report(1)
    said, good = coverage_gate.judge(files)
    assert not good
    assert "    src/plimsoll/risk/a.py: 4->exit" in said


def test_a_room_that_was_not_measured_fails() -> None:
    said, good = coverage_gate.judge({"src/plimsoll/model/a.py": report(2), "src/plimsoll/risk/a.py": report(2)})
    assert not good
    assert "    nothing measured under src/plimsoll/ledger/" in said


def test_the_lock_files_of_this_checkout_agree_with_the_project() -> None:
    assert lock_check.check(ROOT) == []


def test_a_lock_file_with_an_address_a_bare_pin_or_an_old_version_is_found(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text("--index-url https://host/simple\nrich==13.0 \\\n    --hash=sha256:00\ntyper==1.0\n")
    pins, problems = lock_check.read_lock(lock)
    assert pins == {"rich": "13.0"}
    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "holds an address or an option",
        "not a pin: --index-url https://host/simple",
        "typer has no hash",
    ]
    assert lock_check.unmet(["rich>=14", "typer"], pins, "lock") == [
        "lock: rich>=14 is pinned to 13.0",
        "lock: typer is not pinned",
    ]
