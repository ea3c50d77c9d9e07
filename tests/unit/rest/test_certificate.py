"""The API over TLS: what is served, what is refused, and a certificate that is replaced while it runs."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rest.world import World
from ultra_recovery.adapters.memory import FakeClock
from ultra_recovery.rest.certificate import REREAD_AFTER, Certificate, CertificateError
from ultra_recovery.rest.server import build_server


def make(folder: Path, name: str, *words: str) -> None:
    """A certificate and its key."""
    folder.mkdir(exist_ok=True)
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *(words or ("-nodes",)))
    files = ("-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"))
    about = ("-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
    subprocess.run(["openssl", "req", "-x509", *curve, *files, *about], check=True, capture_output=True)


class Mounted:
    """A Secret as the kubelet mounts it: files that link through a folder that is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._count = folder, 0
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(Path("..data") / name)

    def put(self, source: Path) -> None:
        self._count += 1
        data = self.folder / f"..{self._count}"
        data.mkdir()
        for name in ("tls.crt", "tls.key"):
            (data / name).write_bytes((source / name).read_bytes())
        link = self.folder / "..fresh"
        link.symlink_to(data.name)
        os.replace(link, self.folder / "..data")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two certificates, one whose key is another's, and one whose key is encrypted."""
    root = tmp_path_factory.mktemp("pairs")
    for name in ("first", "second"):
        make(root / name, f"{name}.example.com")
    make(root / "locked", "locked.example.com", "-passout", "pass:secret")
    (root / "mixed").mkdir()
    (root / "mixed/tls.crt").write_bytes((root / "first/tls.crt").read_bytes())
    (root / "mixed/tls.key").write_bytes((root / "second/tls.key").read_bytes())
    return root


@pytest.fixture
def mounted(tmp_path: Path, pairs: Path) -> Mounted:
    (tmp_path / "tls").mkdir()
    secret = Mounted(tmp_path / "tls")
    secret.put(pairs / "first")
    return secret


@asynccontextmanager
async def served(world: World, certificate: Certificate) -> AsyncIterator[int]:
    """The API on a port of this machine."""
    await world.sync()
    server = build_server(world.application, 0, "127.0.0.1", certificate.context)
    task = asyncio.ensure_future(server._serve())
    while not server.started:
        await asyncio.wait([task], timeout=0.02)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def ask(port: int, trusted: Path, **options: Any) -> bytes:
    """The answer to a probe, over a connection that trusts one certificate alone."""
    context = ssl.create_default_context(cafile=str(trusted / "tls.crt"))
    for name, value in options.items():
        setattr(context, name, value)
    name = f"{trusted.name}.example.com"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_probe_over_https_is_answered(world: World, mounted: Mounted, pairs: Path):
    async with served(world, Certificate(mounted.folder, FakeClock())) as port:
        assert (await ask(port, pairs / "first")).startswith(b"HTTP/1.1 200")


async def test_a_certificate_that_is_replaced_is_served_without_a_restart(world: World, mounted: Mounted, pairs: Path):
    certificate = Certificate(mounted.folder, FakeClock())
    async with served(world, certificate) as port:
        mounted.put(pairs / "second")
        assert certificate.refresh()
        assert (await ask(port, pairs / "second")).startswith(b"HTTP/1.1 200")
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(port, pairs / "first")


# Old versions are refused by new clients, too, unless they are asked for.
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_older_than_1_2_is_refused(world: World, mounted: Mounted, pairs: Path):
    certificate = Certificate(mounted.folder, FakeClock())
    assert certificate.context.minimum_version is ssl.TLSVersion.TLSv1_2
    async with served(world, certificate) as port:
        old = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(port, pairs / "first", minimum_version=ssl.TLSVersion.TLSv1, maximum_version=old)


@pytest.mark.parametrize("bad", ["mixed", "locked", "nothing"])
async def test_what_cannot_be_used_is_not_served_and_what_was_served_before_is(
    world: World, mounted: Mounted, pairs: Path, bad: str
):
    certificate = Certificate(mounted.folder, FakeClock())
    async with served(world, certificate) as port:
        if bad == "nothing":
            (mounted.folder / "..data").unlink()
        else:
            mounted.put(pairs / bad)
        with pytest.raises(CertificateError, match=str(mounted.folder)):
            certificate.refresh()
        assert (await ask(port, pairs / "first")).startswith(b"HTTP/1.1 200")


def test_without_a_certificate_nothing_starts(tmp_path: Path):
    with pytest.raises(CertificateError, match=r"tls\.crt"):
        Certificate(tmp_path, FakeClock())


@pytest.mark.looptime
async def test_the_files_are_read_again_while_it_runs_and_one_bad_pair_does_not_end_that(mounted: Mounted, pairs: Path):
    clock = FakeClock()
    certificate = Certificate(mounted.folder, clock)
    task = asyncio.ensure_future(certificate.run())
    mounted.put(pairs / "mixed")
    await clock.sleep(3 * REREAD_AFTER)
    mounted.put(pairs / "second")
    await clock.sleep(REREAD_AFTER + 1)
    assert certificate.refresh() is False
    task.cancel()
