"""What an SMTP answer means for a mail: sent, put off, failed, or unknown. Pure.

The line that matters is the DATA command. Before it nothing was handed over, so trying again is safe. After it
only an answer tells: RFC 5321, section 4.2.1 makes 4yz and 5yz say "not accepted", 2yz "accepted"; no answer, or
one that is none, leaves it open whether the partner has the mail, and such a mail is never sent again by itself.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Stage = Literal["connect", "envelope", "content"]
"""How far a delivery came: connecting, greeting, TLS and login; MAIL and RCPT; DATA and the content."""

Verdict = Literal["sent", "relay-away", "put-off", "failed", "unknown"]
"""`relay-away`: the relay's trouble, not this mail's; `put-off`: this mail is to be tried later."""

REASON_LENGTH_MAX: Final = 300
# RFC 4954, section 6: it is our login that is refused, whatever the mail. Failing every mail for good because of a
# wrong password would lose them.
_LOGIN_REFUSED: Final = frozenset({530, 534, 535, 538})


class Answer(msgspec.Struct, frozen=True):
    """The last thing the relay said. `code` is None when the connection was lost or the time was over."""

    stage: Stage
    code: int | None
    text: str = ""


def judge(answer: Answer) -> Verdict:
    """What becomes of the mail."""
    code = answer.code
    if answer.stage == "connect" or code in _LOGIN_REFUSED:
        return "relay-away"
    if answer.stage == "envelope":
        return "failed" if code is not None and 500 <= code <= 599 else "put-off"
    if code is None:
        return "unknown"
    if 200 <= code <= 299:
        return "sent"
    if 400 <= code <= 499:
        return "put-off"
    return "failed" if 500 <= code <= 599 else "unknown"


def reason_of(answer: Answer) -> str:
    """The answer in words, on one line, for the list of mails."""
    said = " ".join(answer.text.split())
    text = f"{answer.code} {said}" if answer.code is not None else said or "no answer"
    return f"{_WHERE[answer.stage]}: {text}"[:REASON_LENGTH_MAX]


def retry_wait_ms(attempts: int, *, wait_s_min: float, wait_s_max: float) -> int:
    """How long a mail waits after its n-th refusal (from 1): doubling, bounded."""
    doubled = wait_s_min * (1 << min(max(attempts - 1, 0), 30))
    return round(min(doubled, wait_s_max) * 1000)


_WHERE: Final[dict[Stage, str]] = {
    "connect": "connecting to the relay",
    "envelope": "before DATA",
    "content": "after DATA",
}
