"""The only importer of hvac: its client, with sessions of our own, and its errors in plain words."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from certkit.errors import InputError
from certkit.vault.refusals import refusal
from certkit.vault.session import Session, SessionAhead
from certkit.vault.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from certkit.secret import Secret
    from certkit.vault.fields import Rule
    from certkit.vault.settings import Settings


class Link:
    """hvac's client twice: `once` for writes that must not happen twice, `again` for everything else.

    Both share one transport and one token.

    Raises:
        InputError: hvac is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            import hvac  # type: ignore[import-untyped]
            import hvac.exceptions  # type: ignore[import-untyped]
        except ImportError as error:
            raise InputError(
                "cannot use, Vault: the package hvac is not installed", hint="pip install 'certkit[vault]'"
            ) from error
        self._hvac = hvac
        self._settings = settings
        self._token: Secret | None = settings.token
        self._transport = Transport(settings)
        self._clients: list[Any] = []
        self.once = self._client(Session(self._transport, repeats_writes=False))
        self.again = self._client(Session(self._transport, repeats_writes=True))

    def _client(self, session: Session) -> Any:
        # Nothing is None that hvac would look up in the environment; lists are asked for by GET, as proxies prefer.
        client = self._hvac.Client(
            url=self._settings.address,
            token=self._token or "",
            verify=True,
            session=session,
            namespace=self._settings.namespace or None,
            strict_http=True,
        )
        self._clients.append(client)
        return client

    @contextlib.contextmanager
    def ahead(self) -> Iterator[Any]:
        """A client for many reads, whose session is a `SessionAhead`, as long as the block runs."""
        session = SessionAhead(self._transport)
        client = self._client(session)
        try:
            yield client
        finally:
            self._clients.remove(client)
            session.close()

    @property
    def address(self) -> str:
        """Where the server is, for messages."""
        return self._settings.address

    def use(self, token: Secret) -> None:
        """Send this token from now on."""
        self._token = token
        for client in list(self._clients):
            client.token = token

    def asking(self, what: str, where: object, *, rule: Rule | None = None) -> Asking:
        """A block that translates hvac's errors: `cannot WHAT, WHERE: why`; `rule` is the ACL rule that would help."""
        return Asking(self._hvac.exceptions.VaultError, f"cannot {what},", where, rule)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class Asking:
    """A block in which hvac is asked for something, and its errors become ours."""

    __slots__ = ("_foreign", "_rule", "_what", "_where")

    def __init__(self, foreign: type[Exception], what: str, where: object, rule: Rule | None) -> None:
        self._foreign, self._what, self._where, self._rule = foreign, what, where, rule

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, self._foreign):
            document = getattr(error, "json", None) or {}
            raise refusal(document, f"{self._what} {self._where}", self._rule) from error
