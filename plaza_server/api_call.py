"""How a command asks the running plaza: its API, with a person's token from the environment.

The token is never taken from the command line, which others can read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from plaza_server.config import load_config
from tolling.errors import BadInputError, RefusedError

TOKEN = "PLAZA_TOKEN"  # noqa: S105 - the name of a variable, not a secret
TIMEOUT_S = 30


def call_plaza(config: Path, url: str, method: str, path: str, body: dict[str, Any] | None) -> Any:
    """Return what the running plaza answers to a call; PLAZA_TOKEN says who asks.

    Args:   url: where it serves; empty: host and port of the file. path: with its query.
    Raises: RefusedError: it says no. BadInputError: no plaza there, or nobody's token.
    """
    checked = load_config(config)
    base = (url or f"http://{checked.http.host}:{checked.http.port}").rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise BadInputError(where="--url", what="no http or https address")
    token = os.environ.get(TOKEN, "")
    if not token:
        what = "nobody's token is given"
        raise BadInputError(where=TOKEN, what=what, do="Set it to what add-operator printed")
    data = None if body is None else json.dumps(body).encode("utf-8")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = Request(  # noqa: S310 - http or https, asserted above
        f"{base}{path}", data=data, headers=headers, method=method
    )
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)
    except HTTPError as error:
        raise RefusedError(where="plaza", what=_detail(error)) from None
    except (URLError, OSError, ValueError):
        what = "does not answer"
        raise BadInputError(
            where=f"plaza at {base}", what=what, do="Start it, or give --url"
        ) from None


def _detail(error: HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"answers {error.code}"
