"""What a CircuitBreaker may say, and what the API server answers when it says something else."""

from __future__ import annotations

from functools import partial

from tests.integration.manifests.rows import GONE, Bad, Good

bad = partial(Bad, "CircuitBreaker")
good = partial(Good, "CircuitBreaker")
HTTP = "spec.target.http"
SERVICE = {"name": "db", "port": 80}
TCP, PROMETHEUS = "spec.target.tcp", "spec.target.prometheus"
QUERY = {"query": "up", "comparison": "Above", "threshold": "0"}
ASKED = {**QUERY, "serviceRef": SERVICE}
INSTANT = "must be a duration from 1ms to 1h, as number and unit: 30s, 5m or 1m30s"
DURATION = "must be a duration from 1s to 1h, as number and unit: 30s, 5m or 1m30s"

BAD = [
    bad("target", GONE, "spec.target", "Required value"),
    bad(
        "target",
        {},
        "spec.target",
        "set exactly one target: http, tcp, prometheus, workload, postgres, mysql or",
    ),
    bad("target.workload", {"kind": "Deployment", "name": "web"}, "spec.target", "set exactly one target"),
    bad("target.tcp", {"serviceRef": SERVICE}, "spec.target", "set exactly one target"),
    bad("target.prometheus", {**QUERY, "serviceRef": SERVICE}, "spec.target", "set exactly one target"),
    bad("target.external", {}, "spec.target", "set exactly one target"),
    bad("target.redis", {"port": 1}, "spec.target.redis", "unknown field"),
    bad("target.http", {}, HTTP, "set exactly one of serviceRef (a Service of this namespace) and url"),
    bad("target.http.url", "http://example.com", HTTP, "set exactly one of serviceRef"),
    bad("target.http", {"url": "http://a.example", "path": "/x"}, f"{HTTP}.path", "write the path into url instead"),
    bad("target.http", {"url": "ftp://a.example"}, f"{HTTP}.url", "absolute http or https address"),
    bad("target.http", {"url": "a.example/health"}, f"{HTTP}.url", "absolute http or https address"),
    bad("target.http", {"url": "https://me:secret@a.example"}, f"{HTTP}.url", "without user, password or fragment"),
    bad("target.http", {"url": "http://a.example/" + "x" * 1024}, f"{HTTP}.url", "may not be more than 1024"),
    bad("target.http.serviceRef", {"port": 80}, f"{HTTP}.serviceRef.name", "Required value"),
    bad("target.http.serviceRef", {"name": "db"}, f"{HTTP}.serviceRef.port", "Required value"),
    bad("target.http.serviceRef.name", "Not_A_Name", f"{HTTP}.serviceRef.name", "lower-case letters, digits and '-'"),
    bad("target.http.serviceRef.name", "", f"{HTTP}.serviceRef.name", "should be at least 1 chars long"),
    bad("target.http.serviceRef.name", "a" * 64, f"{HTTP}.serviceRef.name", "may not be more than 63"),
    bad("target.http.serviceRef.name", "db.other", f"{HTTP}.serviceRef.name", "lower-case letters, digits and '-'"),
    bad("target.http.serviceRef.port", 0, f"{HTTP}.serviceRef.port", "greater than or equal to 1"),
    bad("target.http.serviceRef.port", 65536, f"{HTTP}.serviceRef.port", "less than or equal to 65535"),
    bad("target.http.serviceRef.port", "http", f"{HTTP}.serviceRef.port", "must be of type integer"),
    bad("target.http.serviceRef.namespace", "other", f"{HTTP}.serviceRef.namespace", "unknown field"),
    bad("target.http.path", "healthz", f"{HTTP}.path", "must start with '/'"),
    bad("target.http.path", "/a b", f"{HTTP}.path", "neither spaces nor '#'"),
    bad("target.http.path", "/" + "x" * 1024, f"{HTTP}.path", "may not be more than 1024"),
    bad("target.http.scheme", "http", f"{HTTP}.scheme", 'supported values: "HTTP", "HTTPS"'),
    bad("target.http.method", "DELETE", f"{HTTP}.method", 'supported values: "GET", "HEAD"'),
    bad("target.http.successCodes", "2xx", f"{HTTP}.successCodes", "a status code or a range of them"),
    bad("target.http.successCodes", 200, f"{HTTP}.successCodes", "must be of type string"),
    bad("target.http.successCodes", "399-200", f"{HTTP}.successCodes", "from the lower to the higher"),
    bad("target", {"workload": {"kind": "DaemonSet", "name": "a"}}, "spec.target.workload.kind", "supported values"),
    bad("target", {"workload": {"kind": "Deployment"}}, "spec.target.workload.name", "Required value"),
    bad(
        "target",
        {"workload": {"kind": "Deployment", "name": "a", "minReady": "150%"}},
        "spec.target.workload.minReady",
        "a percentage from 0% to 100%",
    ),
    bad("probe", [], "spec.probe", "must be of type object"),
    bad("probe.interval", "30", "spec.probe.interval", DURATION),
    bad("probe.interval", 30, "spec.probe.interval", "must be of type string"),
    bad("probe.interval", "0s", "spec.probe.interval", DURATION),
    bad("probe.interval", "-5s", "spec.probe.interval", DURATION),
    bad("probe.interval", "1.5m", "spec.probe.interval", DURATION),
    bad("probe.timeout", "1h1ms", "spec.probe.timeout", DURATION),
    bad("probe.retryInterval", "999ms", "spec.probe.retryInterval", DURATION),
    bad("probe.trialInterval", "soon", "spec.probe.trialInterval", DURATION),
    bad("failureThreshold", 0, "spec.failureThreshold", "greater than or equal to 1"),
    bad("failureThreshold", 101, "spec.failureThreshold", "less than or equal to 100"),
    bad("failureThreshold", 2.5, "spec.failureThreshold", "must be of type integer"),
    bad("successThreshold", "three", "spec.successThreshold", "must be of type integer"),
    bad("successThreshold", 101, "spec.successThreshold", "less than or equal to 100"),
    bad("recoveryTimeout", "20m", "spec.recoveryTimeout", "raise openMax or lower recoveryTimeout"),
    bad("recoveryTimeout", "1d", "spec.recoveryTimeout", DURATION),
    bad("openMax", "30s", "spec.recoveryTimeout", "must not be longer than openMax"),
    bad("openMax", "2h", "spec.openMax", DURATION),
    bad("halfOpenTimeout", "", "spec.halfOpenTimeout", DURATION),
    bad("treshold", 5, "spec.treshold", "unknown field"),
]

