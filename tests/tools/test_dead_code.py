"""The search for dead code looks at the product without its tests too."""

from pathlib import Path

from tools import dead_code


def test_what_only_tests_use_is_found_and_what_is_allowed_must_need_it(tmp_path: Path) -> None:
    source, tests = tmp_path / "src", tmp_path / "tests"
    source.mkdir()
    tests.mkdir()
    (source / "a.py").write_text("def tested(): ...\n\n\ndef forgotten(): ...\n\n\ndef withdraw(): ...\n")
    (tests / "test_a.py").write_text("import a\n\na.tested()\na.withdraw()\n")
    found = dead_code.findings(tmp_path)
    assert [line.split(": ")[1] for line in found if "a.py" in line] == [
        "unused function 'forgotten' (60% confidence)",
        "unused function 'tested' (60% confidence), but for tests",
    ]
    assert "debt is used now, or gone: take it off the list" in found
    assert not any("withdraw'" in line or line.startswith("withdraw ") for line in found)
