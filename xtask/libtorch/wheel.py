"""Taking the pinned members out of a wheel, each checked before it counts."""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import pathlib
import posixpath
import sys
import zipfile
import zlib

from fetch import CHUNK, RemoteFile
from index import Failed, Places
from pins import Wheel


class Damaged(Exception):
    """The bytes are not the pinned ones."""


def read_record(archive: zipfile.ZipFile, wheel: Wheel) -> dict[str, str]:
    """Member to sha256 (hexadecimal), from the wheel's own list, once that list is verified."""
    name = next((n for n in archive.namelist() if n.endswith(".dist-info/RECORD")), None)
    if name is None:
        raise Damaged(f"{wheel.filename} has no RECORD")
    data = archive.read(name)
    digest = hashlib.sha256(data).hexdigest()
    if digest != wheel.record_sha256:
        raise Damaged(f"{name}: sha256 {digest}, pinned is {wheel.record_sha256}")
    hashes = {}
    for row in csv.reader(data.decode().splitlines()):
        if len(row) == 3 and row[1].startswith("sha256="):
            raw = base64.urlsafe_b64decode(row[1][len("sha256=") :] + "=")
            hashes[row[0]] = binascii.hexlify(raw).decode()
    return hashes


def chosen(archive: zipfile.ZipFile, wheel: Wheel) -> list[tuple[zipfile.ZipInfo, str]]:
    """The members to take and the place of each below the target folder."""
    members = []
    for info in archive.infolist():
        if info.is_dir():
            continue
        for source, target in wheel.members.items():
            if source.endswith("/") and info.filename.startswith(source):
                place = target + info.filename[len(source) :]
            elif info.filename == source:
                place = target
            else:
                continue
            if posixpath.isabs(place) or ".." in place.split("/"):
                raise Damaged(f"{wheel.filename}: member {info.filename!r} leaves the folder")
            members.append((info, place))
    for source in wheel.members:
        if not any(info.filename.startswith(source) for info, _ in members):
            raise Damaged(f"{wheel.filename}: no member {source}")
    return members


def spans(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> list[tuple[int, int]]:
    """The bytes of the file that hold `members`: from each header to the next one."""
    starts = sorted({info.header_offset for info in archive.infolist()} | {archive.start_dir})
    following = dict(zip(starts, starts[1:]))
    return [(info.header_offset, following[info.header_offset]) for info in members]


def extract(archive: zipfile.ZipFile, wheel: Wheel, target: pathlib.Path) -> None:
    """Writes the pinned members below `target`; raises `Damaged` at the first wrong one."""
    hashes = read_record(archive, wheel)
    for info, place in chosen(archive, wheel):
        path = target / place
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with archive.open(info) as source, open(path, "wb") as out:
            while True:
                chunk = source.read(CHUNK)
                if not chunk:
                    break
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != hashes.get(info.filename):
            raise Damaged(
                f"{info.filename}: sha256 {digest.hexdigest()}, pinned is {hashes.get(info.filename)}"
            )


# How a wrong byte shows, depending on where it is.
WRONG_BYTES = (Damaged, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


def install(wheel: Wheel, places: Places, downloads: pathlib.Path, target: pathlib.Path) -> bool:
    """Puts the wheel's members below `target`; `False` if no place has the wheel.

    Parts of an interrupted fetch are used; if what they give is damaged, they are fetched anew once.
    """
    found = places.find(wheel)
    if found is None:
        return False
    label = f"{wheel.project} {wheel.version}"
    if isinstance(found, pathlib.Path):
        print(f"{label}: from {found}", file=sys.stderr, flush=True)
        try:
            with zipfile.ZipFile(found) as archive:
                extract(archive, wheel, target)
        except WRONG_BYTES as error:
            raise Failed(f"{found} is damaged: {error}") from error
        return True
    for attempt in (1, 2):
        part = downloads / f"{wheel.sha256[:16]}.part"
        remote = RemoteFile(places.http, found, part, wheel.size, label)
        try:
            with zipfile.ZipFile(remote) as archive:
                members = [info for info, _ in chosen(archive, wheel)]
                members += [i for i in archive.infolist() if i.filename.endswith("/RECORD")]
                remote.fetch(spans(archive, members), show=True)
                extract(archive, wheel, target)
            remote.close()
            return True
        except WRONG_BYTES as error:
            remote.discard()
            if attempt == 2:
                raise Failed(f"{label}: fetched twice, damaged both times: {error}") from error
            print(f"{label}: {error}; fetching it anew", file=sys.stderr, flush=True)
        finally:
            remote.close()
    return False
