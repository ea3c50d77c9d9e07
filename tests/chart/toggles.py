"""The toggles of the chart, and the rows of values in which any two of their choices meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.chart.pairs import Row, pairwise
from tests.chart.rendering import Values, merged

DIGEST = {"image": {"digest": f"sha256:{'0123456789abcdef' * 4}"}}
TOGGLES: Mapping[str, Mapping[str, Values]] = {
    "scope": {"cluster": {}, "namespace": {"scope": "namespace"}},
    "watch": {"own": {}, "named": {"watchNamespaces": ["shop", "billing"]}},
    "api": {"sidecar": {}, "separate": {"api": {"mode": "separate"}}},
    "tls": {"plain": {}, "tls": {"api": {"tls": {"secretName": "certificate"}}}},
    "tokens": {"generated": {}, "named": {"api": {"tokens": {"existingSecret": "ours"}}}},
    "audience": {"audience": {}, "none": {"api": {"audience": ""}}},
    "creator": {"unchecked": {}, "checked": {"authorization": {"checkCreator": True}}},
    "crds": {"with": {}, "without": {"crds": {"enabled": False}}, "loose": {"crds": {"keep": False}}},
    "rbac": {"made": {}, "none": {"rbac": {"create": False}}, "edit": {"rbac": {"editMayStartRuns": True}}},
    "account": {"made": {}, "given": {"serviceAccount": {"create": False, "name": "ours"}}},
    "budget": {"pdb": {}, "none": {"podDisruptionBudget": {"enabled": False}}},
    "network": {
        "open": {},
        "closed": {
            "networkPolicy": {
                "apiServerCidrs": ["10.96.0.1/32"],
                "egress": [{"cidr": "192.0.2.0/24"}, {"cidr": "2001:db8::/32", "ports": [443]}],
                "apiFrom": [{"namespaceSelector": {}}],
                "metricsFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
            }
        },
        "none": {"networkPolicy": {"enabled": False}},
    },
    "probes": {"none": {}, "some": {"probeAllow": ["10.20.0.0/16:443", "10.1.2.3", "*.example.com"]}},
    "monitoring": {
        "none": {},
        "all": {
            "serviceMonitor": {"enabled": True, "apiToken": {"secret": "scraper"}, "labels": {"release": "p"}},
            "prometheusRule": {"enabled": True, "labels": {"release": "p"}},
            "dashboard": {"enabled": True},
        },
    },
    "pods": {
        "bare": {},
        "placed": {
            "podAnnotations": {"a": "b"},
            "podLabels": {"a": "b"},
            "commonLabels": {"team": "sre"},
            "nodeSelector": {"a": "b"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "high",
            "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
            "extraEnv": [{"name": "TZ", "value": "UTC"}],
        },
    },
    "names": {"release": {}, "given": {"fullnameOverride": "other", "nameOverride": "other"}},
    "paused": {"active": {}, "paused": {"paused": True, "logLevel": "DEBUG"}},
}
ROWS = pairwise({name: tuple(choices) for name, choices in TOGGLES.items()})


def values_of(row: Row) -> dict[str, Any]:
    """The values of a row."""
    values: dict[str, Any] = dict(DIGEST)
    for toggle, choice in row.items():
        values = merged(values, TOGGLES[toggle][choice])
    return values


def name_of(row: Row) -> str:
    """What is not the first choice of its toggle."""
    return ",".join(f"{name}={choice}" for name, choice in row.items() if choice != next(iter(TOGGLES[name])))
