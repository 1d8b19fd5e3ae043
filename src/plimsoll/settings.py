"""Settings: typed once, at the door. Built-in defaults < YAML file < `PLIMSOLL_*` < flags of the command line.

A key that nobody knows is refused by its name, wherever it stands: a misspelt setting must not leave its default in
force without a word. What must not enter: secrets, and anything that decides how a replay ends (that is in its plan).
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from plimsoll.model.errors import PlimsollError

PREFIX = "PLIMSOLL_"
#: Where the YAML file is; not a setting of the file itself.
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
#: What the tests are told by; no setting of a desk.
_NOT_OURS = f"{PREFIX}TEST_"


class BadSetting(PlimsollError, ValueError):
    """A setting cannot be used: names the setting, where it was set, its value and the remedy."""


class Settings(BaseSettings):
    """Everything that a desk can be told from outside."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=False)

    #: The data directory.
    data: Path = Path("~/.plimsoll")
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
    #: Open the page in a browser at the start.
    browser: bool = True

    @field_validator("data")
    @classmethod
    def _at_home(cls, data: Path) -> Path:
        return data.expanduser()

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
                f"{key} = {value!r} ({place}): no such setting; there are {', '.join(Settings.model_fields)}"
            )
    try:
        return Settings.model_validate({key: value for key, (value, _place) in given.items()})
    except ValidationError as refused:
        first = refused.errors()[0]
        key = str(first["loc"][0])
        value, place = given[key]
        raise BadSetting(f"{key} = {value!r} ({place}): {first['msg'].removeprefix('Value error, ')}") from refused


def _from_file(file: Path) -> dict[str, object]:
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
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
