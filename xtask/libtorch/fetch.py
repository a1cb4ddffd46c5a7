"""Fetching parts of a large file over HTTP, so that no byte is ever fetched twice."""

from __future__ import annotations

import http.client
import io
import json
import os
import pathlib
import sys
import time

from index import Failed, Http, without_password

# Everything is fetched in whole blocks: members have small gaps between them, and a request costs
# more than the bytes of a gap.
BLOCK = 1 << 16
# What an interruption can cost at most.
JOURNAL_EVERY = 4 << 20
CHUNK = 1 << 18

Span = tuple  # (start, end), half open


def merge(spans: list[Span]) -> list[Span]:
    """The same bytes as sorted spans that neither touch nor overlap."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def missing(wanted: list[Span], have: list[Span]) -> list[Span]:
    """What of `wanted` is not in `have`."""
    gaps: list[Span] = []
    have = merge(have)
    for start, end in merge(wanted):
        for low, high in have:
            if high <= start or low >= end:
                continue
            if low > start:
                gaps.append((start, low))
            start = high
        if start < end:
            gaps.append((start, end))
    return gaps


def length(spans: list[Span]) -> int:
    """How many bytes they cover."""
    return sum(end - start for start, end in merge(spans))


class Progress:
    """Bytes, percent and speed: one line that rewrites itself, or a line for every tenth."""

    def __init__(self, label: str, done: int, total: int, out=None) -> None:
        out = out or sys.stderr
        self.label, self.done, self.total, self.out = label, done, total, out
        self._live = out.isatty()
        self._begun, self._first, self._shown = time.monotonic(), done, None
        if 20 * done >= total and not self._live:
            print(f"{label}: going on at {self._text()}", file=out, flush=True)

    def _text(self) -> str:
        seconds = max(time.monotonic() - self._begun, 1e-3)
        speed = (self.done - self._first) / seconds / 1e6
        return (
            f"{self.done / 1e6:.1f} of {self.total / 1e6:.1f} MB "
            f"({100 * self.done // max(self.total, 1)} %), {speed:.1f} MB/s"
        )

    def add(self, count: int) -> None:
        """Counts bytes that came in, and shows them."""
        self.done += count
        finished = self.done >= self.total
        if self._live:
            now = time.monotonic()
            if self._shown is None or finished or now - self._shown > 0.1:
                self._shown = now
                end = "\n" if finished else ""
                print(f"\r{self.label}: {self._text()}\x1b[K", end=end, file=self.out, flush=True)
        else:
            # A small file is not worth more than its last line.
            steps = 10 if self.total > 10_000_000 else 1
            step = steps * self.done // max(self.total, 1)
            if step != (self._shown or 0):
                self._shown = step
                print(f"{self.label}: {self._text()}", file=self.out, flush=True)


class NoRanges(Exception):
    """The server sends whole files only."""


class RemoteFile(io.RawIOBase):
    """A file behind an address, read as if it were here; what was read once stays here.

    The bytes lie at their own places in a sparse `.part` file; a journal beside it says which are
    there. Both survive a kill: the journal is only written after the bytes it speaks of.
    """

    def __init__(
        self, http_: Http, url: str, part: pathlib.Path, size: int, label="file", patience=1.0
    ) -> None:
        super().__init__()
        self._http, self._url, self._size = http_, url, size
        self._label, self._patience = label, patience
        self._part, self._journal = part, part.with_suffix(".journal")
        self._position = 0
        self._ranges = True
        self._have: list[Span] = []
        if part.exists():
            try:
                self._have = [(int(a), int(b)) for a, b in json.loads(self._journal.read_text())]
            except (OSError, ValueError, TypeError):
                self._have = []
        self._file = open(part, "r+b" if part.exists() else "w+b")
        self._file.truncate(size)

    # What `zipfile` asks of a file.

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        count = max(0, min(len(buffer), self._size - self._position))
        self.fetch([(self._position, self._position + count)])
        self._file.seek(self._position)
        buffer[:count] = self._file.read(count)
        self._position += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    # Fetching.

    def fetch(self, spans: list[Span], show=False) -> None:
        """Makes the bytes of `spans` be here, and shows how far it is."""
        if not missing(spans, self._have):
            return
        spans = [(a // BLOCK * BLOCK, min(-(-b // BLOCK) * BLOCK, self._size)) for a, b in spans]
        progress = None
        if show:
            total = length(spans)
            progress = Progress(self._label, total - length(missing(spans, self._have)), total)
        failures = 0
        while True:
            gaps = missing(spans if self._ranges else [(0, self._size)], self._have)
            if not gaps:
                return
            before = length(self._have)
            try:
                self._stream(*gaps[0], progress)
            except NoRanges:
                # Nothing can be resumed either, so the whole file comes in one go.
                self._ranges, self._have = False, []
                progress = Progress(f"{self._label} (whole file)", 0, self._size)
            except (OSError, http.client.HTTPException) as error:
                code = getattr(error, "code", None)
                if code is not None and code < 500 and code not in (408, 429):
                    raise Failed(f"{without_password(self._url)}: {error}") from error
                if not self._ranges:
                    self._have = []
                    if progress is not None:
                        progress.done = 0
                gained = length(self._have) > before
                failures = 1 if gained else failures + 1
                if failures > 5:
                    raise Failed(f"{without_password(self._url)}: {error}") from error
                print(f"\n{error}; trying again", file=sys.stderr, flush=True)
                time.sleep(self._patience * 2 ** (failures - 1))

    def _stream(self, start: int, end: int, progress: Progress | None) -> None:
        headers = {"Accept-Encoding": "identity"}
        if self._ranges:
            headers["Range"] = f"bytes={start}-{end - 1}"
        with self._http.open(self._url, headers) as answer:
            if self._ranges and answer.status != 206:
                raise NoRanges
            if self._ranges:
                told = answer.headers.get("Content-Range", "")
                expected = f"bytes {start}-{end - 1}/{self._size}"
                if told.strip() != expected:
                    raise Failed(
                        f"{without_password(self._url)} answers with {told!r} instead of "
                        f"{expected!r}: that is not the pinned file."
                    )
            at, saved = start, start
            self._file.seek(start)
            try:
                while at < end:
                    chunk = answer.read(min(CHUNK, end - at))
                    if not chunk:
                        raise OSError(f"the connection ended at byte {at} of {end}")
                    self._file.write(chunk)
                    at += len(chunk)
                    if progress is not None:
                        progress.add(len(chunk))
                    if at - saved >= JOURNAL_EVERY:
                        self._save(saved, at)
                        saved = at
            finally:
                # Also when the user presses Ctrl-C.
                self._save(saved, at)

    def _save(self, start: int, end: int) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._have = merge([*self._have, (start, end)])
        fresh = self._journal.with_suffix(".journal-new")
        fresh.write_text(json.dumps(self._have))
        os.replace(fresh, self._journal)

    def discard(self) -> None:
        """Forgets everything fetched so far, here and on the disk."""
        self.close()
        for path in (self._part, self._journal):
            path.unlink(missing_ok=True)
