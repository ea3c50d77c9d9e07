"""Images without a container engine and without a registry: built by buildah, saved as archives in the cache."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from e2e.cluster import binaries
from e2e.cluster.command import CommandFailedError, run, succeeds
from e2e.cluster.console import Console
from e2e.cluster.host_pip import build_settings
from e2e.cluster.images import PAUSE, PYTHON, Image, key_of
from e2e.cluster.layout import Cache, Checkout
from e2e.cluster.local import machine

ISOLATION = {"BUILDAH_ISOLATION": "chroot"}
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
PAUSE_FILE = 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n'
PYTHON_FILE = (
    "FROM scratch\nADD rootfs.tar /\nENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    "ENV LANG=C.UTF-8\n"
)


def archive(image: Image, cache: Cache) -> Path:
    """The file that holds an image."""
    return cache.images / f"{image.name}.tar"


def provide(image: Image, checkout: Checkout, cache: Cache, console: Console) -> str:
    """Builds an image unless the cache holds it with the same content, and returns its key."""
    key, saved, note = key_of(image, checkout.root), archive(image, cache), cache.images / f"{image.name}.key"
    if saved.exists() and ((not image.context and not note.exists()) or (note.exists() and note.read_text() == key)):
        return key
    cache.images.mkdir(parents=True, exist_ok=True)
    machine.provide(machine.TO_BUILD_IMAGES, console, cache.logs / "apt.log")
    if image == PAUSE:
        _build_pause(cache, console)
    elif image == PYTHON:
        _build_python(cache, console)
    else:
        _build_from_context(image, checkout, cache, console)
    note.write_text(key)
    return key


def buildah(cache: Cache, *words: str | Path) -> list[str | Path]:
    """A buildah command line with storage of our own, so that nobody else's images are touched."""
    cache.storage.mkdir(parents=True, exist_ok=True)
    layers = machine.overlays(cache.storage)
    driver = "overlay" if layers else "vfs"
    options: list[str | Path] = ["--storage-opt", "overlay.skip_mount_home=true"] if layers else []
    storage: list[str | Path] = ["--root", cache.storage / driver / "root", "--runroot", cache.storage / driver / "run"]
    return ["buildah", *storage, "--storage-driver", driver, *options, *words]


def _build_from_context(image: Image, checkout: Checkout, cache: Cache, console: Console) -> None:
    arguments: list[str | Path] = []
    if image.base:
        provide(image.base, checkout, cache, console)
        _make_known(image.base, cache)
        arguments += ["--build-arg", f"BASE_IMAGE={image.base.reference}"]
    log, context = cache.logs / f"image-{image.name}.log", checkout.root / image.context
    with console.step(f"building {image.reference}", log), build_settings() as settings:
        for folder in settings.folders:
            arguments += ["--volume", f"{folder}:{folder}:ro"]
        for name, path in settings.secrets.items():
            arguments += ["--secret", f"id={name},src={path}"]
        if image.stage:
            # A tag on the stage keeps its layers when those that are in no tagged image are removed.
            stage = f"{image.reference}-{image.stage}"
            words: list[str | Path] = ["--layers", *arguments, "--target", image.stage, "--tag", stage, context]
            run(buildah(cache, "bud", "--format", "docker", *words), env=ISOLATION, log=log)
        _bud(image, context, cache, log, ["--layers", *arguments])
    run(buildah(cache, "rmi", "--prune"), log=cache.logs / "prune.log")


def _make_known(image: Image, cache: Cache) -> None:
    """Brings an image that is only an archive back into the builder's storage."""
    if not succeeds(buildah(cache, "inspect", "--type", "image", image.reference)):
        run(buildah(cache, "pull", "--quiet", f"docker-archive:{archive(image, cache)}"))


def _build_pause(cache: Cache, console: Console) -> None:
    machine.provide(machine.TO_BUILD_PAUSE, console, cache.logs / "apt.log")
    log = cache.logs / "image-pause.log"
    with console.step(f"building {PAUSE.reference}", log), _folder(cache) as folder:
        go = machine.require_go()
        source = run([go, "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"], cwd=binaries.MODULE).strip()
        code = f"{source}/build/pause/linux/pause.c"
        run(["gcc", "-Os", "-static", "-DVERSION=1", "-o", folder / "pause", code], log=log)
        (folder / "Dockerfile").write_text(PAUSE_FILE)
        _bud(PAUSE, folder, cache, log)


def _build_python(cache: Cache, console: Console) -> None:
    machine.provide(machine.TO_BUILD_BASE, console, cache.logs / "apt.log")
    log = cache.logs / "image-python.log"
    with console.step(f"building {PYTHON.reference} from Debian packages (about 80 s)", log), _folder(cache) as folder:
        rootfs = folder / "rootfs"
        try:
            run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, rootfs], log=log)
        except CommandFailedError:
            with suppress(OSError):
                shutil.copy(rootfs / "debootstrap/debootstrap.log", cache.logs / "debootstrap.log")
            raise
        for pattern in ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*"):
            for file in rootfs.glob(pattern):
                file.unlink()
        run(["tar", "-C", rootfs, "-cf", folder / "rootfs.tar", "."])
        (folder / ".dockerignore").write_text("rootfs\n")
        (folder / "Dockerfile").write_text(PYTHON_FILE)
        _bud(PYTHON, folder, cache, log)


def _bud(image: Image, context: Path, cache: Cache, log: Path, arguments: list[str | Path] | None = None) -> None:
    """Builds and saves; the archive appears in the cache only when it is complete."""
    words: list[str | Path] = [*(arguments or []), "--tag", image.reference, context]
    run(buildah(cache, "bud", "--format", "docker", *words), env=ISOLATION, log=log)
    part = cache.images / f".{image.name}.part"
    part.unlink(missing_ok=True)
    target = f"docker-archive:{part}:{image.reference}"
    run(buildah(cache, "push", "--quiet", image.reference, target), log=cache.logs / f"save-{image.name}.log")
    part.replace(archive(image, cache))


@contextmanager
def _folder(cache: Cache) -> Iterator[Path]:
    """A folder for one build, next to the cache: the machine's /tmp may be small or not allow programs."""
    with tempfile.TemporaryDirectory(dir=cache.images, prefix=".build-") as name:
        yield Path(name)
