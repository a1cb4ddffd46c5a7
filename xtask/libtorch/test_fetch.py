"""Spans, and fetching over a connection that fails."""

import contextlib
import io
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from fetch import BLOCK, JOURNAL_EVERY, Progress, RemoteFile, length, merge, missing
from index import Failed, Http
from server import serving

DATA = random.Random(1).randbytes(3 * JOURNAL_EVERY + 12345)


class Spans(unittest.TestCase):
    def test_against_sets_of_bytes(self):
        draw = random.Random(2)

        def spans():
            starts = [draw.randrange(40) for _ in range(draw.randrange(5))]
            return [(start, start + draw.randrange(8)) for start in starts]

        def as_set(some):
            return {byte for start, end in some for byte in range(start, end)}

        for _ in range(2000):
            wanted, have = spans(), spans()
            self.assertEqual(as_set(merge(wanted)), as_set(wanted))
            self.assertEqual(length(wanted), len(as_set(wanted)))
            self.assertEqual(as_set(missing(wanted, have)), as_set(wanted) - as_set(have))
            for (_, end), (start, _) in zip(merge(wanted), merge(wanted)[1:]):
                self.assertLess(end, start)


class Fetching(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.server = stack.enter_context(serving())
        self.server.files["/file"] = (DATA, "application/zip")
        self.url = f"{self.server.url}/file"
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.part = pathlib.Path(folder) / "file.part"
        self.said = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))

    def remote(self, size=len(DATA)):
        remote = RemoteFile(Http({}), self.url, self.part, size, patience=0.0)
        self.addCleanup(remote.close)
        return remote

    def whole(self, remote):
        remote.seek(0)
        return remote.read(len(DATA))

    def test_reads_fetch_only_their_blocks(self):
        remote = self.remote()
        remote.seek(-10, 2)
        self.assertEqual(remote.read(100), DATA[-10:])
        remote.seek(5 * BLOCK - 3)
        self.assertEqual(remote.read(6), DATA[5 * BLOCK - 3 : 5 * BLOCK + 3])
        self.assertLess(self.server.sent, 4 * BLOCK)

    def test_what_is_here_is_not_fetched_again(self):
        first = self.remote()
        first.fetch([(0, 7 * BLOCK)])
        first.close()
        self.assertEqual(self.whole(self.remote()), DATA)
        self.assertEqual(self.server.sent, len(DATA))

    def test_goes_on_where_the_connection_ended(self):
        self.server.drop_after = [100_000, 3_000_000, 0, 0, 5_000_000]
        self.assertEqual(self.whole(self.remote()), DATA)
        self.assertEqual(self.server.sent, len(DATA))

    def test_gives_up_when_nothing_comes(self):
        self.server.drop_after = [0] * 6
        with self.assertRaisesRegex(Failed, "the connection ended at byte 0"):
            self.remote().fetch([(0, 10)])

    def test_missing_file_is_not_tried_again(self):
        del self.server.files["/file"]
        with self.assertRaisesRegex(Failed, "404"):
            self.remote().fetch([(0, 10)])
        self.assertEqual(len(self.server.requests), 1)

    def test_server_without_ranges_sends_the_whole_file(self):
        self.server.ranges = False
        self.server.drop_after = [0, 2_000_000]
        self.assertEqual(self.whole(self.remote()), DATA)

    def test_another_size_is_another_file(self):
        with self.assertRaisesRegex(Failed, "not the pinned file"):
            self.remote(len(DATA) + 1).fetch([(0, 10)])

    def test_a_journal_that_cannot_be_read_starts_over(self):
        first = self.remote()
        first.fetch([(0, 10)])
        first.close()
        self.part.with_suffix(".journal").write_text("[[0,")
        self.assertEqual(self.whole(self.remote()), DATA)

    def test_a_kill_costs_one_step_of_the_journal_at_most(self):
        self.server.pause = 0.005
        program = (
            "import pathlib, sys; from fetch import RemoteFile; from index import Http\n"
            "file = RemoteFile(Http({}), sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]))\n"
            "file.fetch([(0, int(sys.argv[3]))])"
        )
        arguments = [sys.executable, "-B", "-c", program, self.url, self.part, str(len(DATA))]
        with subprocess.Popen(arguments) as child:
            while self.server.sent < 2 * JOURNAL_EVERY:
                self.assertIsNone(child.poll())
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
        self.server.pause = 0.0
        time.sleep(0.1)
        before = self.server.sent
        self.assertEqual(self.whole(self.remote()), DATA)
        self.assertLessEqual(self.server.sent - before, len(DATA) - JOURNAL_EVERY)


class Showing(unittest.TestCase):
    def test_lines_for_a_log(self):
        out = io.StringIO()
        progress = Progress("torch", 40_000_000, 100_000_000, out)
        for _ in range(60):
            progress.add(1_000_000)
        lines = out.getvalue().splitlines()
        self.assertEqual(len(lines), 1 + 7)
        self.assertTrue(lines[0].startswith("torch: going on at 40.0 of 100.0 MB (40 %)"))
        self.assertTrue(lines[-1].startswith("torch: 100.0 of 100.0 MB (100 %)"))

    def test_one_line_for_a_terminal(self):
        out = io.StringIO()
        out.isatty = lambda: True
        progress = Progress("torch", 0, 1000, out)
        progress.add(500)
        progress.add(500)
        self.assertEqual(out.getvalue().count("\n"), 1)
        self.assertTrue(out.getvalue().endswith("\n"))
        self.assertIn("(100 %)", out.getvalue())


if __name__ == "__main__":
    unittest.main()
