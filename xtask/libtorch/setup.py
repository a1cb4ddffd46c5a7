"""Makes `.libtorch` in the repository point at a libtorch 2.11.0, fetching one if need be.

Run by `cargo xtask setup`; needs Python 3.9 or newer with pip, and nothing else.
Order of choice: `LIBTORCH`, `LIBTORCH_USE_PYTORCH` or `--python`, a CUDA PyTorch of the right version
in this Python, the copy fetched earlier, a fresh copy from the package index.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib.util
import os
import pathlib
import platform
import re
import shutil
import sys

from index import Failed, Places
from pins import PLATFORM, VERSION, WHEELS
from wheel import install

HEADER = "torch/csrc/api/include/torch/torch.h"
# Fetched parts and unpacked files lie side by side for a moment.
ROOM = 800_000_000


def say(text: str) -> None:
    """Prints a line of progress."""
    print(text, file=sys.stderr, flush=True)


def cache() -> pathlib.Path:
    """The user's folder for what can be fetched again."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = pathlib.Path(base) if os.path.isabs(base) else pathlib.Path.home() / ".cache"
    return root / "gambol"


def version_in(include: pathlib.Path) -> str | None:
    """The version that the headers state."""
    for name in ("torch/headeronly/version.h", "torch/csrc/api/include/torch/version.h"):
        with contextlib.suppress(OSError):
            told = re.search(r'#define TORCH_VERSION\s*\\?\s*"([^"+]+)', (include / name).read_text())
            if told:
                return told.group(1)
    return None


def check(include: pathlib.Path, lib: pathlib.Path, name: str) -> None:
    """Refuses a libtorch that cannot serve, and says why."""
    if not (lib / "libtorch_cpu.so").exists():
        raise Failed(f"{name}: {lib} has no libtorch_cpu.so.")
    if not (include / HEADER).exists():
        raise Failed(f"{name}: {include} has no {HEADER}.")
    version = version_in(include)
    if version != VERSION:
        text = f"{name}: {lib.parent} is libtorch {version or 'of unknown version'}, needed is {VERSION}."
        if "LIBTORCH_BYPASS_VERSION_CHECK" not in os.environ:
            raise Failed(
                f"{text}\nUnset it to have {VERSION} fetched, or point it at that version "
                "(LIBTORCH_BYPASS_VERSION_CHECK=1 goes on regardless)."
            )
        say(f"warning: {text}")


def python_torch() -> pathlib.Path | None:
    """The folder of the PyTorch that this Python would import; does not import it."""
    try:
        spec = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return None
    return pathlib.Path(spec.origin).parent if spec and spec.origin else None


