"""Where files are looked for."""

import contextlib
import json
import pathlib
import tempfile
import unittest

from index import Failed, Http, Places, default_index, links, parse_pip_config, without_password
from pins import WHEELS
from server import serving

WHEEL = WHEELS[1]


class PipConfig(unittest.TestCase):
    def test_environment_beats_command_beats_global(self):
        listing = (
            ":env:.timeout='7'\n"
            "download.index-url='https://b/simple'\n"
            "global.index-url='https://a/simple'\n"
            "global.timeout='3'\n"
            "global.find-links='/x\\n/y'\n"
            "list.format='json'\n"
            "a line that is no option\n"
        )
        self.assertEqual(
            parse_pip_config(listing),
            {"timeout": "7", "index-url": "https://b/simple", "find-links": "/x\n/y"},
        )

    def test_pip_tells_its_index(self):
        self.assertTrue(default_index().startswith("https://"))

    def test_passwords_are_not_shown(self):
        shown = without_password("https://user:secret@host:8/simple/torch/")
        self.assertEqual(shown, "https://host:8/simple/torch/")


class Pages(unittest.TestCase):
    def test_html(self):
        digest = "0" * 64
        page = f'<base href="../files/"><a href="a%2B1.whl#sha256={digest}">a</a><a href="/b.whl">b</a>'
        self.assertEqual(
            links(page.encode(), "text/html", "http://h/simple/a/"),
            {
                "a+1.whl": ("http://h/simple/files/a%2B1.whl", digest),
                "b.whl": ("http://h/b.whl", None),
            },
        )

    def test_json(self):
        page = {"files": [{"filename": "a.whl", "url": "../../a.whl", "hashes": {"sha256": "ab"}}]}
        self.assertEqual(
            links(json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json", "http://h/s/a/"),
            {"a.whl": ("http://h/a.whl", "ab")},
        )


class Finding(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.server = stack.enter_context(serving())
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.places = Places([self.folder], [], [f"{self.server.url}/simple/"], Http({}))
        self.page = f"/simple/{WHEEL.project}/"

    def offer(self, digest):
        page = f'<a href="/files/{WHEEL.filename}#sha256={digest}">x</a>'
        self.server.files[self.page] = (page.encode(), "text/html")

    def test_index(self):
        self.offer(WHEEL.sha256)
        self.assertEqual(self.places.find(WHEEL), f"{self.server.url}/files/{WHEEL.filename}")

    def test_folder_first(self):
        self.offer(WHEEL.sha256)
        path = self.folder / WHEEL.filename
        with open(path, "wb") as file:
            file.truncate(WHEEL.size)
        self.assertEqual(self.places.find(WHEEL), path)

    def test_another_hash_is_passed_over(self):
        self.offer("0" * 64)
        self.assertIsNone(self.places.find(WHEEL))
        self.assertIn("not the pinned one", self.places.tried[-1])

    def test_what_was_tried_is_told(self):
        self.places.indexes.append("http://user:secret@127.0.0.1:1/simple")
        self.server.files[self.page] = (b"<a href='other.whl'>x</a>", "text/html")
        self.assertIsNone(self.places.find(WHEEL))
        told = "\n".join(self.places.tried)
        self.assertIn(f"{self.folder}: no {WHEEL.filename}", told)
        self.assertIn(f"does not list {WHEEL.filename}", told)
        self.assertIn("refused", told)
        self.assertNotIn("secret", told)

    def test_credentials_go_to_their_host(self):
        self.places.http.remember_credentials("http://me:p%40ss@127.0.0.1/simple")
        self.assertEqual(self.places.http._authorization("127.0.0.1"), "Basic bWU6cEBzcw==")
        self.assertIsNone(self.places.http._authorization("elsewhere.invalid"))


class Failing(unittest.TestCase):
    def test_pip_missing_is_said(self):
        import index

        real = index.sys.executable
        index.sys.executable = "/bin/false"
        try:
            with self.assertRaisesRegex(Failed, "Install pip"):
                index.pip_output("config", "list")
        finally:
            index.sys.executable = real


if __name__ == "__main__":
    unittest.main()
