"""Writes every reference page that is generated from the code; ``make generate`` runs it, and the dashboards' source.

A test beside each page compares the committed file with what the code makes, and names ``make generate``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from monitor.cli.generate import configuration_page, exchanges_page, live_configuration, topics_document

GENERATORS: Final[tuple[Callable[[Path], None], ...]] = (
    configuration_page.main,
    exchanges_page.main,
    live_configuration.main,
    topics_document.main,
)


def main(root: Path = Path()) -> None:
    """Write all generated files below ``root``, which has the folders ``configs`` and ``docs``."""
    for write in GENERATORS:
        write(root)


if __name__ == "__main__":
    main()
