"""Defines the base class of errors that are reported to the operator as one line of text."""

from __future__ import annotations

from typing import ClassVar


class OperatorError(Exception):
    """An error outside the program, such as a bad setting or an unreachable broker; its text names cause and remedy.

    The command line prints the text without a traceback and exits with ``exit_status``. Any other exception that
    reaches it is a defect of the program and is printed with its traceback.
    """

    exit_status: ClassVar[int] = 1
