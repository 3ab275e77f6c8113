"""Valid and invalid queries."""

from __future__ import annotations

import pytest

from certkit.api.external import Query
from certkit.durations import Duration
from certkit.errors import InputError

BAD = {
    "no JSON": (b"{", "it is not JSON in UTF-8"),
    "more than JSON": (b'{"identity":"acme"}{}', "it is not JSON in UTF-8"),
    "another encoding": (b'{"identity":"\xff"}', "it is not JSON in UTF-8"),
    "a list": (b"[]", "it is not a JSON object"),
    "null": (b"null", "it is not a JSON object"),
    "a number": (b'{"identity":1}', "'identity' is not a string"),
    "an object in it": (b'{"identity":{"name":"acme"}}', "'identity' is not a string"),
    "null in it": (b'{"identity":"acme","store":null}', "'store' is not a string"),
    "a key twice": (b'{"identity":"a","identity":"b"}', "a key appears twice"),
    "an unknown key": (b'{"identity":"acme","name":"x"}', "unknown key 'name'"),
    "an empty value": (b'{"identity":"acme","store":""}', "'store' in the query is empty"),
    "half a character": (b'{"source":"\\ud800"}', "'source' is not text in UTF-8"),
    "NUL": (b'{"source":"a\\u0000b"}', "'source' is not text in UTF-8"),
    "neither": (b"{}", "the query names neither an identity nor a source"),
    "both": (b'{"identity":"a","source":"b"}', "the query names both an identity and a source"),
    "a bad name": (b'{"identity":"../acme"}', "not a valid identity name"),
    "a bad threshold": (b'{"identity":"acme","warn":"soon"}', "not a duration: 'soon'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_query_is_refused(name):
    """With the reason."""
    data, reason = BAD[name]
    with pytest.raises(InputError) as caught:
        Query.parse(data)
    assert reason in caught.value.message


def test_a_query_about_an_identity():
    """With the store that it is in, and thresholds."""
    data = b'{"identity":"acme","store":"file:x","warn":"30","critical":"33%"}'
    warn, critical = Duration.parse("30"), Duration.parse("33%")
    assert Query.parse(data) == Query(identity="acme", store="file:x", warn=warn, critical=critical)


def test_a_query_about_a_source():
    """Any text is taken for one here."""
    assert Query.parse('{"source": "b\u00fccher.example:443"}'.encode()) == Query(source="b\u00fccher.example:443")
