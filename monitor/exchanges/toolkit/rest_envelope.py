"""What several exchanges put around a REST answer: a code, the data, and a message where the code is no success."""

from __future__ import annotations

from typing import Final

import msgspec


class Answer(msgspec.Struct):
    """Any answer; its data are unread, and ``null`` where there are none."""

    code: int | str
    data: msgspec.Raw = msgspec.Raw(b"null")
    msg: str = ""


_ANSWER: Final = msgspec.json.Decoder(Answer)


def unwrap_data(venue: str, body: bytes, success: int | str) -> msgspec.Raw:
    """What an answer holds. Raises ``ValueError`` when it is none, or its code is not that of success."""
    answer = _ANSWER.decode(body)
    if answer.code != success:
        raise ValueError(f"{venue} answers {answer.code}: {answer.msg}")
    return answer.data
