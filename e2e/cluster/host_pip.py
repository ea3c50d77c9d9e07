"""This machine's own way of installing packages, lent to an image build and never left in the image."""

from __future__ import annotations

import configparser
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

AUTHORITY_IN_BUILD = "/run/secrets/ca"
AUTHORITY_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
NOT_FOR_BUILDS = {"config-file", "require-virtualenv", "user", "target", "prefix", "root", "cache-dir", "log", "cert"}


@dataclass(frozen=True)
class BuildSettings:
    """What a build gets from this machine.

    Attributes:
        secrets: Files that are visible to single build steps only, by the name the Dockerfile asks for.
        folders: Folders with packages, mounted read-only under the same path.
    """

    secrets: Mapping[str, Path]
    folders: Sequence[Path]


def configuration(files: Sequence[Path], environ: Mapping[str, str]) -> configparser.RawConfigParser:
    """Pip's configuration as pip itself would see it here: files in order, then variables over them."""
    merged = configparser.RawConfigParser()
    merged.read(files)
    if not merged.has_section("global"):
        merged.add_section("global")
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            merged.set("global", name.removeprefix("PIP_").lower().replace("_", "-"), value)
    for section in merged.sections():
        for option in merged.options(section):
            if option.replace("_", "-") in NOT_FOR_BUILDS:
                merged.remove_option(section, option)
    return merged


def authority(parser_cert: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file of certificates that this machine trusts instead of the usual ones."""
    named = [environ.get(AUTHORITY_VARIABLES[0]), parser_cert, *(environ.get(name) for name in AUTHORITY_VARIABLES[1:])]
    return next((Path(name) for name in named if name and Path(name).is_file()), None)


def package_folders(merged: configparser.RawConfigParser) -> list[Path]:
    """Local folders among the places where pip looks for packages."""
    places = merged.get("global", "find-links", fallback="").split()
    return [Path(place) for place in places if "://" not in place and Path(place).is_dir()]


def configuration_files(environ: Mapping[str, str], home: Path) -> list[Path]:
    """The files that pip reads, weakest first."""
    named = environ.get("PIP_CONFIG_FILE")
    usual = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    return [*usual, Path(named)] if named else usual


@contextmanager
def build_settings(environ: Mapping[str, str] = os.environ, home: Path | None = None) -> Iterator[BuildSettings]:
    """Lends this machine's settings for the time of one build."""
    files = configuration_files(environ, home or Path.home())
    certificates = configparser.RawConfigParser()
    certificates.read(files)
    bundle = authority(certificates.get("global", "cert", fallback=None), environ)
    merged = configuration(files, environ)
    folders = package_folders(merged)
    secrets: dict[str, Path] = {}
    if bundle:
        secrets["ca"] = bundle
        merged.set("global", "cert", AUTHORITY_IN_BUILD)
    with tempfile.TemporaryDirectory(prefix="ultra-build-") as folder:
        text = io.StringIO()
        merged.write(text)
        secrets["pip"] = Path(folder) / "pip.conf"
        secrets["pip"].touch(mode=0o600)
        secrets["pip"].write_text(text.getvalue())
        yield BuildSettings(secrets, folders)
