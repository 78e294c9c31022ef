"""A browser that is driven: Chromium behind the DevTools protocol, over a pipe.

https://chromedevtools.github.io/devtools-protocol/
"""

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.served import PATIENCE
from tests.clients.test_browser import CHROMIUM


class Browser:
    """One window. Pages that ask for a password get `login`, if there is one, as a person would type it."""

    def __init__(self, commands: int, answers: int, login: tuple[str, str] | None, patience: float) -> None:
        self._commands, self._answers, self._login, self._patience = commands, answers, login, patience
        self._received = b""
        self._number = 0
        self._loaded = 0  # documents so far
        self._session = ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")
        self._call("Fetch.enable", handleAuthRequests=True)

    def visit(self, url: str) -> str:
        """Open a URL; return the document."""
        return self._document_after("Page.navigate", url=url)

    def click(self, selector: str) -> str:
        """Click what a CSS selector finds, which leads to another page; return its document."""
        expression = f"document.querySelector({json.dumps(selector)}).click()"
        return self._document_after("Runtime.evaluate", expression=expression)

    @property
    def url(self) -> str:
        return str(self._evaluate("location.href"))

    def _document_after(self, method: str, **parameters: object) -> str:
        before = self._loaded
        self._call(method, **parameters)
        while self._loaded == before:
            self._handle(self._receive())
        return str(self._evaluate("document.documentElement.outerHTML"))

    def value_of(self, promise: str) -> object:
        """Return the value of a promise, which an expression of JavaScript creates."""
        answer = self._call("Runtime.evaluate", expression=promise, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def _evaluate(self, expression: str) -> object:
        return self._call("Runtime.evaluate", expression=expression)["result"]["value"]

    def _call(self, method: str, **parameters: object) -> Any:
        number = self._send(method, **parameters)
        while (answer := self._receive()).get("id") != number:
            self._handle(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _send(self, method: str, **parameters: object) -> int:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        return self._number

    def _handle(self, message: Mapping[str, Any]) -> None:
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded += 1
            case "Fetch.requestPaused":
                self._send("Fetch.continueRequest", requestId=message["params"]["requestId"])
            case "Fetch.authRequired":
                self._answer_challenge(message["params"]["requestId"])

    def _answer_challenge(self, request: str) -> None:
        answer: dict[str, str] = {"response": "CancelAuth"}
        if self._login is not None:
            answer = {"response": "ProvideCredentials", "username": self._login[0], "password": self._login[1]}
        self._send("Fetch.continueWithAuth", requestId=request, authChallengeResponse=answer)

    def _receive(self) -> Mapping[str, Any]:
        deadline = time.monotonic() + self._patience
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            more = os.read(self._answers, 1 << 16)
            assert more, "the browser has ended"
            self._received += more
        text, _, self._received = self._received.partition(b"\0")
        message: Mapping[str, Any] = json.loads(text)
        return message


@contextmanager
def browser(
    profile: Path, *switches: str, login: tuple[str, str] | None = None, patience: float = PATIENCE
) -> Iterator[Browser]:
    """Run Chromium, headless.

    :param login: the user name and the password that the person knows.
    :param patience: the seconds that it may take for an answer.
    """
    commands_in, commands_out = os.pipe()
    answers_in, answers_out = os.pipe()
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={profile}", *switches]

    def place() -> None:  # in the child: Chromium reads commands from 3, and writes answers to 4
        commands, answers = os.dup2(commands_in, 100), os.dup2(answers_out, 101)
        os.dup2(commands, 3)
        os.dup2(answers, 4)

    process = subprocess.Popen(
        [*command, "--remote-debugging-pipe", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=place,
        close_fds=False,
    )
    os.close(commands_in)
    os.close(answers_out)
    try:
        yield Browser(commands_out, answers_in, login, patience)
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(commands_out)
        os.close(answers_in)
