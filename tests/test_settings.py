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


SECRET = "s3cret"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://desk:{SECRET}@db.example:5432/books",
        f"postgres://desk:{SECRET}@127.0.0.1/books",
        "postgresql:///books?host=/var/run/postgresql",
        f"postgresql://desk:{SECRET}%40%2F@[::1]:5432/books?sslmode=verify-full&passfile=/x",
        f"postgresql://desk:{SECRET}@one:5432,two:5433/books?target_session_attrs=read-write",
    ],
)
def test_the_address_of_a_database_is_taken_and_its_password_not_shown(address: str) -> None:
    """What is printed of the settings hides it."""
    told = load_settings({}, {"PLIMSOLL_DATABASE": address})
    assert told.database.get_secret_value() == address
    assert SECRET not in f"{told!r} {told}"


@pytest.mark.parametrize(
    "address",
    [
        f"mysql://desk:{SECRET}@host/books",
        f"postgresql://desk:{SECRET}@host",
        f"postgresql://desk:{SECRET}@host/",
        f"postgresql://desk:{SECRET}/x@host/books",
        f"postgresql://desk:{SECRET}@x@host/books",
        f"postgresql://desk:{SECRET}%zz@host/books",
        f"postgresql://desk:{SECRET}#@host/books",
        f"postgresql://desk@host:{SECRET}/books",
        f"postgresql://desk@host/books?password={SECRET}",
        f"postgresql://desk@host/books?{SECRET}",
        f"postgresql://desk@host/books?sslpassword={SECRET}",
        f"host=localhost password={SECRET}",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(address: str) -> None:
    """The name, the remedy, and nothing of the value; not in what it was raised from either."""
    with pytest.raises(BadSetting, match=r"database = … \(--database\): write") as refused:
        load_settings({"database": address}, {})
    assert SECRET not in f"{refused.value} {refused.value.__cause__!r} {refused.value.__context__}"


def test_an_address_under_a_misspelt_name_stays_a_secret(tmp_path: Path) -> None:
    """In a variable, and in a file that is no YAML."""
    address = f"postgresql://desk:{SECRET}@host/books"
    with pytest.raises(BadSetting, match="databsae") as refused:
        load_settings({}, {"PLIMSOLL_DATABSAE": address})
    assert SECRET not in str(refused.value)
    file = tmp_path / "plimsoll.yaml"
    file.write_text(f"log_json: true\ndatabase: {address}: x\n")
    with pytest.raises(BadSetting, match="line 2") as refused:
        load_settings({}, {}, file)
    assert SECRET not in f"{refused.value} {refused.value.__cause__!r}"


@pytest.mark.parametrize("name", ["", "Desk", "pg_desk", "desk-1", "1desk", "x" * 58])
def test_a_schema_has_a_plain_name(name: str) -> None:
    """What PostgreSQL would fold, reserve or cut off is refused by its name."""
    with pytest.raises(BadSetting, match="database_schema"):
        load_settings({"database_schema": name}, {})
    assert load_settings({"database_schema": "x" * 57}, {}).database_schema == "x" * 57