BAD_TARGETS = [
    bad("target", {"tcp": {}}, TCP, "set exactly one of serviceRef (a Service of this namespace) and address"),
    bad("target", {"tcp": {"serviceRef": SERVICE, "address": "a:1"}}, TCP, "set exactly one of serviceRef"),
    bad("target", {"tcp": {"port": 1}}, f"{TCP}.port", "unknown field"),
    bad("target", {"tcp": {"serviceRef": {"name": "db"}}}, f"{TCP}.serviceRef.port", "Required value"),
    *[
        bad("target", {"tcp": {"address": text}}, f"{TCP}.address", "must be host:port with a port from 1 to 65535")
        for text in (
            "db.example.com",
            "db.example.com:0",
            "db.example.com:65536",
            ":80",
            "a b:80",
            "tcp://a:80",
            "::1:80",
        )
    ],
    bad("target", {"tcp": {"address": "a" * 270 + ":80"}}, f"{TCP}.address", "may not be more than 270"),
    bad("target", {"tcp": {"address": 5432}}, f"{TCP}.address", "must be of type string"),
    bad("target", {"prometheus": QUERY}, PROMETHEUS, "set exactly one of serviceRef (a Service of this namespace)"),
    bad("target", {"prometheus": {**ASKED, "url": "http://a.example"}}, PROMETHEUS, "set exactly one of serviceRef"),
    bad(
        "target",
        {"prometheus": {**QUERY, "url": "http://a.example", "path": "/x"}},
        f"{PROMETHEUS}.path",
        "write the path into url instead",
    ),
    *[
        bad("target", {"prometheus": {**QUERY, "url": text}}, f"{PROMETHEUS}.url", "without user, password, query or")
        for text in ("ftp://a.example", "a.example:9090", "http://me:secret@a.example", "http://a.example?x=1")
    ],
    bad("target", {"prometheus": {**ASKED, "path": "p"}}, f"{PROMETHEUS}.path", "must start with '/'"),
    bad("target", {"prometheus": {**ASKED, "path": "/p?x=1"}}, f"{PROMETHEUS}.path", "neither spaces nor '#' nor '?'"),
    bad(
        "target",
        {"prometheus": {**ASKED, "scheme": "http"}},
        f"{PROMETHEUS}.scheme",
        'supported values: "HTTP", "HTTPS"',
    ),
    bad(
        "target",
        {"prometheus": {"serviceRef": SERVICE, "comparison": "Above", "threshold": "0"}},
        f"{PROMETHEUS}.query",
        "Required value",
    ),
    bad("target", {"prometheus": {**ASKED, "query": ""}}, f"{PROMETHEUS}.query", "should be at least 1 chars long"),
    bad("target", {"prometheus": {**ASKED, "query": "x" * 2049}}, f"{PROMETHEUS}.query", "may not be more than 2048"),
    bad(
        "target",
        {"prometheus": {"serviceRef": SERVICE, "query": "up", "threshold": "0"}},
        f"{PROMETHEUS}.comparison",
        "Required value",
    ),
    bad(
        "target",
        {"prometheus": {**ASKED, "comparison": "<"}},
        f"{PROMETHEUS}.comparison",
        "supported values",
    ),
    bad(
        "target",
        {"prometheus": {"serviceRef": SERVICE, "query": "up", "comparison": "Above"}},
        f"{PROMETHEUS}.threshold",
        "Required value",
    ),
    bad("target", {"prometheus": {**ASKED, "threshold": 0.05}}, f"{PROMETHEUS}.threshold", "must be of type string"),
    *[
        bad(
            "target",
            {"prometheus": {**ASKED, "threshold": text}},
            f"{PROMETHEUS}.threshold",
            "a decimal number in quotes",
        )
        for text in ("", "5%", "1e3", ".5", "5.", "NaN", "+1")
    ],
    bad(
        "target", {"prometheus": {**ASKED, "threshold": "1" * 33}}, f"{PROMETHEUS}.threshold", "may not be more than 32"
    ),
]

