"""Where the files are: folders of wheels and package indexes, as this machine's pip is set up."""

from __future__ import annotations

import ast
import base64
import html.parser
import json
import netrc
import os
import pathlib
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

from pins import Wheel


class Failed(Exception):
    """The set-up cannot go on; the text tells the user why and what to do."""


def parse_pip_config(listing: str) -> dict[str, str]:
    """The options in force for `pip download`, from what `pip config list` prints.

    pip lets the environment win over a command's own section, and that over `[global]`.
    """
    rank = {"global": 0, "install": 1, "download": 2, ":env:": 3}
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if not equals or section not in rank:
            continue
        try:
            value = str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            continue
        if name not in found or rank[section] >= found[name][0]:
            found[name] = (rank[section], value)
    return {name: value for name, (_, value) in found.items()}


def pip_output(*arguments: str) -> str:
    """What pip prints; pip is how a machine says where its packages come from."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Failed(
            f"`{' '.join(command)}` failed: {reason}\n"
            "The set-up asks pip where packages come from. Install pip for this Python "
            "(the package python3-pip on most systems) and run the set-up again."
        )
    return done.stdout


def default_index() -> str:
    """The index that pip asks when nothing is configured."""
    try:
        from pip._internal.models.index import PyPI

        return str(PyPI.simple_url)
    except (ImportError, AttributeError):
        # Not an interface that pip promises; its help text names the same address.
        text = re.sub(r"\s+", " ", pip_output("download", "--help"))
        told = re.search(r"Base URL of the Python Package Index \(default (\S+)\)", text)
        if told is None:
            raise Failed("pip does not tell its index; set PIP_INDEX_URL to it.") from None
        return told.group(1)


def without_password(url: str) -> str:
    """The address as it may be shown."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class Http:
    """HTTP as pip would do it on this machine: certificates, proxy, credentials."""

    def __init__(self, pip: dict[str, str]) -> None:
        try:
            self.timeout = max(15.0, float(pip.get("default-timeout", pip.get("timeout", "15"))))
        except ValueError:
            self.timeout = 15.0
        self._trusted = set(pip.get("trusted-host", "").split())
        self._credentials: dict[str, str] = {}
        proxies = {"http": pip["proxy"], "https": pip["proxy"]} if pip.get("proxy") else None
        self._strict = self._opener(self._context(pip), proxies)
        self._lax = self._opener(ssl._create_unverified_context(), proxies)

    @staticmethod
    def _context(pip: dict[str, str]) -> ssl.SSLContext:
        context = ssl.create_default_context()
        given = pip.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE")
        given = given or os.environ.get("CURL_CA_BUNDLE")
        if given:
            folder = os.path.isdir(given)
            context.load_verify_locations(None if folder else given, given if folder else None)
        elif not context.cert_store_stats()["x509_ca"]:
            # A Python without the system's certificates: take the ones that pip brings.
            try:
                from pip._vendor import certifi

                context.load_verify_locations(certifi.where())
            except (ImportError, OSError):
                pass
        if pip.get("client-cert"):
            context.load_cert_chain(pip["client-cert"])
        return context

    @staticmethod
    def _opener(context, proxies):
        handlers = [urllib.request.HTTPSHandler(context=context)]
        if proxies:
            handlers.append(urllib.request.ProxyHandler(proxies))
        return urllib.request.build_opener(*handlers)

    def remember_credentials(self, url: str) -> None:
        """Keeps the credentials in `url` for every address on its host, as pip does."""
        parts = urllib.parse.urlsplit(url)
        if "@" in parts.netloc and parts.username is not None:
            user = urllib.parse.unquote(parts.username)
            password = urllib.parse.unquote(parts.password or "")
            self._credentials[parts.hostname or ""] = f"{user}:{password}"

    def _authorization(self, host: str) -> str | None:
        if host not in self._credentials:
            try:
                entry = netrc.netrc().authenticators(host)
            except (OSError, netrc.NetrcParseError):
                entry = None
            if entry is None:
                return None
            self._credentials[host] = f"{entry[0]}:{entry[2]}"
        return "Basic " + base64.b64encode(self._credentials[host].encode()).decode()

    def open(self, url: str, headers: dict[str, str]):
        """A response; raises `OSError` (which `URLError` is) when there is none."""
        request = urllib.request.Request(without_password(url), headers=headers)
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        authorization = self._authorization(host)
        if authorization:
            # Must not follow a redirection to another host.
            request.add_unredirected_header("Authorization", authorization)
        lax = host in self._trusted or f"{host}:{parts.port}" in self._trusted
        return (self._lax if lax else self._strict).open(request, timeout=self.timeout)


