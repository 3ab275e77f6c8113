"""Directories for tests of file stores, and identities whose keys a group may read."""

from __future__ import annotations

import grp
import os
import stat
from dataclasses import replace

from certkit.stores.record import Record
from tests.stores.contract import CSR, SETTINGS, activate, answer, key


def tree(folder):
    """Everything below a directory: its kind and mode, or where a link leads, by its path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        kind = "d" if stat.S_ISDIR(status.st_mode) else "f"
        link = os.readlink(path) if path.is_symlink() else f"{kind} {stat.S_IMODE(status.st_mode):04o}"
        found[str(path.relative_to(folder))] = link
    return found


def some_group():
    """A group that this process may give files to, other than its own if there is one."""
    if os.geteuid() == 0:
        return next(each for each in grp.getgrall() if each.gr_gid not in {0, os.getegid()})
    others = [each for each in os.getgroups() if each != os.getegid()]
    return grp.getgrgid((others or [os.getegid()])[0])


def with_group(name):
    """The record of an identity whose keys a group may read."""
    return Record(settings=replace(SETTINGS, group=name))


def enroll_for(store, group):
    """An identity for a group, with a generation in use."""
    store.create("acme", with_group(group))
    store.add("acme", "0001", key=key(0), csr=CSR)
    store.install("acme", "0001", answer(0), facts={})
    activate(store, "0001")


def let_through(folder):
    """Let everybody through a directory of a test, and through those above it."""
    for path in (folder, *folder.parents):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o011 != 0o011:
            path.chmod(mode | 0o011)
