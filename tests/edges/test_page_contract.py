"""The page is typed from the document that the desk serves."""

import json
from pathlib import Path

from plimsoll.edges.api.document import write_document

KEPT = Path(__file__).resolve().parent.parent.parent / "web" / "openapi.json"


def test_the_document_that_the_page_was_made_with_is_that_of_the_desk(tmp_path: Path) -> None:
    """Else: `python -m plimsoll.edges.api.document web/openapi.json`, then `npm run schema` in `web/`."""
    write_document(tmp_path / "now.json")
    assert json.loads(KEPT.read_text()) == json.loads((tmp_path / "now.json").read_text())
