from __future__ import annotations

from click.testing import CliRunner

from monitor.cli.generate.topics_document import text
from monitor.cli.main import cli


def test_the_document_is_what_the_command_prints() -> None:
    """``schema --asyncapi`` and the committed document are the same text."""
    assert CliRunner().invoke(cli, ["schema", "--asyncapi"]).output == text()
