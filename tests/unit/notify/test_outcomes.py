"""What an SMTP answer means, as a table."""

from __future__ import annotations

import pytest

from services.notify.outcomes import REASON_LENGTH_MAX, Answer, Stage, Verdict, judge, reason_of, retry_wait_ms

VERDICTS: list[tuple[Stage, int | None, Verdict]] = [
    # The relay itself is in trouble, so no mail is to blame.
    ("connect", None, "relay-away"),
    ("connect", 421, "relay-away"),
    ("connect", 554, "relay-away"),
    ("envelope", 530, "relay-away"),
    ("envelope", 535, "relay-away"),
    ("content", 530, "relay-away"),
    # Before DATA nothing was handed over.
    ("envelope", None, "put-off"),
    ("envelope", 421, "put-off"),
    ("envelope", 450, "put-off"),
    ("envelope", 499, "put-off"),
    ("envelope", 252, "put-off"),
    ("envelope", 550, "failed"),
    ("envelope", 599, "failed"),
    # After DATA only an answer tells.
    ("content", None, "unknown"),
    ("content", 250, "sent"),
    ("content", 299, "sent"),
    ("content", 354, "unknown"),
    ("content", 421, "put-off"),
    ("content", 451, "put-off"),
    ("content", 500, "failed"),
    ("content", 554, "failed"),
    ("content", 600, "unknown"),
    ("content", 199, "unknown"),
]


@pytest.mark.parametrize(("stage", "code", "verdict"), VERDICTS)
def test_an_answer_at_a_stage_has_one_meaning(stage: Stage, code: int | None, verdict: Verdict) -> None:
    assert judge(Answer(stage, code)) == verdict


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("envelope", 550, "5.1.1 no such\r\nuser"), "before DATA: 550 5.1.1 no such user"),
        (Answer("content", None, "TimeoutError: too late"), "after DATA: TimeoutError: too late"),
        (Answer("connect", None), "connecting to the relay: no answer"),
    ],
)
def test_a_reason_is_one_line_and_says_where(answer: Answer, reason: str) -> None:
    assert reason_of(answer) == reason


def test_a_reason_is_bounded() -> None:
    assert len(reason_of(Answer("content", 554, "x" * 10_000))) == REASON_LENGTH_MAX


@pytest.mark.parametrize(
    ("attempts", "wait_ms"), [(1, 5_000), (2, 10_000), (3, 20_000), (8, 640_000), (9, 900_000), (10_000, 900_000)]
)
def test_waits_double_up_to_the_limit(attempts: int, wait_ms: int) -> None:
    assert retry_wait_ms(attempts, wait_s_min=5, wait_s_max=900) == wait_ms