BAD_EXTERNAL = [
    bad("target", {"external": {"quorum": 0}}, "spec.target.external.quorum", "greater than or equal to 1"),
    bad("target", {"external": {"quorum": 17}}, "spec.target.external.quorum", "less than or equal to 16"),
    bad("target", {"external": {"quorum": "1"}}, "spec.target.external.quorum", "must be of type integer"),
    bad("target", {"external": {"reporters": 1}}, "spec.target.external.reporters", "unknown field"),
]
BAD_RULES = [
    bad("window", {}, "spec.window", "set exactly one of count (the last calls by number) and time"),
    bad("window", {"count": {"size": 20}, "time": {}}, "spec.window", "set exactly one of count"),
    bad("window", {"count": {"size": 0}, "minimumCalls": 1}, "spec.window.count.size", "greater than or equal to 1"),
    bad("window", {"count": {"size": 501}}, "spec.window.count.size", "less than or equal to 500"),
    bad("window", {"count": {"size": "many"}}, "spec.window.count.size", "must be of type integer"),
    bad("window", {"count": {"size": 19}}, "spec.window.minimumCalls", "lower it or raise count.size"),
    bad("window", {"count": {}, "minimumCalls": 101}, "spec.window.minimumCalls", "must not be larger than count.size"),
    bad("window", {"time": {}, "minimumCalls": 0}, "spec.window.minimumCalls", "greater than or equal to 1"),
    bad("window", {"time": {}, "minimumCalls": 501}, "spec.window.minimumCalls", "less than or equal to 500"),
    bad("window", {"time": {"duration": "500ms"}}, "spec.window.time.duration", DURATION),
    bad("window", {"time": {"duration": "2h"}}, "spec.window.time.duration", DURATION),
    bad(
        "window", {"time": {}, "failureRatePercent": 0}, "spec.window.failureRatePercent", "greater than or equal to 1"
    ),
    bad(
        "window", {"time": {}, "failureRatePercent": 101}, "spec.window.failureRatePercent", "less than or equal to 100"
    ),
    bad("window", {"time": {}, "failureRatePercent": "50%"}, "spec.window.failureRatePercent", "of type integer"),
    bad("window", {"time": {}, "slowCall": {"duration": "0s"}}, "spec.window.slowCall.duration", INSTANT),
    bad("window", {"time": {}, "slowCall": {"duration": "5"}}, "spec.window.slowCall.duration", INSTANT),
    bad(
        "window",
        {"time": {}, "slowCall": {"ratePercent": 101}},
        "spec.window.slowCall.ratePercent",
        "less than or equal to 100",
    ),
    bad("window", {"time": {}, "slowCalls": {}}, "spec.window.slowCalls", "unknown field"),
    bad("override", {}, "spec.override.state", "Required value"),
    bad(
        "override",
        {"state": "Open"},
        "spec.override.state",
        "supported values",
    ),
    bad("override", {"state": "Disabled", "until": "tomorrow"}, "spec.override.until", "must be of type date-time"),
    bad("override", {"state": "Disabled", "until": 1767225600}, "spec.override.until", "must be of type date-time"),
    bad("override", {"state": "Disabled", "for": "1h"}, "spec.override.for", "unknown field"),
    bad(
        "override",
        {"state": "Disabled", "reason": "x" * 257},
        "spec.override.reason",
        "may not be more than 256",
    ),
]

