"""Writes every dashboard's JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.grafana.boards.asset import asset
from deploy.grafana.boards.board import text
from deploy.grafana.boards.feeds import feeds
from deploy.grafana.boards.overview import overview
from deploy.grafana.boards.pipeline import pipeline

FOLDER: Final = Path(__file__).parents[1] / "dashboards"


def texts() -> dict[str, str]:
    """Return the dashboards' JSON by file name."""
    return {f"{board.build().uid}.json": text(board) for board in (overview(), asset(), feeds(), pipeline())}


if __name__ == "__main__":
    for name, content in texts().items():
        (FOLDER / name).write_text(content)
