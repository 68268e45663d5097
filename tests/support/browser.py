"""A real Chromium, headless, spoken to over the pipes of its DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--remote-debugging-pipe",
)
PATIENCE = 60.0
"""Seconds for one answer"""


def found() -> str | None:
    """Return the path of a Chromium: $CHROME, or one on the path."""
    given = os.environ.get("CHROME")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page in the browser.

    Attributes:
        complaints: what was written to the console as a warning or an error, what was thrown, and
            what could not be loaded, since the page was opened.
    """

    def __init__(self, commands: int, answers: int) -> None:
        """Take over the first page of a browser that reads and writes these descriptors."""
        self._commands, self._answers = commands, answers
        self._buffer, self._number, self._session = b"", 0, ""
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, url: str, width: int, height: int, dark: bool = False) -> None:
        """Load a page at a size in CSS pixels, and wait until it and its images are there."""
        self.complaints.clear()
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=width < 600, **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)
        ready = f"document.readyState === 'complete' && location.href === {json.dumps(url)}"
        deadline = time.monotonic() + PATIENCE
        while not self.value(ready):
            assert time.monotonic() < deadline, f"{url} does not load"
            time.sleep(0.05)
        self.value("Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression gives, awaited if it is a promise."""
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self.call("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Save a picture of the whole page, as far down as it goes."""
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(image["data"]))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command of the protocol; returns its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = os.read(self._answers, 1 << 20)
            assert more, "the browser has gone"
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.loadingFailed":
            self.complaints.append(params["errorText"])


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """Open a page in a browser of its own, with a fresh profile in a folder."""
    program = found()
    assert program
    from_us, commands = os.pipe()
    answers, to_us = os.pipe()

    def wire() -> None:
        # the protocol is read from descriptor 3 and written to 4; high copies first, lest one
        # of the two be overwritten before it is copied
        os.dup2(from_us, 1003)
        os.dup2(to_us, 1004)
        os.dup2(1003, 3)
        os.dup2(1004, 4)

    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        preexec_fn=wire,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us)
    os.close(to_us)
    try:
        yield Page(commands, answers)
    finally:
        os.close(commands)
        process.terminate()
        process.wait(timeout=20)
        os.close(answers)
