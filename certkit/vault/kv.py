"""Secrets in a KV secrets engine, version 2: read, and written only over what was there."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from certkit.errors import CertkitError, InputError
from certkit.vault.errors import Kind, VaultError, asking
from certkit.vault.fields import Place, checked_path, joined, moment, pick, quoted, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from certkit.secret import Secret
    from certkit.vault.transport import Transport

T = TypeVar("T")

_MOST_LEVELS = 32
_MOST_AT_ONCE = 16
# A connection costs as much as several answers, and is worth it only where there are many.
_ANSWERS_A_CONNECTION = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """The current version of a secret; what it holds is not shown."""

    data: Mapping[str, Any] = field(repr=False)
    version: int
    created: datetime
    custom_metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a secret without reading it; `version` is the current one, deleted or not."""

    version: int
    is_deleted: bool
    updated: datetime
    custom_metadata: Mapping[str, str]


class Kv:
    """The secrets below a prefix of one mount; paths are relative to it."""

    def __init__(self, transport: Transport, mount: str, prefix: str = "", *, client: Any = None) -> None:
        self._transport = transport
        self._client = client or transport.again
        self._mount = mount
        self._prefix = prefix

    def _place(self, path: str) -> Place:
        """Where a path is in its mount.

        Raises:
            InputError: Vault would take the path for another one.
        """
        path = path.strip("/")
        whole = f"{self._prefix}/{path}" if self._prefix and path else self._prefix or path
        return Place(self._mount, checked_path(whole) if whole else "")

    def read(self, path: str) -> Stored | None:
        """A secret, or None where there is none, or its current version is deleted.

        Raises:
            VaultError: the server does not let us, or cannot be reached.
        """
        place = self._place(path)
        kv = self._client.secrets.kv.v2
        try:
            with asking("read", place, rule=place.rule("data", "read")):
                document = kv.read_secret_version(place.path, mount_point=self._mount, raise_on_deleted_version=True)
        except VaultError as error:
            if error.kind is Kind.ABSENT:
                return None
            raise
        return Stored(
            data=pick(document, "data", "data", of=dict, where=place),
            version=pick(document, "data", "metadata", "version", of=int, where=place),
            created=moment(document, "data", "metadata", "created_time", where=place),
            custom_metadata=_custom(document, "data", "metadata", where=place),
        )

    def create(self, path: str, data: Mapping[str, str | Secret]) -> int:
        """Write a secret that must not exist yet, not even as a deleted one; its version.

        Raises:
            CasMismatch, UncertainWrite, VaultError: as `write` does. To a token that may only create, Vault answers
                that it may not, where the secret exists already.
        """
        try:
            return self.write(path, data, cas=0)
        except VaultError as error:
            if error.kind is Kind.DENIED:
                error.hint += "; or the secret exists already, and the token may not overwrite it"
            raise

    def write(self, path: str, data: Mapping[str, str | Secret], *, cas: int) -> int:
        """Write a secret over version `cas` of it; its new version.

        Raises:
            CasMismatch: the current version is another one.
            UncertainWrite: it may have been written or not: read it.
            VaultError: the server does not let us, or cannot be reached.
        """
        place = self._place(path)
        kv = self._client.secrets.kv.v2
        with asking("write", place, rule=place.rule("data", "create" if cas == 0 else "update")):
            document = kv.create_or_update_secret(place.path, dict(data), cas=cas, mount_point=self._mount)
        return pick(document, "data", "version", of=int, where=place)

    def read_metadata(self, path: str) -> Metadata | None:
        """What is known of a secret, deleted or not; None where there never was one.

        Raises:
            VaultError: the server does not let us, or cannot be reached.
        """
        place = self._place(path)
        kv = self._client.secrets.kv.v2
        try:
            with asking("read the metadata of", place, rule=place.rule("metadata", "read")):
                document = kv.read_secret_metadata(place.path, mount_point=self._mount)
        except VaultError as error:
            if error.kind is Kind.ABSENT:
                return None
            raise
        version = pick(document, "data", "current_version", of=int, where=place)
        current = pick(document, "data", "versions", of=dict, where=place).get(str(version))
        return Metadata(
            version=version,
            is_deleted=not isinstance(current, dict) or bool(current.get("destroyed") or current.get("deletion_time")),
            updated=moment(document, "data", "updated_time", where=place),
            custom_metadata=_custom(document, "data", where=place),
        )

    def write_metadata(self, path: str, custom_metadata: Mapping[str, str]) -> None:
        """Replace the custom metadata of a secret: at most 64 names, and values of at most 512 bytes.

        Nothing else is sent, so that an ACL policy can allow just this.

        Raises:
            VaultError: the server does not let us, or cannot be reached.
        """
        place = self._place(path)
        target = quoted(joined(self._mount, "metadata", place.path))
        with asking("write the metadata of", place, rule=place.rule("metadata", "update")):
            self._client.write_data(target, data={"custom_metadata": dict(custom_metadata)})

    def list(self, path: str = "") -> tuple[str, ...]:
        """The names below a path, in the order of the server; those of folders end with a slash.

        Raises:
            VaultError: the server does not let us, or cannot be reached.
        """
        place = self._place(path)
        kv = self._client.secrets.kv.v2
        try:
            with asking("list", place, rule=place.rule("metadata", "list")):
                document = kv.list_secrets(place.path, mount_point=self._mount)
        except VaultError as error:
            if error.kind is Kind.ABSENT:
                return ()
            raise
        return texts(pick(document, "data", "keys", of=list, where=place))

    def delete_all_versions(self, path: str) -> None:
        """Destroy a secret with all its versions and metadata; nothing happens where there is none.

        Raises:
            VaultError: the server does not let us, or cannot be reached.
        """
        place = self._place(path)
        kv = self._client.secrets.kv.v2
        with asking("delete", place, rule=place.rule("metadata", "delete")):
            kv.delete_metadata_and_all_versions(place.path, mount_point=self._mount)

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, Stored | CertkitError | None]]:
        """Many secrets, in the order of their paths; a failure takes the place of its secret.

        They are asked for ahead, so what is written meanwhile may be missing from them. Once the server is out of
        reach it is asked no further.
        """
        return self._many(paths, "data", Kv.read)

    def metadata_many(self, paths: Iterable[str]) -> Iterator[tuple[str, Metadata | CertkitError | None]]:
        """What is known of many secrets, as `read_many` reads them."""
        return self._many(paths, "metadata", Kv.read_metadata)

    def _many(
        self, paths: Iterable[str], view: str, ask: Callable[[Kv, str], T], params: Mapping[str, object] | None = None
    ) -> Iterator[tuple[str, T | CertkitError]]:
        with self._transport.ahead() as client:
            ahead = Kv(self._transport, self._mount, self._prefix, client=client)
            root = f"/v1/{quoted(self._mount)}/{view}/"

            def begin(path: str) -> None:
                # A path that is refused is so when its turn comes.
                with contextlib.suppress(InputError):
                    client.adapter.begin(root + quoted(ahead._place(path).path), params)

            yield from _in_order(paths, begin=begin, ask=lambda path: ask(ahead, path))

    def list_many(self, paths: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...] | CertkitError]]:
        """The names below many paths, as `read_many` reads them."""
        return self._many(paths, "metadata", Kv.list, {"list": "true"})

    def walk(self, path: str = "") -> Iterator[tuple[str, CertkitError | None]]:
        """The paths of all secrets below a path, level by level; with its error a folder that cannot be listed."""
        folders = [path]
        for _ in range(_MOST_LEVELS):
            found, folders = folders, []
            for folder, names in self.list_many(found):
                if not isinstance(names, tuple):
                    yield folder, names
                    continue
                paths = [joined(folder, name) + ("/" if name.endswith("/") else "") for name in names]
                folders += [name.rstrip("/") for name in paths if name.endswith("/")]
                yield from ((name, None) for name in paths if not name.endswith("/"))


