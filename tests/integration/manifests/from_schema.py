"""Objects from our own schema: right ones, those at its bounds, wrong ones, and the largest there is.

Everything is read from the schema that the API server gets: types, bounds, enums, and of the rules those that say which
of several fields must be set. Only what a string with a pattern may look like stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from ultra_recovery.apis.schema import RULES, Schema

Draw = Callable[[st.SearchStrategy[Any]], Any]
TRICKS = ["", "{{7*7}}", "{0.__class__}%s", "ünïcode ☃", "'; --", "null", "a\nb"]
_DURATION = re.compile(r"duration\('(\w+)'\) && duration\(self\) <= duration\('(\w+)'\)")
_PATTERN = re.compile(r"^self\.matches\(r'(.*)'\)$")
_ONE_OF = (
    re.compile(r"^\[(has\(self\.\w+\)(?:, has\(self\.\w+\))*)\]\.filter"),
    re.compile(r"^(has\(.*\) != has\(.*\))$"),
)
_ANY_OF = re.compile(r"^\[(has\(self\.\w+\)(?:, has\(self\.\w+\))*)\]\.exists")
_BESIDE = re.compile(r"^!has\(self\.(\w+)\) \|\| self\.(\w+) == '/'$")
_DNS = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_OF_PATTERN: tuple[tuple[str, list[str], Callable[[int], str]], ...] = (
    (rf"{_DNS}(", ["web", "ill", "db", "nope", "a.b"], lambda most: "n" * most),
    (f"{_DNS}$", ["web", "ill", "db", "s1", "s2"], lambda most: "n" * most),
    ("^https?://", ["http://10.0.0.1/", "https://a.example:8443/x"], lambda most: "http://a.example/".ljust(most, "p")),
    (r"^/[^\s", ["/", "/healthz"], lambda most: "/".ljust(most, "p")),
    ("^[1-5][0-9]{2}", ["200", "200-399"], lambda _: "200-399"),
    ("^([A-Za-z0-9][-.A-Za-z0-9]*|", ["10.0.0.1:5432", "[2001:db8::1]:1"], lambda most: "a" * (most - 6) + ":65535"),
    ("^[A-Za-z0-9][-.A-Za-z0-9]*$", ["db.example.com", "X"], lambda most: "a" * most),
    ("^([A-Za-z0-9]([-A-Za-z0-9_.]*", ["pgbouncer", "", "A_b.c"], lambda most: "a" * most),
    ("^-?[0-9]{1,15}", ["0", "-0.5", "1"], lambda _: "-" + "9" * 15 + "." + "9" * 15),
    ("^[A-Z][A-Za-z]*$", ["ProbeFailed", "X"], lambda most: "E" * most),
    ("^([0-9]{1,2}|100)%", ["0%", "50%", "100%"], lambda _: "100%"),
    ("^[A-Za-z][A-Za-z0-9_.-]*$", ["CUSTOM_ERROR", "E"], lambda most: "E" * most),
    (
        "^[0-9A-Za-z*,/?#-]+( ",
        ["0 2 * * *", "61 2 * * *", "0 0 31 2 *"],
        lambda most: "0,".ljust(most - 9, "0") + " 2 * * *",
    ),
    ("^[A-Za-z0-9_+-]+(/", ["UTC", "Europe/Berlin", "Mars/Olympus"], lambda most: "Z" * most),
)


def _strings(schema: Schema) -> tuple[list[str], str]:
    """Some strings that the schema allows, and the longest one."""
    most = schema.get("maxLength", 40)
    for rule in schema.get(RULES, ()):
        bounds = _DURATION.search(rule["rule"])
        if bounds:
            minute = "000000h000000m000010s000000ms" if bounds[2] == "30s" else "000000h000001m000000s000000ms"
            return [*bounds.groups(), "30s"], minute
        pattern = _PATTERN.match(rule["rule"])
        if pattern:
            kind = next(kind for kind in _OF_PATTERN if pattern[1].startswith(kind[0]))
            return [text for text in kind[1] if re.search(pattern[1], text)], kind[2](most)
    if schema.get("format") == "date-time":
        return ["2026-01-31T18:00:00Z", "2099-01-01T00:00:00.123456789+14:00"], "2099-01-01T00:00:00.123456789+14:00"
    return [text for text in [*TRICKS, "x" * most] if schema.get("minLength", 0) <= len(text) <= most], "x" * most


def _choices(schema: Schema) -> list[list[str]]:
    """Groups of fields of which exactly one is to be set."""
    found = (shape.match(rule["rule"]) for rule in schema.get(RULES, ()) for shape in _ONE_OF)
    return [re.findall(r"has\(self\.(\w+)\)", match[1]) for match in found if match]


def _beside(schema: Schema, chosen: set[str]) -> set[str]:
    """Fields that must keep their default beside the chosen ones."""
    found = (_BESIDE.match(rule["rule"]) for rule in schema.get(RULES, ()))
    return {match[2] for match in found if match and match[1] in chosen}


def right(draw: Draw, schema: Schema) -> Any:
    """A value that the schema allows, as far as its own bounds go."""
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kind = schema["type"]
    if kind == "object":
        return _object(draw, schema)
    if kind == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        size = draw(st.sampled_from(sorted({least, 1, 2, min(3, most)} - ({0} if least else set()))))
        return _unique([right(draw, schema["items"]) for _ in range(size)], schema)
    if kind == "integer":
        least, most = schema.get("minimum", 0), schema.get("maximum", 2**53)
        return draw(st.sampled_from([least, most, min(least + 1, most)]))
    return draw(st.booleans() if kind == "boolean" else st.sampled_from(_strings(schema)[0]))


def _object(draw: Draw, schema: Schema) -> dict[str, Any]:
    if "properties" not in schema:
        return {"k": "v"} if draw(st.booleans()) else {}
    barred: set[str] = set()
    wanted = set(schema.get("required", ()))
    for names in _choices(schema):
        chosen = draw(st.sampled_from(names))
        barred |= set(names) - {chosen}
        wanted.add(chosen)
    for rule in schema.get(RULES, ()):
        any_of = _ANY_OF.match(rule["rule"])
        wanted |= {draw(st.sampled_from(re.findall(r"has\(self\.(\w+)\)", any_of[1])))} if any_of else set()
    result = {}
    for name, field in schema["properties"].items():
        if name in wanted or (name not in barred and draw(st.integers(0, 3)) == 0):
            result[name] = right(draw, field)
    return result


def _unique(items: list[Any], schema: Schema) -> list[Any]:
    """Without items that say the same, where the API server asks for that."""
    keys = schema.get("x-kubernetes-list-map-keys") or (
        ["name"] if "name" in schema["items"].get("properties", {}) else []
    )
    if not keys and schema.get("x-kubernetes-list-type") != "set":
        return items
    known = {str([item.get(key) for key in keys] if keys else item): item for item in items}
    return list(known.values())


def spoil(draw: Draw, value: Any, schema: Schema) -> Any:
    """The value with one thing in it that the schema does not allow, in most cases."""
    if isinstance(value, dict) and value and "properties" in schema and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: spoil(draw, value[name], schema["properties"][name])}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [spoil(draw, value[0], schema["items"]), *value[1:]]
    wrong: list[Any] = [None, "no such value", -1, 2**40, 1.5, [], {}, True, "-5s", "x" * 2000]
    if isinstance(value, dict):
        wrong += [{**value, "noSuchField": 1}, {name: value[name] for name in sorted(value)[1:]}]
    if isinstance(value, list):
        wrong.append((value or [{}]) * 40)
    return draw(st.sampled_from(wrong))


def largest(schema: Schema, place: int = 0) -> Any:
    """The largest value that the schema allows: all strings and lists as long as they may be."""
    if "enum" in schema:
        return max(schema["enum"], key=len)
    kind = schema["type"]
    if kind == "array":
        count = min(schema["maxItems"], len(schema["items"].get("enum", [0] * schema["maxItems"])))
        enum = schema["items"].get("enum")
        return enum[:count] if enum else [largest(schema["items"], number + 1) for number in range(count)]
    if kind == "object":
        fields = schema.get("properties")
        if fields is None:
            longest = largest(schema.get("additionalProperties") or {"type": "string", "maxLength": 256})
            return {f"k{number}".ljust(63, "k"): longest for number in range(schema["maxProperties"])}
        groups = _choices(schema)
        sizes = {name: largest(field, place) for name, field in fields.items()}
        heaviest = {max(names, key=lambda name: len(str(sizes[name]))) for names in groups}
        barred = {name for names in groups for name in names} - heaviest | _beside(schema, heaviest)
        return {name: made for name, made in sizes.items() if name not in barred}
    if kind == "integer":
        return schema.get("maximum", 2**53)
    if kind == "boolean":
        return False
    longest = _strings(schema)[1]
    # Names and other members of sets differ at their end.
    end = chr(97 + place // 26) + chr(97 + place % 26)
    return longest[:-2] + end if place and longest.endswith(("nn", "EE")) else longest
