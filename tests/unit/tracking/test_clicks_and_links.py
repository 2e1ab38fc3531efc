"""Click ids, links, visitors and attribution: pure, as tables."""

from __future__ import annotations

import msgspec
import pytest

from contracts.events import EventData
from services.tracking.attribution import Attributed, Evidence, Unattributed, attribute, read_click
from services.tracking.clicks import Click, click_name, sign, verify, with_click
from services.tracking.links import Link, landing_page, problem_of
from services.tracking.visitors import ip_prefix, user_agent_class

SECRET, OLDER, FOREIGN = b"s" * 32, b"o" * 32, b"f" * 32
DAY_MS = 86_400_000
CLICKED_MS = 1_700_000_000_000
CLICK_ID = sign(SECRET, click_name("abc", CLICKED_MS, b"nonce!"))
LINK = Link(code="abc", programme="crm", partner="moses", target="https://example.com/x")
CODE_LINK = Link(code="def", programme="crm", partner="darcel", target="https://example.com/y")
OTHER_LINK = Link(code="oth", programme="other", partner="cecily", target="https://example.com/z")
LINKS = {link.code: link for link in (LINK, CODE_LINK, OTHER_LINK)}


def test_a_click_id_is_frozen() -> None:
    assert CLICK_ID == "abc.18bcfe56800.6e6f6e636521.VdyJ48y2nVhVZP-sMUHaWw"


def test_a_click_id_says_link_and_time_under_any_secret_still_valid() -> None:
    assert verify((SECRET,), CLICK_ID) == Click("abc", CLICKED_MS)
    assert verify((OLDER, SECRET), CLICK_ID) == Click("abc", CLICKED_MS)
    assert verify((OLDER,), CLICK_ID) is None
    assert verify((), CLICK_ID) is None


@pytest.mark.parametrize("position", range(len(CLICK_ID)))
def test_no_character_of_a_click_id_can_be_changed(position: int) -> None:
    other = "A" if CLICK_ID[position] != "A" else "B"
    assert verify((SECRET,), CLICK_ID[:position] + other + CLICK_ID[position + 1 :]) is None


@pytest.mark.parametrize("text", ["", "abc", CLICK_ID + "\n", CLICK_ID + "A", " " + CLICK_ID, "a.b.c.d", "é" * 50])
def test_what_is_no_click_id_is_none(text: str) -> None:
    assert verify((SECRET,), text) is None


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("https://example.com", "https://example.com?gw_click=C"),
        ("https://example.com/a?x=1", "https://example.com/a?x=1&gw_click=C"),
        ("https://example.com/a#top", "https://example.com/a?gw_click=C#top"),
    ],
)
def test_the_click_id_joins_the_query(target: str, wanted: str) -> None:
    assert with_click(target, "C") == wanted


# Each way in its order, and each reason why none found anybody.
@pytest.mark.parametrize(
    ("data", "age_ms", "wanted"),
    [
        ({"partner": "p", "click_id": CLICK_ID, "referral_code": "def"}, 0, Attributed("p", "named")),
        ({"click_id": CLICK_ID, "referral_code": "def"}, 0, Attributed("moses", "click")),
        ({"click_id": CLICK_ID}, 90 * DAY_MS, Attributed("moses", "click")),
        ({"click_id": CLICK_ID, "referral_code": "def"}, 91 * DAY_MS, Attributed("darcel", "code")),
        ({"click_id": "forged", "referral_code": "def"}, 0, Attributed("darcel", "code")),
        ({"click_id": CLICK_ID}, 91 * DAY_MS, Unattributed("the click is 91 days older than the event")),
        ({"click_id": CLICK_ID}, -300_001, Unattributed("the click is later than the event")),
        ({"click_id": CLICK_ID}, -300_000, Attributed("moses", "click")),
        ({"click_id": "forged"}, 0, Unattributed("the click id is not one of ours")),
        ({"referral_code": "nope"}, 0, Unattributed('there is no link "nope"')),
        ({"referral_code": "oth"}, 0, Unattributed('the link "oth" is of another programme')),
        (
            {"click_id": "forged", "referral_code": "nope"},
            0,
            Unattributed('the click id is not one of ours; there is no link "nope"'),
        ),
        ({}, 0, Unattributed("neither a partner nor a click id nor a referral code was sent")),
    ],
)
def test_the_first_way_that_finds_a_partner_wins(
    data: dict[str, str], age_ms: int, wanted: Attributed | Unattributed
) -> None:
    sent = msgspec.convert({"programme": "crm"} | data, EventData)
    evidence = Evidence(sent, CLICKED_MS + age_ms, read_click(sent, (SECRET,)), LINKS, 90 * DAY_MS)
    assert attribute(evidence) == wanted


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"target": "http://localhost:8080/a?b=c#d"}, None),
        ({"target": "javascript:alert(1)"}, "bad-target"),
        ({"target": "//evil.example"}, "bad-target"),
        ({"target": "https://user@evil.example/"}, "bad-target"),
        ({"target": "https:///nohost"}, "bad-target"),
        ({"target": "https://example.com/\r\nSet-Cookie: x=1"}, "bad-target"),
        ({"target": "https://example.com\\@evil.example"}, "bad-target"),
        ({"target": "https://example.com:99999/"}, "bad-target"),
        ({"target": "https://exämple.com/"}, "bad-target"),
        ({"target": "https://example.com/" + "a" * 2048}, "bad-target"),
        ({"code": "a/b"}, "bad-link-code"),
        ({"code": ""}, "bad-link-code"),
        ({"partner": "a:b"}, "bad-id"),
        ({"programme": ""}, "bad-id"),
        ({"channel": "a\nb"}, "bad-text"),
    ],
)
def test_a_link_is_checked_before_it_is_stored(change: dict[str, str], code: str | None) -> None:
    problem = problem_of(msgspec.structs.replace(LINK, **change))
    assert (problem.code if problem else None) == code


def test_a_landing_page_has_no_query() -> None:
    assert landing_page("https://example.com/a?mail=x@y#z") == "https://example.com/a"


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", None),
        ("", None),
    ],
)
def test_an_address_is_cut_to_its_network(address: str, wanted: str | None) -> None:
    assert ip_prefix(address) == wanted


@pytest.mark.parametrize(
    ("user_agent", "wanted"),
    [
        ("", "none"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", "desktop"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 Safari/604.1", "mobile"),
        ("Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X)", "tablet"),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) Mobile Safari/537.36", "mobile"),
        ("Mozilla/5.0 (Linux; Android 15; SM-X910) Safari/537.36", "tablet"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "bot"),
        ("curl/8.5", "bot"),
        ("SomethingElse/1.0", "other"),
    ],
)
def test_a_program_is_put_into_a_class(user_agent: str, wanted: str) -> None:
    assert user_agent_class(user_agent) == wanted
