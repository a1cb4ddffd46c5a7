"""A package index for the tests: on this machine, with the faults that real ones have."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
import time


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; counts what it sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, tuple[bytes, str]] = {}
        self.ranges = True
        self.drop_after: list[int] = []
        """Each request in turn is cut off after that many bytes."""
        self.pause = 0.0
        """Seconds between pieces of 64 KiB."""
        self.sent = 0
        self.requests: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that was killed is part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        """Silent."""

    def do_GET(self):  # the name is http.server's
        told = self.headers.get("Range")
        self.server.requests.append((self.path, told))
        if self.path not in self.server.files:
            self.send_error(404)
            return
        data, kind = self.server.files[self.path]
        start, end, status = 0, len(data), 200
        if told and self.server.ranges:
            first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", told).groups()
            start, end, status = int(first), min(int(last) + 1, len(data)), 206
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(end - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.end_headers()
        stop = end
        if self.server.drop_after:
            stop = min(end, start + self.server.drop_after.pop(0))
        for at in range(start, stop, 1 << 16):
            piece = data[at : min(at + (1 << 16), stop)]
            self.wfile.write(piece)
            self.server.sent += len(piece)
            time.sleep(self.server.pause)
        self.close_connection = True


@contextlib.contextmanager
def serving():
    """A running `Server`."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
