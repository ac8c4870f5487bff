"""Reads the dated list of large holders that ``detector.holders_file`` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from monitor.detect.context.holders import Holding

REMEDY: Final = "write it as in configs/holders.yaml"


class _HoldersFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    holders: tuple[Holding, ...]


def read_holders(path: Path) -> tuple[Holding, ...]:
    """Return the holdings of a file.

    Raises:
        ValueError: the file cannot be read or a value is wrong; one line a problem names file and key.
    """
    try:
        tree: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ValueError(f"{path}: cannot be read: {reason}; create it or correct the path") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"{path}: is not YAML{where}; {REMEDY}") from None
    try:
        return _HoldersFile.model_validate(tree).holders
    except ValidationError as error:
        problems = [
            f"{path}: {'.'.join(str(part) for part in detail['loc']) or 'file'}: {detail['msg']}; {REMEDY}"
            for detail in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise ValueError("\n".join(problems)) from None
