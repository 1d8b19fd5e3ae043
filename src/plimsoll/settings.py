"""Settings: typed once, at the door. Built-in defaults < YAML file < `PLIMSOLL_*` < flags of the command line.

A key that nobody knows is refused by its name, wherever it stands: a misspelt setting must not leave its default in
force without a word. The one secret among them, a password in the address of the database, is never told again. What
must not enter: other secrets, and anything that decides how a replay ends (that is in its plan).
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from plimsoll.model.errors import PlimsollError

PREFIX = "PLIMSOLL_"
#: Where the YAML file is; not a setting of the file itself.
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
#: Its value is never told, in no message and no log.
_HIDDEN = "database"
_ADDRESS = re.compile(r"://.*@|password", re.DOTALL)
_ADDRESS_REMEDY = (
    "write postgresql://user:password@host:port/database, each of / ? # @ : % in a password as %2F %3F %23 %40 %3A %25"
)
_POSTGRES = ("postgresql", "postgres")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/?#@\s]*)(:\d{1,5})?")
_QUERY = re.compile(r"([a-z_]+=[^&=#@\s]*(&[a-z_]+=[^&=#@\s]*)*)?")
_BAD_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})|%00|[#\s\x00]")
#: The paper venue's books lie in a schema of the same name with `_paper` behind it; names end at 63 characters.
_SCHEMA_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,56}")

#: What the tests are told by; no setting of a desk.
_NOT_OURS = f"{PREFIX}TEST_"


class BadSetting(PlimsollError, ValueError):
    """A setting cannot be used: names the setting, where it was set, its value and the remedy."""


class Settings(BaseSettings):
    """Everything that a desk can be told from outside."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    #: The data directory.
    data: Path = Path("~/.plimsoll")
    #: `postgresql://user:password@host:port/database`; empty keeps the books in the data directory, on SQLite.
    database: SecretStr = SecretStr("")
    #: The schema that holds the desk's tables on PostgreSQL.
    database_schema: str = "plimsoll"
    #: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
    log_level: str = "WARNING"
    #: Log lines as JSON, for machines.
    log_json: bool = False
    #: Where the desk is served, on 127.0.0.1; 0 takes any free port.
    port: int = Field(default=8787, ge=0, le=65_535)
    #: Where an account's prices come from when it is made: `live`, `synthetic` or `replay:FILE`. Without it: live where
    #: an exchange answers, else synthetic.
    prices: str | None = None
    #: How often a user may ask the REST interface; closing and halting are never limited.
    reads_per_second: int = Field(default=20, ge=1)
    person_writes_per_minute: int = Field(default=60, ge=1)
    key_writes_per_second: int = Field(default=50, ge=1)
    #: Where copies of the books are kept; without it in `backups` of the data directory. Better on another disk.
    backup_to: Path | None = None
    #: How often a desk that is served makes one; 0 makes none.
    backup_every_minutes: int = Field(default=60, ge=0)
    #: The folder of PostgreSQL's `pg_dump` and `pg_restore`; without it they are looked for where the shell does.
    postgres_programs: Path | None = None
    #: Open the page in a browser at the start.
    browser: bool = True

    @field_validator("data")
    @classmethod
    def _at_home(cls, data: Path) -> Path:
        return data.expanduser()

    @field_validator("database")
    @classmethod
    def _an_address(cls, database: SecretStr) -> SecretStr:
        if address := database.get_secret_value():
            _check_address(address)
        return database

    @field_validator("database_schema")
    @classmethod
    def _a_schema(cls, name: str) -> str:
        if not _SCHEMA_NAME.fullmatch(name):
            raise ValueError("choose a name of small letters, digits and _, up to 57 of them, that begins without pg_")
        return name

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        if level.upper() not in logging.getLevelNamesMapping():
            raise ValueError("choose DEBUG, INFO, WARNING, ERROR or CRITICAL")
        return level.upper()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load_settings` has put together, in its order, and look nowhere else."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load_settings(flags: Mapping[str, object], environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """Put the settings together from file, environment and flags, the last winning.

    Shapes:  flags name -> value, None for one that was not given
    Refuses: a key that is no setting, a value that is none of its own, a file that is no YAML mapping
    Raises:  BadSetting
    """
    file = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    given: dict[str, tuple[object, str]] = {}
    if file is not None:
        given |= {key: (value, str(file)) for key, value in _from_file(file).items()}
    given |= {key: (value, PREFIX + key.upper()) for key, value in _from_environment(environment).items()}
    given |= {key: (value, f"--{key.replace('_', '-')}") for key, value in flags.items() if value is not None}
    for key, (value, place) in given.items():
        if key not in Settings.model_fields:
            raise BadSetting(
                f"{key} = {_shown(key, value)} ({place}): no such setting; there are {', '.join(Settings.model_fields)}"
            )
    try:
        return Settings.model_validate({key: value for key, (value, _place) in given.items()})
    except ValidationError as refused:
        first = refused.errors()[0]
        key = str(first["loc"][0])
        value, place = given[key]
        sentence = f"{key} = {_shown(key, value)} ({place}): {first['msg'].removeprefix('Value error, ')}"
        raise BadSetting(sentence) from refused


def _shown(key: str, value: object) -> str:
    # Under a misspelt name it is the same secret.
    return "…" if key == _HIDDEN or _ADDRESS.search(str(value)) else repr(value)


def _check_address(address: str) -> None:
    """Refuse what cannot be the address of a PostgreSQL database; the driver would repeat parts of it.

    Raises: ValueError, without any of it
    """
    scheme, _, rest = address.partition("://")
    place, _, query = rest.partition("?")
    who, _, where = place.rpartition("@")
    hosts, _, name = where.partition("/")
    if scheme not in _POSTGRES or not name or "/" in who + name or "@" in who or _BAD_PERCENT.search(rest):
        raise ValueError(_ADDRESS_REMEDY)
    if any(not _HOST.fullmatch(host) for host in hosts.split(",")) or not _QUERY.fullmatch(query):
        raise ValueError(_ADDRESS_REMEDY)
    if "password" in query:
        raise ValueError("write a password before the @, or into the file ~/.pgpass, and nowhere else")


def _from_file(file: Path) -> dict[str, object]:
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as problem:
        line = "" if problem.problem_mark is None else f" in line {problem.problem_mark.line + 1}"
        # Its own words quote the line, which may hold the password.
        raise BadSetting(f"config = {str(file)!r}: the file cannot be read: {problem.problem}{line}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise BadSetting(
            f"config = {str(file)!r}: the file cannot be read: {' '.join(str(problem).split())}"
        ) from problem
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise BadSetting(f"config = {str(file)!r}: write one setting a line, such as `log_level: INFO`")
    return {str(key): value for key, value in told.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = (name for name in environment if name.startswith(PREFIX) and not name.startswith(_NOT_OURS))
    return {name.removeprefix(PREFIX).lower(): environment[name] for name in names if name != CONFIG_VARIABLE}
