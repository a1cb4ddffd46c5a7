"""From wheels to the folder that cargo is pointed at."""

import argparse
import base64
import contextlib
import dataclasses
import hashlib
import io
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import zipfile

import setup
from index import Failed, Http, Places
from pins import VERSION, WHEELS, Wheel
from server import serving
from wheel import install

FILES = {
    "torch/include/a.h": b"int a;",
    "torch/include/deep/b.h": b"int b;" * 1000,
    "torch/lib/libx.so": random.Random(3).randbytes(700_000),
    "torch/lib/unwanted.so": random.Random(4).randbytes(3_000_000),
}
MEMBERS = {"torch/include/": "include/", "torch/lib/libx.so": "lib/libx.so"}


def made(files, members, recorded=None):
    """A wheel and its pin; `recorded`: what its RECORD says instead of the truth."""
    rows = []
    for name, data in {**files, **(recorded or {})}.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        rows.append(f"{name},sha256={digest},{len(data)}\r\n")
    record = "".join([*rows, "t-1.dist-info/RECORD,,\r\n"]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("torch/include/", b"")
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("t-1.dist-info/RECORD", record)
    data = out.getvalue()
    pin = Wheel(
        project="t",
        version="1",
        filename="t-1.whl",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        record_sha256=hashlib.sha256(record).hexdigest(),
        members=members,
    )
    return data, pin


class Base(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.said = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LIBTORCH")}
        stack.enter_context(unittest.mock.patch.dict(os.environ, clean, clear=True))


class Installing(Base):
    def setUp(self):
        super().setUp()
        context = serving()
        self.server = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.places = Places([], [], [self.server.url], Http({}))
        self.target = self.folder / "target"

    def offer(self, data, pin):
        self.server.files["/t/"] = (f'<a href="/{pin.filename}">x</a>'.encode(), "text/html")
        self.server.files[f"/{pin.filename}"] = (data, "application/zip")

    def install(self, pin):
        return install(pin, self.places, self.folder, self.target)

    def unpacked(self):
        paths = [path for path in self.target.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.target)): path.read_bytes() for path in paths}

    WANTED = {
        "include/a.h": FILES["torch/include/a.h"],
        "include/deep/b.h": FILES["torch/include/deep/b.h"],
        "lib/libx.so": FILES["torch/lib/libx.so"],
    }

    def test_only_the_needed_bytes_travel(self):
        data, pin = made(FILES, MEMBERS)
        self.offer(data, pin)
        self.assertTrue(self.install(pin))
        self.assertEqual(self.unpacked(), self.WANTED)
        self.assertLess(self.server.sent, len(data) // 2)

    def test_server_without_ranges(self):
        data, pin = made(FILES, MEMBERS)
        self.offer(data, pin)
        self.server.ranges = False
        self.assertTrue(self.install(pin))
        self.assertEqual(self.unpacked(), self.WANTED)

    def test_local_folder(self):
        data, pin = made(FILES, MEMBERS)
        (self.folder / pin.filename).write_bytes(data)
        self.places.folders.append(self.folder)
        self.assertTrue(self.install(pin))
        self.assertEqual(self.unpacked(), self.WANTED)
        self.assertEqual(self.server.requests, [])

    def test_damaged_local_file(self):
        data, pin = made(FILES, MEMBERS)
        at = data.index(b"torch/lib/libx.so") + 5000
        (self.folder / pin.filename).write_bytes(data[:at] + b"\0\0" + data[at + 2 :])
        self.places.folders.append(self.folder)
        with self.assertRaisesRegex(Failed, "is damaged"):
            self.install(pin)

    def test_a_member_that_is_not_the_recorded_one(self):
        data, pin = made(FILES, MEMBERS, recorded={"torch/lib/libx.so": b"another"})
        self.offer(data, pin)
        with self.assertRaisesRegex(Failed, "damaged both times.*libx.so: sha256"):
            self.install(pin)

    def test_a_record_that_is_not_the_pinned_one(self):
        data, pin = made(FILES, MEMBERS)
        self.offer(data, pin)
        with self.assertRaisesRegex(Failed, "RECORD: sha256 .* pinned is 000"):
            self.install(dataclasses.replace(pin, record_sha256="000"))

    def test_a_damaged_part_is_fetched_anew(self):
        data, pin = made(FILES, MEMBERS)
        self.offer(data, pin)
        part = self.folder / f"{pin.sha256[:16]}.part"
        part.write_bytes(bytes(len(data)))
        part.with_suffix(".journal").write_text(f"[[0, {len(data)}]]")
        self.assertTrue(self.install(pin))
        self.assertEqual(self.unpacked(), self.WANTED)
        self.assertIn("fetching it anew", self.said.getvalue())

    def test_no_member_leaves_the_folder(self):
        files = {"torch/include/../../x": b"x"}
        data, pin = made(files, {"torch/include/": "include/"})
        self.offer(data, pin)
        with self.assertRaisesRegex(Failed, "leaves the folder"):
            self.install(pin)
        self.assertFalse((self.folder / "x").exists())

    def test_a_pinned_member_must_exist(self):
        data, pin = made(FILES, {**MEMBERS, "torch/lib/gone.so": "lib/gone.so"})
        self.offer(data, pin)
        with self.assertRaisesRegex(Failed, "no member torch/lib/gone.so"):
            self.install(pin)

    def test_nowhere(self):
        _, pin = made(FILES, MEMBERS)
        self.assertFalse(self.install(pin))


def libtorch(folder, version=VERSION, cuda=False):
    """A folder that looks like libtorch."""
    for name in ("include/torch/headeronly/version.h", f"include/{setup.HEADER}", "lib/libtorch_cpu.so"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'#define TORCH_VERSION \\\n  "{version}"\n')
    if cuda:
        (folder / "lib/libtorch_cuda.so").touch()
    return folder


class Choosing(Base):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        self.root.mkdir()
        os.environ["XDG_CACHE_HOME"] = str(self.folder / "cache")
        self.final = self.folder / "cache/gambol" / f"libtorch-{VERSION}-cpu-{setup.PLATFORM}"
        self.torch = None
        patch = unittest.mock.patch.object(setup, "python_torch", lambda: self.torch)
        patch.start()
        self.addCleanup(patch.stop)

    def choose(self, **options):
        setup.setup(self.root, argparse.Namespace(**{"fetch": False, "python": False, **options}))
        lib = (self.root / ".libtorch/lib").resolve()
        include = (self.root / ".libtorch/include").resolve()
        self.assertEqual(lib.parent, include.parent)
        self.assertEqual((self.root / ".libtorch/build-version").read_text(), f"{VERSION}\n")
        return lib.parent

    def test_own_libtorch(self):
        own = libtorch(self.folder / "own")
        os.environ["LIBTORCH"] = str(own)
        self.assertEqual(self.choose(), own)

    def test_own_libtorch_of_another_version(self):
        os.environ["LIBTORCH"] = str(libtorch(self.folder / "own", "2.10.1"))
        with self.assertRaisesRegex(Failed, r"is libtorch 2\.10\.1, needed is 2\.11\.0"):
            self.choose()

    def test_own_libtorch_that_is_none(self):
        os.environ["LIBTORCH"] = str(self.folder)
        with self.assertRaisesRegex(Failed, "has no libtorch_cpu.so"):
            self.choose()

    def test_cuda_pytorch_before_the_cache(self):
        libtorch(self.final)
        self.torch = libtorch(self.folder / "torch", cuda=True)
        self.assertEqual(self.choose(), self.torch)
        self.assertEqual(self.choose(fetch=True), self.final)

    def test_cpu_pytorch_only_when_asked_for(self):
        libtorch(self.final)
        self.torch = libtorch(self.folder / "torch")
        self.assertEqual(self.choose(), self.final)
        self.assertEqual(self.choose(python=True), self.torch)
        os.environ["LIBTORCH_USE_PYTORCH"] = "1"
        self.assertEqual(self.choose(), self.torch)

    def test_pytorch_of_another_version_is_left_alone(self):
        libtorch(self.final)
        self.torch = libtorch(self.folder / "torch", "2.12.0", cuda=True)
        self.assertEqual(self.choose(), self.final)
        with self.assertRaisesRegex(Failed, "is libtorch 2.12.0"):
            self.choose(python=True)

    def test_no_pytorch_when_asked_for(self):
        with self.assertRaisesRegex(Failed, "has no torch"):
            self.choose(python=True)

    def test_version_file_is_touched_by_changes_only(self):
        libtorch(self.final)
        self.choose()
        stamp = self.root / ".libtorch/build-version"
        os.utime(stamp, (1, 1))
        self.choose()
        self.assertEqual(stamp.stat().st_mtime, 1)
        os.environ["LIBTORCH"] = str(libtorch(self.folder / "own"))
        self.choose()
        self.assertGreater(stamp.stat().st_mtime, 1)

    def test_broken_cache_is_made_anew(self):
        self.final.mkdir(parents=True)
        with unittest.mock.patch.object(setup, "make", lambda _home, final: libtorch(final)):
            self.assertEqual(self.choose(), self.final)
        self.assertIn("fetched anew", self.said.getvalue())

    def test_other_machines_are_told(self):
        with unittest.mock.patch.object(setup.platform, "machine", lambda: "riscv64"):
            with self.assertRaisesRegex(Failed, "linux-riscv64; files are pinned for linux-x86_64"):
                self.choose()


class Making(Base):
    def test_message_without_network(self):
        text = setup.nowhere(Places([], [], [], None, ["http://h: refused"]))
        for wheel in WHEELS:
            self.assertIn(f"{wheel.filename}\n    sha256 {wheel.sha256}", text)
            self.assertIn(f"{wheel.project}=={wheel.version}", text)
        for word in ("GAMBOL_WHEELS", "PIP_FIND_LINKS", "LIBTORCH", "--python", "http://h: refused"):
            self.assertIn(word, text)

    @unittest.skipUnless(
        (setup.platform.system(), setup.platform.machine()) == ("Linux", "x86_64"), "pinned files"
    )
    def test_two_at_once_fetch_once(self):
        header = b'#define TORCH_VERSION "%s"' % VERSION.encode()
        files = {
            "torch/lib/libtorch_cpu.so": random.Random(5).randbytes(2_000_000),
            "torch/include/torch/headeronly/version.h": header,
            f"torch/include/{setup.HEADER}": b"",
        }
        members = {"torch/lib/": "lib/", "torch/include/": "include/"}
        data, pin = made(files, members)
        program = (
            "import argparse, pathlib, sys, pins, setup\n"
            f"setup.WHEELS = (pins.{pin!r},)\n"
            "setup.python_torch = lambda: None\n"
            "root = pathlib.Path(sys.argv[1]); root.mkdir()\n"
            "print(setup.setup(root, argparse.Namespace(fetch=False, python=False)))\n"
        )
        with serving() as server:
            server.pause = 0.01
            server.files["/t/"] = (b'<a href="/t-1.whl">x</a>', "text/html")
            server.files["/t-1.whl"] = (data, "application/zip")
            environment = {
                **{k: v for k, v in os.environ.items() if not k.upper().startswith("PIP_")},
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": server.url,
                "XDG_CACHE_HOME": str(self.folder / "cache"),
                "NO_PROXY": "127.0.0.1",
            }
            children = [
                subprocess.Popen(
                    [sys.executable, "-B", "-c", program, self.folder / f"root{i}"],
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                for i in (1, 2)
            ]
            told = [child.communicate(timeout=120) for child in children]
            self.assertEqual([child.returncode for child in children], [0, 0], told)
            self.assertLess(server.sent, len(data) + 2 * (1 << 16))
        self.assertEqual(told[0][0], told[1][0])
        for i in (1, 2):
            lib = self.folder / f"root{i}/.libtorch/lib"
            self.assertEqual(sorted(os.listdir(lib)), ["libgomp.so", "libtorch.so", "libtorch_cpu.so"])
        left = os.listdir(self.folder / "cache/gambol")
        self.assertEqual(sorted(left), [f"libtorch-{VERSION}-cpu-{setup.PLATFORM}", "lock"])


if __name__ == "__main__":
    unittest.main()