def _custom(document: object, *names: str, where: Place) -> dict[str, str]:
    custom = pick(document, *names, of=dict, where=where).get("custom_metadata")
    return {str(name): str(value) for name, value in custom.items()} if isinstance(custom, dict) else {}


def _in_order(
    names: Iterable[str], *, begin: Callable[[str], None], ask: Callable[[str], T]
) -> Iterator[tuple[str, T | CertkitError]]:
    """Yield what `ask` returns for each name, in the order of the names, or the error that it raises.

    `begin` is called for a name some time before `ask`, more and more names ahead the longer it goes on. One thread
    that asks ahead is twice as fast as several that wait for Python's lock. Once the server cannot be reached it is not
    asked about the rest, which gets the same error.
    """
    rest = iter(names)
    waiting: deque[str] = deque()
    answered = 0
    end: VaultError | None = None
    while True:
        width = min(_MOST_AT_ONCE, 1 + answered // _ANSWERS_A_CONNECTION)
        while len(waiting) < width and (name := next(rest, None)) is not None:
            if end is None:
                begin(name)
            waiting.append(name)
        if not waiting:
            return
        name = waiting.popleft()
        answer: T | CertkitError
        try:
            answer = ask(name) if end is None else end
        except CertkitError as error:
            answer = error
        if isinstance(answer, VaultError) and answer.kind.is_about_the_server:
            end = answer
        answered += 1
        yield name, answer
