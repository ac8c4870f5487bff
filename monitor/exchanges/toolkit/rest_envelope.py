"""Unwraps REST answers that consist of a code, a message and the data, as several exchanges send them."""

from __future__ import annotations

from typing import Final

import msgspec


class Answer(msgspec.Struct):
    """A REST answer; ``data`` is not decoded yet, and is ``null`` if it is absent."""

    code: int | str
    data: msgspec.Raw = msgspec.Raw(b"null")
    msg: str = ""


_ANSWER: Final = msgspec.json.Decoder(Answer)


def unwrap_data(venue: str, body: bytes, success: int | str) -> msgspec.Raw:
    """Return the data of an answer. Raises ``ValueError`` if it is no such answer or its code is not ``success``."""
    answer = _ANSWER.decode(body)
    if answer.code != success:
        raise ValueError(f"{venue} answered with code {answer.code}: {answer.msg}")
    return answer.data
