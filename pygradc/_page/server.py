"""The server of the playground, where a typed expression is explained live.

It listens on this machine alone and answers only requests that name it so: a page from
elsewhere, whose name was made to point here, is refused.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

from pygradc import _parse, errors

HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")
MOST_QUERY = 40_000  # characters of a request
MOST_ELEMENTS = 1_000  # of the values together
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "frame-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
)
_FILES = {
    "/": ("playground.html", "text/html"),
    "/playground.css": ("playground.css", "text/css"),
    "/playground.js": ("playground.js", "text/javascript"),
}


def open_server(port):
    """A server on `port` of this machine alone, which answers in threads.

    Raises
    ------
    OSError, OverflowError
        The port cannot be used.
    """
    server = ThreadingHTTPServer((HOST, port), _Handler)
    server.daemon_threads = True
    return server


def explained(expression, values):
    """The page of an expression.

    Parameters
    ----------
    expression : str
    values : str
        As in ``x=2, w=[1, 2]``, or "".

    Raises
    ------
    GradcError
        It cannot be explained.
    """
    import pygradc as pg

    at = _parse.read_values(_split(values))
    if sum(getattr(v, "size", 1) for v in at.values()) > MOST_ELEMENTS:
        raise errors.ArgumentError(f"more than {MOST_ELEMENTS} numbers are given")
    names = _parse.parse(expression).names
    at = {n: v for n, v in at.items() if n in names}  # as one types, some are not there
    return pg.explain(expression, at=at or None).html()


def _split(values):
    """The parts between commas and lines, but not within brackets."""
    parts, depth = [""], 0
    for c in values:
        depth += (c in "[(") - (c in "])")
        if c in ",;\n" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += c
    parts = [p.strip() for p in parts if p.strip()]
    for p in parts:
        if p.partition("=")[2].strip().startswith("@"):
            raise errors.ArgumentError("files are read on the command line alone")
    return parts


class _Handler(BaseHTTPRequestHandler):
    """Answers one browser."""

    timeout = 20  # s, for whoever connects and says nothing
    busy = threading.Lock()  # one explanation at a time
    server_version, sys_version = "pygradc", ""

    def do_GET(self):
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in NAMES:
            self._send(403, "text/plain", "this server has another name")
            return
        path = urlsplit(self.path)
        if path.path == "/explain":
            self._explain(path.query)
        elif path.path in _FILES:
            name, kind = _FILES[path.path]
            file = files("pygradc._page").joinpath(name)
            self._send(200, kind, file.read_text(encoding="utf-8"), _POLICY)
        else:
            self._send(404, "text/plain", "there is nothing here")

    def _explain(self, query):
        if len(query) > MOST_QUERY:
            self._send(413, "text/plain", "the request is too long")
            return
        given = parse_qs(query, keep_blank_values=True)
        text, at = (given.get(k, [""])[0] for k in ("expression", "at"))
        try:
            with self.busy:
                page = explained(text, at)
        except errors.GradcError as e:
            self._send(400, "text/plain", str(e))
        except MemoryError:
            self._send(400, "text/plain", "there is not enough memory for this")
        else:
            self._send(200, "text/html", page)

    def _send(self, code, kind, text, policy=None):
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Says nothing: the page shows what is wrong."""