def relink(link: pathlib.Path, target: pathlib.Path) -> bool:
    """Makes `link` a symbolic link to `target` in one step; whether that changed anything."""
    if link.is_symlink() and os.readlink(link) == str(target):
        return False
    fresh = link.with_name(f"{link.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(target)
    os.replace(fresh, link)
    return True


def use(root: pathlib.Path, include: pathlib.Path, lib: pathlib.Path) -> None:
    """Points `.libtorch` there."""
    folder = root / ".libtorch"
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(exist_ok=True)
    changed = [relink(folder / "include", include), relink(folder / "lib", lib)]
    version = folder / "build-version"
    if any(changed) or not version.exists():
        # Written last: its time tells the build scripts to look again.
        version.write_text(f"{version_in(include) or VERSION}\n")


def fetched(fetch_anew: bool) -> pathlib.Path:
    """The copy in the user's cache, made if it is not there."""
    home = cache()
    final = home / f"libtorch-{VERSION}-cpu-{PLATFORM}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = open(home / "lock", "w", encoding="utf-8")
    except OSError as error:
        raise Failed(f"cannot write to {home}: {error}. XDG_CACHE_HOME chooses another place.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another set-up is fetching libtorch; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if final.exists() and not fetch_anew:
            return final
        machine = f"{platform.system()}-{platform.machine()}".lower().replace("amd64", "x86_64")
        if machine != PLATFORM:
            raise Failed(
                f"this is {machine}; files are pinned for {PLATFORM} only. Install PyTorch {VERSION} for "
                "this machine and run `cargo xtask setup --python`, or set LIBTORCH (docs/setup.md)."
            )
        free = shutil.disk_usage(home).free
        if free < ROOM:
            raise Failed(
                f"{home} has {free / 1e6:.0f} MB free, {ROOM / 1e6:.0f} MB are needed. "
                "XDG_CACHE_HOME chooses another place."
            )
        make(home, final)
    return final


def make(home: pathlib.Path, final: pathlib.Path) -> None:
    """Fetches, verifies and unpacks into `final`, which appears complete or not at all."""
    downloads, fresh = home / "downloads", home / f"{final.name}.new"
    downloads.mkdir(exist_ok=True)
    shutil.rmtree(fresh, ignore_errors=True)
    places = Places.of_this_machine()
    say(f"libtorch {VERSION} (CPU), about 130 MB, into {final}")
    for wheel in WHEELS:
        if not install(wheel, places, downloads, fresh):
            raise Failed(nowhere(places))
    # Stands for libtorch.so of a CPU build; that of the CUDA build would ask for a GPU's libraries.
    (fresh / "lib/libtorch.so").write_text("INPUT(libtorch_cpu.so)\n")
    # torch-sys links `gomp`: it shall be the one that libtorch uses.
    (fresh / "lib/libgomp.so").symlink_to("libgomp.so.1")
    (fresh / "build-version").write_text(f"{VERSION}\n")
    if final.exists():
        shutil.rmtree(final)
    fresh.rename(final)
    shutil.rmtree(downloads, ignore_errors=True)
    say(f"libtorch {VERSION}: every file verified, in place")


def nowhere(places: Places) -> str:
    """What to do when no place has the files."""
    listing = "\n".join(f"  {wheel.filename}\n    sha256 {wheel.sha256}" for wheel in WHEELS)
    wanted = " ".join(f"{wheel.project}=={wheel.version}" for wheel in WHEELS)
    tried = "\n".join(f"  {line}" for line in places.tried) or "  no index and no folder is configured"
    return f"""libtorch {VERSION} could not be fetched. Asked:
{tried}

Any one of these helps:
1. A network connection: run the same command again; what was fetched so far is kept.
2. A folder with these three files, named by GAMBOL_WHEELS=/that/folder (or pip's PIP_FIND_LINKS):
{listing}
   Another machine fetches them with
   pip download --no-deps --only-binary :all: --python-version 3.11 --platform manylinux_2_28_x86_64 \\
     --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 \\
     {wanted}
3. PyTorch {VERSION} in the Python of this machine: cargo xtask setup --python
4. A libtorch {VERSION} of your own: LIBTORCH=/its/folder (with include/ and lib/)"""


def setup(root: pathlib.Path, options: argparse.Namespace) -> str:
    """Does it; gives a line that says which libtorch is in use."""
    own = os.environ.get("LIBTORCH")
    if own:
        if options.fetch or options.python:
            raise Failed("LIBTORCH is set and wins over --fetch and --python; unset it first.")
        include = pathlib.Path(os.environ.get("LIBTORCH_INCLUDE", own)).absolute() / "include"
        lib = pathlib.Path(os.environ.get("LIBTORCH_LIB", own)).absolute() / "lib"
        check(include, lib, "LIBTORCH")
        use(root, include, lib)
        return f"libtorch: {own} (from LIBTORCH)"
    asked = options.python or "LIBTORCH_USE_PYTORCH" in os.environ
    torch = None if options.fetch and not asked else python_torch()
    if asked:
        if torch is None:
            raise Failed(f"{sys.executable} has no torch; install torch=={VERSION} in it first.")
        check(torch / "include", torch / "lib", f"PyTorch of {sys.executable}")
        use(root, torch / "include", torch / "lib")
        return f"libtorch: {torch} (this Python's PyTorch)"
    if torch and (torch / "lib/libtorch_cuda.so").exists():
        version = version_in(torch / "include")
        if version == VERSION:
            check(torch / "include", torch / "lib", "PyTorch")
            use(root, torch / "include", torch / "lib")
            return f"libtorch: {torch} (this Python's CUDA PyTorch; --fetch for a separate one)"
        say(f"note: this Python's PyTorch is {version}, needed is {VERSION}; it is left alone")
    folder = fetched(fetch_anew=False)
    try:
        check(folder / "include", folder / "lib", "the cached copy")
    except Failed as error:
        say(f"{error} It is fetched anew.")
        folder = fetched(fetch_anew=True)
    use(root, folder / "include", folder / "lib")
    return f"libtorch: {folder}"


def main() -> int:
    """The command line; 0 done, 1 not."""
    parser = argparse.ArgumentParser(prog="cargo xtask setup", description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--fetch", action="store_true", help="fetch a copy even if PyTorch is installed")
    choice.add_argument("--python", action="store_true", help="use the PyTorch of this Python")
    options = parser.parse_args()
    try:
        say(setup(options.root.resolve(), options))
    except Failed as error:
        say(f"\nerror: {error}")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted; the same command goes on where this one stopped")
        return 130
    return 0
