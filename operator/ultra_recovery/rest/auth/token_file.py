"""Tokens from a mounted file: only their digests, with scopes and namespaces. It is read again while we run."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ultra_recovery.apis.meta import DNS_LABEL
from ultra_recovery.ports import Clock
from ultra_recovery.rest.auth.identity import Scope

log = logging.getLogger(__name__)

REREAD_AFTER = 20.0
"""Seconds. The kubelet needs up to a minute for a changed Secret; what we add to it stays small."""
ANY_NAMESPACE = "*"
_MAX_BYTES = 256 * 1024
_NAMESPACE = r"^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$"


class TokenFileError(ValueError):
    """The file cannot be used; the message names the place and never a digest."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenEntry(_Strict):
    """One token."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    namespaces: Annotated[frozenset[Annotated[str, Field(pattern=_NAMESPACE)]], Field(min_length=1)]


class TokenList(_Strict):
    """The file."""

    tokens: Annotated[list[TokenEntry], Field(max_length=256)]


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whoever has a token of the file."""

    entry: TokenEntry

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.entry.name

    async def permitted(self, scope: Scope, namespaces: Collection[str], *, fresh: bool) -> frozenset[str]:
        """Those of the namespaces that the entry names."""
        del fresh
        if scope not in self.entry.scopes:
            return frozenset()
        if ANY_NAMESPACE in self.entry.namespaces:
            return frozenset(namespaces)
        return self.entry.namespaces & frozenset(namespaces)

    async def holds(self, scope: Scope, *, fresh: bool) -> bool:
        """Whether the entry names the scope."""
        del fresh
        return scope in self.entry.scopes


def read_tokens(path: Path) -> tuple[TokenEntry, ...]:
    """Read the file.

    Raises:
        TokenFileError: it is not there, or not as it should be.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise TokenFileError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    if len(data) > _MAX_BYTES:
        raise TokenFileError(f"{path} is larger than {_MAX_BYTES} bytes")
    try:
        entries = tuple(TokenList.model_validate_json(data).tokens)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise TokenFileError(f"{path}: {place}: {first['msg']}") from None
    if len({entry.name for entry in entries}) < len(entries):
        raise TokenFileError(f"{path}: two tokens have the same name, so that nobody could tell who did what")
    return entries


class TokenFile:
    """Recognises tokens by their digests. A file that became unusable changes nothing, and is told in the log."""

    remembers = False

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._entries: tuple[TokenEntry, ...] = ()
        self._read_at = float("-inf")

    def load(self) -> int:
        """Read the file now; the number of tokens.

        Raises:
            TokenFileError: it cannot be used.
        """
        self._read_at = self._clock.boottime()
        entries = read_tokens(self._path)
        if entries != self._entries:
            log.info("tokens read", extra={"names": sorted(entry.name for entry in entries)})
        self._entries = entries
        return len(entries)

    def known(self, token: bytes) -> TokenHolder | None:
        """Whose token this is. Every entry is compared, in constant time, whichever fits."""
        if self._clock.boottime() - self._read_at >= REREAD_AFTER:
            try:
                self.load()
            except TokenFileError as error:
                log.error("the tokens stay as they were", extra={"error": str(error)})  # noqa: TRY400 - the cause is in it
        digest = hashlib.sha256(token).digest()
        found = None
        for entry in self._entries:
            if hmac.compare_digest(bytes.fromhex(entry.sha256), digest):
                found = TokenHolder(entry)
        return found

    async def review(self, token: bytes) -> TokenHolder | None:
        """Nobody else can be asked."""
        del token
        return None
