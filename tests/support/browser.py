"""A real Chromium without a screen, driven through its own debugging pipe: no driver, no port, no other dependency.

Messages are JSON, ended by a zero byte, on file descriptors 3 and 4 (Chromium's `--remote-debugging-pipe`).
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ANSWER_S_MAX = 60.0


def chromium_or_skip() -> str:
    """The browser's path; the test is skipped where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium here (none of {', '.join(NAMES)}); on Debian and Ubuntu: apt install chromium")
    return found


class Page:
    """One tab.

    Attributes:
        requests: Every URL that the page asked for.
        complaints: What the console said as errors: refused by the policy, not found, thrown.
    """

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._buffer = b""
        self._ids = itertools.count(1)
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def open(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        id = next(self._ids)
        message: dict[str, Any] = {"id": id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_S_MAX
        while True:
            told = self._next(deadline)
            if told.get("id") == id:
                assert "error" not in told, told
                return told["result"]
            self._note(told)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            received = os.read(self._read, 1 << 20)
            assert received, "the browser has ended"
            self._buffer += received
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def _note(self, told: dict[str, Any]) -> None:
        method, parameters = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])

    def go(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.until("document.documentElement?.dataset.ready === 'yes'")

    def evaluate(self, expression: str) -> Any:
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, expression: str) -> None:
        deadline = time.monotonic() + ANSWER_S_MAX
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"never: {expression}\n{self.evaluate('document.body.innerText')}"
            time.sleep(0.05)

    def press(self, key: str, *, modifiers: int = 0) -> None:
        """A key as a person presses it; modifiers: 2 is Ctrl, 8 is Shift."""
        codes = {"Tab": 9, "Enter": 13}
        about: dict[str, Any] = {"key": key, "code": key, "modifiers": modifiers}
        about["windowsVirtualKeyCode"] = codes.get(key, 0)
        text = {"Enter": "\r"}.get(key, "")
        kind = {"type": "keyDown", "text": text} if text and not modifiers else {"type": "rawKeyDown"}
        self.call("Input.dispatchKeyEvent", **about, **kind)
        self.call("Input.dispatchKeyEvent", **about, type="keyUp")

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def size(self, width: int, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefer(self, scheme: str) -> None:
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))


@contextmanager
def browsing() -> Iterator[Page]:
    """A page in a browser of its own, with a profile of its own; both are gone in the end."""
    path = chromium_or_skip()
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    profile = tempfile.mkdtemp(prefix="goodword-browser-")
    command = [path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"]
    command += [f"--user-data-dir={profile}", "about:blank"]

    # Chromium reads from 3 and writes to 4: a small program puts our pipes there and becomes it.
    become = (
        "import os, sys; read, write = (os.dup2(int(each), place) for each, place in zip(sys.argv[1:3], (50, 51)));"
        "os.dup2(read, 3); os.dup2(write, 4); os.execv(sys.argv[3], sys.argv[3:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", become, str(to_browser), str(to_us), *command],
        pass_fds=(to_browser, to_us), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_browser)
    os.close(to_us)
    page = Page(from_browser, from_us)
    try:
        page.open()
        yield page
    finally:
        process.kill()
        process.wait()
        os.close(from_us)
        os.close(from_browser)
        shutil.rmtree(profile, ignore_errors=True)
