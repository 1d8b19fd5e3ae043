"""Write the OpenAPI document, for those who make a client of it; no desk is needed.

python -m plimsoll.edges.api.document FILE
"""

import sys
from pathlib import Path

import orjson

from plimsoll.edges.api.app import bare_app


def write_document(file: Path) -> None:
    """Write what the application says of itself."""
    file.write_bytes(orjson.dumps(bare_app().openapi(), option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    write_document(Path(sys.argv[1]))
