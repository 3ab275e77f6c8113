"""`certkit.wise.redirect`: what a person pastes, which anybody may have written."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certkit.errors import CertkitError, InputError, RefusedError
from certkit.secret import Secret
from certkit.wise.addresses import require_redirect_uri
from certkit.wise.redirect import Redirect, parse, require_code, require_profile

URI = "https://acme.example/wise"


def read(pasted, redirect_uri=URI):
    """The code, the profile and the state of a pasted address."""
    found = parse(pasted, redirect_uri=redirect_uri)
    return found.code.reveal().decode(), found.profile_id, found.state


@pytest.mark.parametrize(
    ("pasted", "found"),
    [
        (f"{URI}/?code=abc&profileId=123", ("abc", "123", None)),
        (f"{URI}?code=abc&profileId=123&state=s-1", ("abc", "123", "s-1")),
        (f"  {URI}/?code=abc\n&profileId=1\r\n23 ", ("abc", "123", None)),
        (f"{URI}/?other=x&code=a%2Bb%3D&profileId=", ("a+b=", None, None)),
        ("HTTPS://ACME.example:443/wise/?code=abc#top", ("abc", None, None)),
    ],
)
def test_what_wise_redirects_to(pasted, found):
    """Is taken as it was copied, white space included."""
    assert read(pasted) == found


@pytest.mark.parametrize(
    ("uri", "pasted"),
    [
        ("http://localhost:8000/", "http://localhost:8000/?code=abc"),
        ("https://a.example", "https://a.example/?code=abc"),
        ("https://a.example/?x=1", "https://a.example/?x=1&code=abc"),
        ("https://a.example:/wise", "https://a.example/wise/?code=abc"),
        ("https://my_app.example/wise", "https://MY_APP.example:443/wise/?code=abc"),
        ("https://xn--bcher-kva.example/wise", "https://xn--bcher-kva.example/wise?code=abc"),
        ("http://[::1]:8000/wise", "http://[::1]:8000/wise/?code=abc"),
        ("http://127.0.0.1:8000/wise", "http://127.0.0.1:8000/wise/?code=abc"),
        ("https://a.example./wise", "https://a.example./wise/?code=abc"),
    ],
)
def test_other_redirect_uris(uri, pasted):
    """Also those of a development machine: whatever may be asked for can be pasted."""
    assert read(pasted, require_redirect_uri(uri)) == ("abc", None, None)


@pytest.mark.parametrize(
    "pasted",
    [
        "https://evil.example/wise/?code=abc",
        "http://acme.example/wise/?code=abc",
        "https://acme.example:444/wise/?code=abc",
        "https://acme.example/other/?code=abc",
        "https://u:p@acme.example/wise/?code=abc",
        "https://acme.example@evil.example/wise/?code=abc",
    ],
)
def test_another_place(pasted):
    """Is no redirect of ours."""
    with pytest.raises(InputError, match=f"the pasted URL is not a redirect to {URI}"):
        parse(pasted, redirect_uri=URI)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "has no code"),
        ("profileId=1", "has no code"),
        ("code=", "not an authorization code"),
        ("code=a&code=b", "has code= twice"),
        ("code=a&state=b&state=b", "has state= twice"),
        ("code=a&profileId=1&profileId=2", "has profileId= twice"),
        ("code=a%00b", "not an authorization code"),
        ("code=a%0d%0aX:y", "not an authorization code"),
        ("code=%C3%A9", "not an authorization code"),
        ("code=%FF", "the query of the pasted URL cannot be read"),
        ("code=a&profileId=../../x", "not a profile id"),
        ("code=a&profileId=a/b", "not a profile id"),
        (f"code={'a' * 3000}", "not an authorization code"),
        (f"code={'a' * 9000}", "too long"),
        ("&".join(f"x{at}=1" for at in range(40)) + "&code=a", "the query of the pasted URL cannot be read"),
    ],
)
def test_a_redirect_that_is_no_good(query, why):
    """Is refused, with a hint, and its code is not repeated."""
    with pytest.raises(InputError, match=why) as told:
        parse(f"{URI}/?{query}", redirect_uri=URI)
    assert told.value.hint


@pytest.mark.parametrize(
    "pasted", ["", "abc", "code=abc", "https://", "ftp://acme.example/wise", "https://[::1/?code=a"]
)
def test_what_is_no_address(pasted):
    """Is refused."""
    with pytest.raises(InputError, match="the pasted text is not a URL"):
        parse(pasted, redirect_uri=URI)


def test_access_that_was_not_granted():
    """Is a refusal, with what Wise says of it, fit to be shown."""
    pasted = f"{URI}/?error=access_denied&error_description=The%20user%1B%5B31m%20said%20no&state=s"
    with pytest.raises(RefusedError) as told:
        parse(pasted, redirect_uri=URI)
    assert told.value.message == r"access was not granted: access_denied: The user\1B[31m said no"


def test_a_code_is_not_shown():
    """Not by accident."""
    found = Redirect(redirect_uri=URI, code=require_code("the-code"))
    assert "the-code" not in repr(found)
    assert found.code == Secret(b"the-code")


@pytest.mark.parametrize("text", ["", "-1", "a b", "x" * 65, "1\n", "é", "a.b"])
def test_what_is_no_profile(text):
    """Is refused: it becomes part of a name."""
    with pytest.raises(InputError, match="not a profile id"):
        require_profile(text)


@given(st.text(max_size=300) | st.text(max_size=200).map(lambda text: f"{URI}/?code=a&{text}"))
def test_whatever_is_pasted(text):
    """Is taken or refused; nothing else happens."""
    with contextlib.suppress(CertkitError):
        parse(text, redirect_uri=URI)