class _Anchors(html.parser.HTMLParser):
    """The links of an HTML index page."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag, attrs):
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)
        elif tag == "base" and href and self.base is None:
            self.base = href


def links(page: bytes, content_type: str, url: str) -> dict[str, tuple[str, str | None]]:
    """File name to its address and the sha256 that the page announces, from either form of page."""
    found: dict[str, tuple[str, str | None]] = {}
    if "json" in content_type:
        for entry in json.loads(page)["files"]:
            address = urllib.parse.urljoin(url, entry["url"])
            found[entry["filename"]] = (address, entry.get("hashes", {}).get("sha256"))
        return found
    anchors = _Anchors()
    anchors.feed(page.decode("utf-8", "replace"))
    base = urllib.parse.urljoin(url, anchors.base or "")
    for href in anchors.hrefs:
        address, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(base, href))
        name = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rpartition("/")[2])
        told = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment)
        found[name] = (address, told.group(1) if told else None)
    return found


@dataclass
class Places:
    """Everywhere to look for a wheel, in order, and what came of it."""

    folders: list[pathlib.Path]
    """Folders that hold wheels."""
    pages: list[str]
    """Pages that link to wheels, the same for every project."""
    indexes: list[str]
    """Package indexes: below each a page for every project."""
    http: Http
    tried: list[str] = field(default_factory=list)
    """Why each place did not serve, for the message at the end."""

    @classmethod
    def of_this_machine(cls) -> Places:
        """`GAMBOL_WHEELS`, then the places that pip is configured to ask."""
        pip = parse_pip_config(pip_output("config", "list"))
        places = cls([], [], [], Http(pip))
        if os.environ.get("GAMBOL_WHEELS"):
            places.folders.append(pathlib.Path(os.environ["GAMBOL_WHEELS"]).expanduser())
        for place in pip.get("find-links", "").split():
            if place.startswith("file:"):
                path = urllib.request.url2pathname(urllib.parse.urlsplit(place).path)
                places.folders.append(pathlib.Path(path))
            elif "://" in place:
                places.pages.append(place)
            else:
                places.folders.append(pathlib.Path(place).expanduser())
        if pip.get("no-index", "").lower() not in ("1", "true", "yes", "on", "y", "t"):
            places.indexes.append(pip.get("index-url") or default_index())
            places.indexes.extend(pip.get("extra-index-url", "").split())
        for url in places.pages + places.indexes:
            places.http.remember_credentials(url)
        return places

    def find(self, wheel: Wheel) -> pathlib.Path | str | None:
        """A local file, or an address, that claims to be the wheel; `None` if there is none."""
        for folder in self.folders:
            path = folder / wheel.filename
            if path.is_file() and path.stat().st_size == wheel.size:
                return path
            self._note(f"{folder}: no {wheel.filename} of {wheel.size} bytes")
        pages = list(self.pages)
        pages.extend(f"{index.rstrip('/')}/{wheel.project}/" for index in self.indexes)
        for page in pages:
            address = self._find_on(page, wheel)
            if address is not None:
                return address
        return None

    def _find_on(self, page: str, wheel: Wheel) -> str | None:
        shown = without_password(page)
        accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
        try:
            with self.http.open(page, {"Accept": accept}) as answer:
                kind = answer.headers.get("Content-Type", "")
                found = links(answer.read(), kind, answer.geturl())
        except (OSError, ValueError, KeyError) as error:
            self._note(f"{shown}: {error}")
            return None
        if wheel.filename not in found:
            self._note(f"{shown}: does not list {wheel.filename}")
            return None
        address, announced = found[wheel.filename]
        if announced not in (None, wheel.sha256):
            self._note(f"{shown}: lists {wheel.filename} with the hash {announced}, not the pinned one")
            return None
        return address

    def _note(self, text: str) -> None:
        if text not in self.tried:
            self.tried.append(text)
