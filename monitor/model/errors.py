"""The one kind of error that is meant for the person who runs the program."""

from __future__ import annotations

from typing import ClassVar


class OperatorError(Exception):
    """Something outside the program is not as it must be; the text says what, in words, and the remedy.

    The command line prints the text alone and exits with ``exit_status``. Anything else that escapes is a fault of
    the program and keeps its traceback.
    """

    exit_status: ClassVar[int] = 1
