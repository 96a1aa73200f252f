"""A platform that is a function, and requests without a server."""

from __future__ import annotations

import json
from typing import Any

from flowthings_like import API, Token
from flowthings_like.green import detect

__all__ = ["Platform", "serve"]


class Platform:
    """Answers every read with the token that asked, and records what it was asked.

    Attributes:
        asked: (token, method, number of things asked for) of each request.
        entered: set when a request has come while `held` is there.
        held: an event that requests wait for; None lets them pass.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.entered = detect().event()
        self.held: Any = None

    def api(self, **options: Any) -> API:
        """An API of it, with the process's own credentials."""
        return API(Token("acme", "own"), host="platform", request=self, **options)

    def hold(self) -> Any:
        """Let requests wait from now on, until the event that is returned is set."""
        self.held = detect().event()
        return self.held

    def __call__(
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Any = None,
        creds: Any = None,
        timeout: Any = None,
    ) -> Any:
        sent = json.loads(data) if data else None
        self.asked.append((creds.token, method, len(sent) if isinstance(sent, list) else 1))
        if self.held is not None:
            self.entered.set()
            assert self.held.wait(20)
        found: Any
        if method == "MGET":
            found = {id: {"id": id, "token": creds.token} for id in sent}
        elif method == "GET" and url.count("/") > 5:
            found = {"id": url.rpartition("/")[2], "token": creds.token}
        else:
            found = {"id": "new", "token": creds.token}
        head = {"ok": True, "status": 200, "errors": [], "messages": []}
        return json.dumps({"head": head, "body": found}), {}, 200


def serve(application: Any, **environ: Any) -> tuple[str, bytes]:
    """Call an application as a server does whose client reads all of the response. Its status and body."""
    begun: list[str] = []
    response = application(environ, lambda status, *_: begun.append(status))
    try:
        body = b"".join(response)
    finally:
        getattr(response, "close", lambda: None)()
    return begun[-1], body
