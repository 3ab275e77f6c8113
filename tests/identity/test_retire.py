"""`certkit.identity.retire`: what is in use, what was, and what never will be again."""

from __future__ import annotations

import pytest

from certkit.errors import InputError, RefusedError
from certkit.identity import activate as activation
from certkit.identity import overview
from certkit.identity import retire as retirement
from certkit.stores.base import AbsentError
from tests import pki
from tests.identity.conftest import POLICY, enroll, everything, install, issue, pasted, request_again, states, use


def activate(store, number=None, *, now=pki.NOW):
    """Put a generation of the identity to use."""
    return activation.activate(store, store.load("acme"), number, now=now)


def rollback(store, *, now=pki.NOW):
    """Go back."""
    return activation.rollback(store, store.load("acme"), now=now)


def retire(store, number):
    """Put a generation out of use."""
    return retirement.retire(store, store.load("acme"), number)


def discard(store):
    """Drop the open request."""
    return retirement.discard(store, store.load("acme"))


def refuses(store, error, reason, call, *arguments, **options):
    """Return whether a call is refused for a reason, and nothing changes."""
    before = everything(store)
    with pytest.raises(error, match=reason):
        call(store, *arguments, **options)
    assert everything(store) == before


def renewed(store):
    """An identity in use, and a newer certificate that is not."""
    use(store)
    number = request_again(store)
    install(store, pasted(issue(store, number)))


def test_activate(store):
    """Puts to use what was installed last; what was in use before is the previous one."""
    renewed(store)
    assert activate(store).changed
    assert states(store) == {"0001": "previous", "0002": "active"}


def test_activate_what_is_in_use(store):
    """Changes nothing, named or not."""
    use(store)
    assert not activate(store).changed
    assert not activate(store, "0001").changed


def test_activate_by_number(store):
    """Takes any generation that may be used."""
    use(store, count=3)
    assert activate(store, "0001").changed
    assert states(store) == {"0001": "active", "0002": "previous", "0003": "previous"}
    assert store.load("acme").record.previous == "0003"


def test_what_cannot_be_activated(store):
    """A request without an answer, what is out of use, what is not there, what has expired."""
    enroll(store)
    refuses(store, InputError, "no generation is ready to be activated", activate)
    refuses(store, RefusedError, "generation 0001 of acme: it has no certificate yet", activate, "0001")
    refuses(store, AbsentError, "has no generation 0002", activate, "0002")
    refuses(store, AbsentError, "acme has no generation", activate, "../0001")
    install(store, pasted(issue(store)))
    refuses(
        store, RefusedError, "generation 0001 of acme: its certificate has expired", activate, now=pki.NOW + pki.YEAR
    )
    retire(store, "0001")
    refuses(store, InputError, "was retired or discarded", activate, "0001")


def test_rollback(store):
    """Goes to what was in use before; once more, and it is as it was."""
    use(store, count=2)
    assert rollback(store).changed
    assert states(store) == {"0001": "active", "0002": "previous"}
    rollback(store)
    assert states(store) == {"0001": "previous", "0002": "active"}


def test_rollback_passes_over_what_is_retired(store):
    """And goes further back."""
    use(store, count=3)
    retire(store, "0002")
    rollback(store)
    assert store.load("acme").record.active == "0001"


def test_where_nothing_is_to_go_back_to(store):
    """It is said, and an expired certificate is nothing to go back to."""
    use(store)
    refuses(store, InputError, "nothing to roll back to", rollback)
    second = request_again(store)
    install(store, pasted(issue(store, second)))
    activate(store)
    refuses(
        store, RefusedError, "generation 0001 of acme: its certificate has expired", rollback, now=pki.NOW + pki.YEAR
    )
    retire(store, "0001")
    refuses(store, InputError, "nothing to roll back to", rollback)


def test_retire(store):
    """Is for good, and again it changes nothing."""
    use(store, count=2)
    assert retire(store, "0001").changed
    assert not retire(store, "0001").changed
    assert states(store) == {"0001": "retired", "0002": "active"}


def test_what_cannot_be_retired(store):
    """The active generation, and one that does not exist."""
    use(store)
    refuses(store, InputError, "generation 0001 is active", retire, "0001")
    refuses(store, InputError, "generation 0001 is active", retire, "1")
    refuses(store, AbsentError, "has no generation 0002", retire, "2")


def test_discard(store):
    """Drops the open request, and nothing else."""
    renewed(store)
    request_again(store)
    assert discard(store).changed
    assert states(store) == {"0001": "active", "0002": "issued", "0003": "discarded"}
    assert not discard(store).changed


def test_what_is_answered_is_not_discarded(store):
    """There is nothing to drop; it is retired instead."""
    renewed(store)
    assert not discard(store).changed
    retire(store, "0002")
    assert states(store) == {"0001": "active", "0002": "retired"}


def test_an_identity_that_is_not_there(store):
    """Has no pointer."""
    for call in (activate, rollback, discard):
        with pytest.raises(AbsentError):
            call(store)


def test_what_is_to_be_done_next(store):
    """Follows from the states."""

    def following():
        return overview.overview(store.load("acme"), POLICY, now=pki.NOW).next

    enroll(store)
    told = [following()]
    install(store, pasted(issue(store)))
    told.append(following())
    activate(store)
    told.append(following())
    assert told[0].endswith("; then: certkit identity install acme CERT")
    assert told[1:] == ["activate it: certkit identity activate acme", "nothing"]


@pytest.mark.parametrize(("days", "status"), [(0, "ok"), (340, "warning"), (360, "critical"), (365, "critical")])
def test_the_status(store, days, status):
    """Is that of the active certificate, by the partner's days."""
    use(store)
    found = overview.overview(store.load("acme"), POLICY, now=pki.NOW + days * pki.DAY)
    assert (found.status.value, found.active.days_left) == (status, 364 - days)
