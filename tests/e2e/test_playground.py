"""The playground as people use it: in a real browser, with the mouse or the keyboard alone, on a phone, in the dark."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.browser import Page, browsing, chromium_or_skip

pytestmark = pytest.mark.slow
AMOUNT_LINE = 19


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address that `goodword rules playground --alone` prints; served until the end of the module."""
    chromium_or_skip()
    command = [sys.executable, "-m", "goodword", "rules", "playground", "--alone", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    told = ""
    while "}" not in told:
        line = process.stdout.readline()
        assert line, "it ended"
        told += line
    yield json.loads(told)["url"]
    process.send_signal(signal.SIGINT)
    process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture
def page(browser: Page, url: str) -> Page:
    """The page anew; what it asked for and complained of is forgotten."""
    browser.call("Page.navigate", url="about:blank")
    browser.requests.clear()
    browser.complaints.clear()
    browser.prefer("light")
    browser.size(1200)
    browser.go(url)
    return browser


def text_of(page: Page, id: str) -> str:
    return str(page.evaluate(f"document.getElementById('{id}').innerText"))


def edit(page: Page, id: str, old: str, new: str) -> None:
    """As typing does: the value, and the event that tells of it."""
    page.evaluate(
        f"(() => {{ const area = document.getElementById('{id}');"
        f" area.value = area.value.replace({json.dumps(old)}, {json.dumps(new)});"
        " area.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def test_a_sample_plays_with_decisions_traces_tiers_and_metrics(page: Page, url: str) -> None:
    page.evaluate("document.getElementById('run').click()")
    page.until("!document.getElementById('results').hidden")
    steps = text_of(page, "steps")
    assert "denied commission because: deal.amount >= 500 USD" in steps
    assert "499.00 USD" in steps
    assert "granted commission: 75.00 USD to partner:a-partner" in steps
    assert "tier: bronze → silver" in steps
    assert "2 passed" in text_of(page, "tests")
    assert "11499.00 USD" in text_of(page, "partners")
    assert text_of(page, "status") == "4 events: 4 granted, 1 denied."
    # Nothing from anywhere else, no complaint of the policy, and the key is gone from the address.
    origin = url.partition("/playground")[0]
    assert page.requests
    assert {each.startswith(origin) for each in page.requests} == {True}
    assert page.complaints == []
    assert "key" not in page.evaluate("location.href")


def test_a_slip_is_marked_at_its_line_and_the_problem_leads_there(page: Page) -> None:
    edit(page, "rules", "- deal.amount >= 500", "- deal.ammount >= 500")
    page.until("document.querySelectorAll('#rules-problems li').length > 0")
    marked = page.evaluate("[...document.querySelectorAll('#rules-editor .wrong')].map(each => each.textContent)")
    assert str(AMOUNT_LINE) in marked
    assert page.evaluate("document.getElementById('rules').getAttribute('aria-invalid')") == "true"
    page.evaluate("document.querySelector('#rules-problems button').click()")
    selected = (
        "(() => { const area = document.getElementById('rules');"
        " return area.value.slice(area.selectionStart, area.selectionEnd); })()"
    )
    assert page.evaluate(selected) == "ammount"
    assert page.evaluate("document.activeElement.id") == "rules"
    page.evaluate("document.getElementById('run').click()")
    page.until("document.getElementById('status').textContent.startsWith('Nothing was played')")
    edit(page, "rules", "deal.ammount", "deal.amount")
    page.until("document.querySelectorAll('#rules-problems li').length === 0")


def test_pasted_cloud_events_play_and_their_faults_are_told(page: Page) -> None:
    page.evaluate("document.getElementById('events').value = ''")
    data = {"partner": "maria", "deal": {"id": "d", "amount": {"minor": 100_000, "currency": "USD"}}}
    won = {"type": "deal.won", "source": "crm", "id": "e1", "time": "2026-01-01T00:00:00Z", "data": data}
    page.evaluate("document.getElementById('events').focus()")
    page.write(json.dumps(won))
    page.press("Enter", modifiers=2)
    page.until("document.getElementById('status').textContent.startsWith('1 event:')")
    assert "50.00 USD to partner:maria" in text_of(page, "steps")
    page.write("\nnonsense")
    page.press("Enter", modifiers=2)
    page.until("document.querySelectorAll('#events-problems li').length === 1")
    assert "2:1:" in text_of(page, "events-problems")


def test_what_is_pasted_is_never_markup(page: Page) -> None:
    edit(page, "rules", "- name: a silver partner", "- name: <img src=x onerror=alert(1)> a silver partner")
    edit(page, "rules", "commission: 75.00 USD", "commission: 76.00 USD")
    page.evaluate("document.getElementById('run').click()")
    page.until("document.getElementById('tests').innerText.includes('<img')")
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.complaints == []


def test_the_keyboard_alone_reaches_everything_and_is_never_caught(page: Page) -> None:
    reached = []
    for _ in range(8):
        page.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert [each for each in reached if each][:5] == ["sample", "key", "rules", "events", "run"]
    page.evaluate("document.getElementById('run').focus()")
    page.press("Enter")
    page.until("!document.getElementById('results').hidden")
    page.press("Tab")
    assert page.evaluate("document.activeElement.tagName") in {"SUMMARY", "DIV"}


def test_every_field_has_a_name_and_answers_are_announced(page: Page) -> None:
    nameless = (
        "[...document.querySelectorAll('input, select, textarea')]"
        ".filter(each => each.labels.length === 0).map(each => each.id)"
    )
    assert page.evaluate(nameless) == []
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.getElementById('status').getAttribute('aria-live')") == "polite"
    assert page.evaluate("document.querySelectorAll('h1').length") == 1


def test_a_phone_needs_no_sideways_scrolling_and_the_dark_is_dark(page: Page) -> None:
    page.evaluate("document.getElementById('run').click()")
    page.until("!document.getElementById('results').hidden")
    page.size(360)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    small = (
        "[...document.querySelectorAll('button, select, input')].filter(each => each.offsetParent"
        " && each.getBoundingClientRect().height < 24).map(each => each.id || each.textContent)"
    )
    assert page.evaluate(small) == []
    colours = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].join()"
    light = page.evaluate(colours)
    page.prefer("dark")
    assert page.evaluate(colours) != light


def test_without_the_key_the_page_says_what_is_missing(page: Page) -> None:
    page.evaluate("document.getElementById('key').value = 'wrong'")
    page.evaluate("document.getElementById('run').click()")
    page.until("document.getElementById('status').textContent.includes('operator')")
