"""The certificate of TLS targets."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certificate(folder: Path) -> list[str]:
    """A certificate that nobody trusts, as pods have them."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=target"]
    argv = ["openssl", "req", "-x509", *kind, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)
    return [str(cert), str(key)]
