"""The reference pages of the operator's settings and series, drawn from where each is declared once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ultra_recovery.adapters.metric_series import SERIES, Series
from ultra_recovery.adapters.rest_metrics import REST_SERIES
from ultra_recovery.apis.reference import HEADER, table
from ultra_recovery.settings import ApiSettings, DrillSettings, Settings

_DEFAULT = re.compile(r"Default: (.+?)\.(?= [A-Z]|$)")


def settings_page() -> str:
    """Every setting, from the docstring of the class that reads them."""
    rows = [_setting(text) for text in _attributes(Settings.__doc__ or "")]
    api = [_setting(text) for text in _attributes(ApiSettings.__doc__ or "")]
    drill = [_setting(text) for text in _attributes(DrillSettings.__doc__ or "")]
    return "\n".join(
        [
            HEADER,
            "# Settings of the operator\n",
            "Environment variables of the operator's container. A value that cannot be used ends the process with a",
            "sentence that names it.\n",
            table(("Name", "Default", "Meaning"), rows),
            "# Settings of the recovery API\n",
            "Environment variables of the API's container. Without ULTRA_API_TOKENS and ULTRA_API_AUDIENCE it does not",
            "start.\n",
            table(("Name", "Default", "Meaning"), api),
            "# Settings of the drill\n",
            "Environment variables of `ultra-recovery drill`, which `helm test` runs. The chart sets them all.\n",
            table(("Name", "Default", "Meaning"), drill),
        ]
    )


def metrics_page() -> str:
    """Every series, from the table that the sink counts by."""
    return "\n".join(
        [
            HEADER,
            "# Metrics of the operator\n",
            "At `/metrics` of every replica; only the leader counts what it decides and does. Labels are bounded:",
            "names of pods are never among them, and the series of an object go when it is deleted.\n",
            table(("Series", "Type", "Labels", "Meaning"), [_series(item) for item in SERIES]),
            "# Metrics of the recovery API\n",
            "At `/metrics` on the API's own port, with a token of the scope `read`. Routes are templates of paths, so",
            "that callers cannot make labels; code 0 is an answer that nobody waited for.\n",
            table(("Series", "Type", "Labels", "Meaning"), [_series(item) for item in REST_SERIES]),
        ]
    )


def _attributes(docstring: str) -> Sequence[str]:
    """The entries under ``Attributes:``, each on one line, without the attribute's name."""
    entries = docstring.split("Attributes:", 1)[1]
    parts = re.split(r"\n\s+[a-z_]+: ", entries)[1:]
    return [" ".join(part.split()) for part in parts]


def _setting(text: str) -> tuple[str, str, str]:
    name, meaning = text.split(". ", 1)
    default = _DEFAULT.search(meaning)
    return (f"`{name}`", default.group(1) if default else "", _DEFAULT.sub("", meaning).replace("  ", " ").strip())


def _series(item: Series) -> tuple[str, str, str, str]:
    return (f"`{item.name}`", item.type, ", ".join(item.labels), item.help)
