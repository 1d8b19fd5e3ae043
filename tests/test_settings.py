"""Settings: who wins over whom, and how a wrong one is named."""

from pathlib import Path

import pytest

from plimsoll.settings import BadSetting, load_settings


def test_defaults_lose_to_the_file_the_file_to_the_environment_and_that_to_flags(tmp_path: Path) -> None:
    """Each of the four in turn."""
    file = tmp_path / "plimsoll.yaml"
    file.write_text("log_level: info\nlog_json: true\ndata: /from/file\n")
    assert load_settings({}, {}).log_level == "WARNING"
    assert load_settings({}, {}, file).log_level == "INFO"
    environment = {"PLIMSOLL_LOG_LEVEL": "error", "PLIMSOLL_CONFIG": str(file), "HOME": "/x", "PLIMSOLL_TEST_DATA": "y"}
    told = load_settings({"data": None}, environment)
    assert (told.log_level, told.log_json, told.data) == ("ERROR", True, Path("/from/file"))
    told = load_settings({"data": Path("/flag"), "log_level": "debug"}, environment)
    assert (told.log_level, told.data) == ("DEBUG", Path("/flag"))


def test_the_usual_place_is_at_home() -> None:
    """A tilde is the user's folder, wherever it was written."""
    assert load_settings({}, {}).data == Path.home() / ".plimsoll"
    assert load_settings({}, {"PLIMSOLL_DATA": "~/here"}).data == Path.home() / "here"


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    """Comments alone are no mistake."""
    file = tmp_path / "plimsoll.yaml"
    file.write_text("# nothing yet\n")
    assert load_settings({}, {}, file) == load_settings({}, {})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("log_levle: INFO", ["log_levle", "no such setting", "log_level"]),
        ("log_level: LOUD", ["log_level", "LOUD", "choose"]),
        ("log_json: maybe", ["log_json", "maybe"]),
        ("data: [1, 2]", ["data"]),
        ("- a list", ["one setting a line"]),
        ("log_level: [", ["cannot be read"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, text: str, parts: list[str]) -> None:
    """Key, value, place and remedy in one line."""
    file = tmp_path / "plimsoll.yaml"
    file.write_text(text)
    with pytest.raises(BadSetting) as refused:
        load_settings({}, {}, file)
    told = str(refused.value)
    assert "\n" not in told
    for part in [*parts, str(file)]:
        assert part in told


def test_a_misspelt_variable_is_refused_by_its_name() -> None:
    """It must not leave its default in force without a word."""
    with pytest.raises(BadSetting, match="PLIMSOLL_LOGLEVEL"):
        load_settings({}, {"PLIMSOLL_LOGLEVEL": "INFO"})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Whoever names a file means it."""
    with pytest.raises(BadSetting, match=r"none\.yaml"):
        load_settings({}, {}, tmp_path / "none.yaml")
