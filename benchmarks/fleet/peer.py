"""The peer: Prometheus with blackbox_exporter on the same targets, each asked every 30 s over a new connection."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

_EXPORTER = "127.0.0.1:18481"
_PROMETHEUS = "127.0.0.1:18482"


def peer_commands(folder: Path, urls: Sequence[str]) -> list[list[str]]:
    """The command lines of both processes; they must be on the PATH."""
    prometheus, exporter = shutil.which("prometheus"), shutil.which("blackbox_exporter")
    if prometheus is None or exporter is None:
        raise SystemExit("prometheus and blackbox_exporter are not on the PATH: python3 -m e2e.cluster tools …")
    (folder / "targets.json").write_text(json.dumps([{"targets": list(urls)}]))
    modules = {"http": {"prober": "http", "timeout": "5s", "http": {"tls_config": {"insecure_skip_verify": True}}}}
    (folder / "blackbox.yml").write_text(json.dumps({"modules": modules}))
    job = {
        "job_name": "targets",
        "metrics_path": "/probe",
        "params": {"module": ["http"]},
        "file_sd_configs": [{"files": [str(folder / "targets.json")]}],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": _EXPORTER},
        ],
    }
    document = {"global": {"scrape_interval": "30s", "scrape_timeout": "10s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(json.dumps(document))
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    return [
        [
            exporter,
            f"--config.file={folder / 'blackbox.yml'}",
            f"--web.listen-address={_EXPORTER}",
            "--log.level=error",
        ],
        [
            prometheus,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address={_PROMETHEUS}",
            "--log.level=error",
        ],
    ]
