"""Secrets in a KV secrets engine, version 2: read, and written by check-and-set."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from certkit.errors import CertkitError, InputError
from certkit.vault.errors import Fault, VaultError, asking
from certkit.vault.fields import VaultPath, checked_path, joined, pick, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from certkit.secret import Secret
    from certkit.vault.transport import Transport

T = TypeVar("T")

_MOST_LEVELS = 32
_MOST_AT_ONCE = 16
# A connection costs as much as several responses, and pays off only for many requests.
_ANSWERS_A_CONNECTION = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """The current version of a secret; its repr hides the content."""

    data: Mapping[str, Any] = field(repr=False)
    version: int
    custom_metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a secret, known without reading it; `version` is the current one, deleted or not."""

    version: int
    is_deleted: bool
    custom_metadata: Mapping[str, str]


class Kv:
    """The secrets below a prefix of one mount; paths are relative to it.

    Every method raises `VaultError` if the server refuses or cannot be reached, and `InputError` for a path that Vault
    would take for another one.
    """

    def __init__(self, transport: Transport, mount: str, prefix: str = "", *, client: Any = None) -> None:
        self._transport = transport
        self._client = client or transport.again
        self._kv = self._client.secrets.kv.v2
        self.mount = mount
        self._prefix = prefix

    def _place(self, path: str) -> VaultPath:
        whole = joined(self._prefix, path)
        return VaultPath(self.mount, checked_path(whole) if whole else "")

    def _found(self, what: str, place: VaultPath, rule: str, request: Callable[..., Any], **options: bool) -> Any:
        """Return the response to a request of hvac's; None if there is nothing at that place."""
        try:
            with asking(what, place, rule=rule):
                return request(place.path, mount_point=self.mount, **options)
        except VaultError as error:
            if error.kind is not Fault.ABSENT:
                raise
            return None

    def read(self, path: str) -> Stored | None:
        """Return a secret, or None if it does not exist.

        Raises:
            VaultError: of kind DELETED if its current version was deleted.
        """
        place = self._place(path)
        rule, request = place.rule("data", "read"), self._kv.read_secret_version
        document = self._found("read", place, rule, request, raise_on_deleted_version=True)
        if document is None:
            return None
        return Stored(
            data=pick(document, "data", "data", of=dict, where=place),
            version=pick(document, "data", "metadata", "version", of=int, where=place),
            custom_metadata=_custom(document, "data", "metadata", where=place),
        )

    def write(self, path: str, data: Mapping[str, str | Secret], *, cas: int = 0) -> int:
        """Write a secret over version `cas` of it, 0 if there must be none, deleted or not; return its new version.

        Raises:
            CasMismatch: if the current version is another one.
            UncertainWrite: if it is unknown whether it was written: read it.
        """
        place = self._place(path)
        with asking("write", place, rule=place.rule("data", "create" if cas == 0 else "update")):
            document = self._kv.create_or_update_secret(place.path, dict(data), cas=cas, mount_point=self.mount)
        return pick(document, "data", "version", of=int, where=place)

    def read_metadata(self, path: str) -> Metadata | None:
        """Return the metadata of a secret, deleted or not; None if it never existed."""
        place = self._place(path)
        rule, request = place.rule("metadata", "read"), self._kv.read_secret_metadata
        document = self._found("read the metadata of", place, rule, request)
        if document is None:
            return None
        version = pick(document, "data", "current_version", of=int, where=place)
        current = pick(document, "data", "versions", of=dict, where=place).get(str(version))
        is_there = isinstance(current, dict) and not (current.get("destroyed") or current.get("deletion_time"))
        return Metadata(version, is_deleted=not is_there, custom_metadata=_custom(document, "data", where=place))

    def write_metadata(self, path: str, custom_metadata: Mapping[str, str]) -> None:
        """Replace the custom metadata of a secret: at most 64 names, and values of at most 512 bytes.

        Nothing else is sent, so that an ACL policy can allow just this.
        """
        place = self._place(path)
        target = quote(joined(self.mount, "metadata", place.path))
        with asking("write the metadata of", place, rule=place.rule("metadata", "update")):
            self._client.write_data(target, data={"custom_metadata": dict(custom_metadata)})

    def list(self, path: str = "") -> tuple[str, ...]:
        """Return the names below a path, in the order of the server; those of folders end with a slash."""
        place = self._place(path)
        document = self._found("list", place, place.rule("metadata", "list"), self._kv.list_secrets)
        return () if document is None else texts(pick(document, "data", "keys", of=list, where=place))

    def delete_all_versions(self, path: str) -> None:
        """Destroy a secret with all its versions and metadata; do nothing if it does not exist."""
        place = self._place(path)
        with asking("delete", place, rule=place.rule("metadata", "delete")):
            self._kv.delete_metadata_and_all_versions(place.path, mount_point=self.mount)

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, Stored | CertkitError | None]]:
        """Yield many secrets, in the order of their paths; a failure takes the place of its secret.

        They are requested ahead, so what is written meanwhile may be missing from them. Once the server cannot be
        reached, it is asked no further.
        """
        return self._many(paths, "data", Kv.read)

    def metadata_many(self, paths: Iterable[str]) -> Iterator[tuple[str, Metadata | CertkitError | None]]:
        """Yield the metadata of many secrets, as `read_many` reads them."""
        return self._many(paths, "metadata", Kv.read_metadata)

    def _many(
        self, paths: Iterable[str], view: str, ask: Callable[[Kv, str], T], params: Mapping[str, object] | None = None
    ) -> Iterator[tuple[str, T | CertkitError]]:
        """Yield what `ask` returns for each path, or the error that it raises.

        The request is sent some time before `ask`, more and more paths ahead the longer the listing. One thread that
        asks ahead is twice as fast as several that wait for Python's lock.
        """
        ahead = Kv(self._transport, self.mount, self._prefix, client=self._transport.client(may_repeat=True))
        root = f"/v1/{quote(self.mount)}/{view}/"
        rest, waiting = iter(paths), deque[str]()
        answered = 0
        end: VaultError | None = None
        with contextlib.closing(ahead._client.adapter) as adapter:
            while True:
                width = min(_MOST_AT_ONCE, 1 + answered // _ANSWERS_A_CONNECTION)
                while len(waiting) < width and (path := next(rest, None)) is not None:
                    if end is None:
                        with contextlib.suppress(InputError):  # raised when its turn comes
                            adapter.begin(root + quote(ahead._place(path).path), params)
                    waiting.append(path)
                if not waiting:
                    return
                path = waiting.popleft()
                answer: T | CertkitError
                try:
                    answer = ask(ahead, path) if end is None else end
                except CertkitError as error:
                    answer = error
                if isinstance(answer, VaultError) and answer.kind.is_about_the_server:
                    end = answer
                answered += 1
                yield path, answer

    def list_many(self, paths: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...] | CertkitError]]:
        """Yield the names below many paths, as `read_many` reads them."""
        return self._many(paths, "metadata", Kv.list, {"list": "true"})

    def walk(self, path: str = "") -> Iterator[tuple[str, CertkitError | None]]:
        """Yield the paths of all secrets below a path, level by level; an unreadable folder with its error."""
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


def _custom(document: object, *names: str, where: VaultPath) -> dict[str, str]:
    custom = pick(document, *names, of=dict, where=where).get("custom_metadata")
    return {str(name): str(value) for name, value in custom.items()} if isinstance(custom, dict) else {}