BAD += [*BAD_TARGETS, *BAD_EXTERNAL, *BAD_RULES]

GOOD = [
    good("failureThreshold", 1),
    good("failureThreshold", 100),
    good("successThreshold", 100),
    good("probe.interval", "1s"),
    good("probe.interval", "1h"),
    good("probe.interval", "59m59s999ms"),
    good("probe.retryInterval", "1s"),
    good("recoveryTimeout", "10m"),
    good("openMax", "60s"),
    good("target.http", {"url": "https://status.example.com:8443/health?full=1"}),
    good("target.http", {"url": "http://[2001:db8::1]:8080/"}),
    good("target.http", {"serviceRef": SERVICE, "successCodes": "204"}),
    good("target.http", {"serviceRef": SERVICE, "successCodes": "200-200", "scheme": "HTTPS", "method": "HEAD"}),
    good("target.http.serviceRef.port", 65535),
    good("target.http.serviceRef.name", "a" * 63),
    good("target", {"workload": {"kind": "StatefulSet", "name": "db.with.dots", "minReady": "100%"}}),
    good("target", {"workload": {"kind": "Deployment", "name": "db", "minReady": "0%"}}),
    good("target", {"tcp": {"serviceRef": SERVICE}}),
    good("target", {"tcp": {"address": "db.example.com:65535"}}),
    good("target", {"tcp": {"address": "[2001:db8::1]:1"}}),
    good("target", {"prometheus": ASKED}),
    good("target", {"prometheus": {**QUERY, "url": "https://prometheus.example.com:9090/prefix"}}),
    good("target", {"prometheus": {**ASKED, "path": "/prometheus", "scheme": "HTTPS", "comparison": "AtMost"}}),
    good("target", {"prometheus": {**ASKED, "threshold": "-0.000000000000001", "query": "x" * 2048}}),
    good("target", {"external": {}}),
    good("target", {"external": {"quorum": 16}}),
    good("window", {"count": {}}),
    good("window", {"time": {}}),
    good("window", {"count": {"size": 1}, "minimumCalls": 1, "failureRatePercent": 100}),
    good("window", {"count": {"size": 500}, "minimumCalls": 500, "failureRatePercent": 1}),
    good("window", {"time": {"duration": "1s"}, "minimumCalls": 500, "slowCall": {}}),
    good("window", {"time": {"duration": "1h"}, "slowCall": {"duration": "1ms", "ratePercent": 1}}),
    good("override", {"state": "ForcedOpen"}),
    good("override", {"state": "Disabled", "until": "2026-01-31T18:00:00Z", "reason": "x" * 256}),
    good("override", {"state": "MetricsOnly", "until": "2020-01-31T18:00:00.5+02:00"}),
]
