"""Records as version 0.1.0 wrote them."""

from __future__ import annotations


def old_form(record, **changes):
    """The document of a record with its settings in it; `changes` are other settings."""
    settings = record.settings.document()
    del settings["version"]
    return {
        "version": 1,
        "settings": {**settings, **changes},
        "active": record.active,
        "left": list(record.left),
        "retired": list(record.retired),
        "discarded": list(record.discarded),
        "names": dict(record.names),
        "requested": dict(record.requested),
        "undeployed": record.undeployed,
        "undeployed_hook": record.undeployed_hook,
        "log": [each.line() for each in record.log],
    }
