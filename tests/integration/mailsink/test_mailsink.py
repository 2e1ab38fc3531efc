"""The mail sink as a process: keeps what it accepted, and shows hostile mails harmlessly."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from smtplib import SMTP

import httpx
import pytest

from goodword.embedded.ports import free_port
from goodword.mailsink.box import FILE_NAME, MailBox

HOSTILE = "<script>alert(1)</script>"
BROKEN = b"Subject: =?utf-8?q?=FF=?=\r\nContent-Type: text/html; charset=nonsense\r\n\r\n\xff\xfe\r\n"


class Sink:
    def __init__(self, data: Path) -> None:
        self.smtp_port, self.http_port = free_port(), free_port()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "goodword.mailsink", "--data", str(data)),
                *("--smtp-port", str(self.smtp_port), "--http-port", str(self.http_port)),
            ],
            stderr=subprocess.PIPE,
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.http_port}")

    def until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.http.get("/healthz").raise_for_status()
            except httpx.HTTPError:
                assert self.process.poll() is None, "it ended by itself"
                assert time.monotonic() < deadline, "not ready in time"
                time.sleep(0.05)
            else:
                return

    def send(self, message: EmailMessage) -> None:
        with SMTP("127.0.0.1", self.smtp_port) as client:
            client.send_message(message)


@contextmanager
def running_sink(data: Path) -> Iterator[Sink]:
    sink = Sink(data)
    try:
        sink.until_ready()
        yield sink
    finally:
        if sink.process.poll() is None:
            sink.process.kill()
        sink.process.communicate()
        sink.http.close()


def message_of(
    subject: str, *, text: str = "Hello", html: str = "<p>Hello</p>", to: str = "m@example.com"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Goodword <goodword@example.org>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject.encode().hex()[:40]}@example.org>"
    message["X-Goodword-Trace"] = "0af7651916cd43dd8448eb211c80319c"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def test_accepted_mails_survive_a_kill_and_numbers_go_on(tmp_path: Path) -> None:
    with running_sink(tmp_path) as sink:
        sink.send(message_of("one"))
        sink.send(message_of("Zwölf Bücher"))
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(b'{"number":3,"torn')
    with running_sink(tmp_path) as sink:
        sink.send(message_of("three"))
        listed = sink.http.get("/api/mails").json()
        assert [(mail["number"], mail["subject"]) for mail in listed["mails"]] == [
            (3, "three"),
            (2, "Zwölf Bücher"),
            (1, "one"),
        ]
        assert listed["mails"][0]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
        assert sink.http.get("/api/mails", params={"limit": "1"}).json()["mails"] == listed["mails"][:1]
        one = sink.http.get("/api/mails/1").json()
        assert (one["text"].strip(), one["html"].strip()) == ("Hello", "<p>Hello</p>")
        assert "Subject: one" in sink.http.get("/mails/1/raw").text


def test_hostile_mails_are_shown_escaped_and_without_rights(tmp_path: Path) -> None:
    with running_sink(tmp_path) as sink:
        sink.send(message_of(HOSTILE, text=HOSTILE, html=f"<p>hi</p>{HOSTILE}", to=f'"{HOSTILE}" <m@example.com>'))
        for path in ("/", "/mails/1"):
            page = sink.http.get(path)
            assert "<script" not in page.text
            assert "&lt;script&gt;" in page.text
            assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert '<iframe sandbox=""' in sink.http.get("/mails/1").text
        framed = sink.http.get("/mails/1/html")
        assert framed.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert framed.headers["x-content-type-options"] == "nosniff"
        assert sink.http.get("/mails/1/raw").headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/mails/7", 404),
        ("/mails/0/html", 404),
        ("/mails/7/raw", 404),
        ("/api/mails/7", 404),
        ("/api/mails?limit=0", 422),
        ("/api/mails?limit=many", 422),
    ],
)
def test_what_is_not_there_is_answered_so(sink_of_module: Sink, path: str, status: int) -> None:
    assert sink_of_module.http.get(path).status_code == status


@pytest.fixture(scope="module")
def sink_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    with running_sink(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


def test_bytes_that_are_no_proper_mail_are_kept_and_shown(sink_of_module: Sink) -> None:
    with SMTP("127.0.0.1", sink_of_module.smtp_port) as client:
        client.sendmail("a@example.com", ["b@example.com"], BROKEN)
    number = sink_of_module.http.get("/api/mails").json()["mails"][0]["number"]
    for path in ("/", f"/mails/{number}", f"/mails/{number}/raw", f"/api/mails/{number}"):
        assert sink_of_module.http.get(path).status_code == 200


def test_a_taken_port_is_said_and_ends_the_sink(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "goodword.mailsink", "--data", str(tmp_path), "--smtp-port", "0"]
        done = subprocess.run([*command, "--http-port", str(port)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"the page cannot listen on 127.0.0.1:{port}" in done.stderr.decode()


def test_only_the_last_mails_are_kept_in_memory_and_on_disk(tmp_path: Path) -> None:
    box = MailBox(tmp_path, mails_max=10)
    for number in range(100):
        box.put(received_at_ms=0, sender="a@example.com", recipients=["b@example.com"], raw=b"%d" % number)
    box.close()
    assert len((tmp_path / FILE_NAME).read_bytes().splitlines()) <= 20
    box = MailBox(tmp_path, mails_max=10)
    assert [mail.number for mail in box.newest(3)] == [100, 99, 98]
    assert (len(box), box.get(90), box.newest(1)[0].raw) == (10, None, b"99")
    box.close()
