"""Host configuration: who may write it, which file wins, and what is an error."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from certkit import config
from certkit.config import load
from certkit.errors import InputError

HOOK = '[hooks.reload]\ncommand = ["/bin/true", "HOST"]\n'


def found(tmp_path, host="", user="", **environment):
    """Return the configuration of two files."""
    for name, text in (("host.toml", host), ("user.toml", user)):
        (tmp_path / name).write_text(text)
    return load(environment, named=tmp_path / "user.toml", host_file=tmp_path / "host.toml")


def test_the_file_of_the_host_wins(tmp_path):
    """For the same name; other entries of the user stay."""
    user = HOOK.replace("HOST", "USER") + HOOK.replace("reload", "other")
    hooks = found(tmp_path, HOOK, user).hooks
    assert {name: entry.command for name, entry in hooks.items()} == {
        "reload": ("/bin/true", "HOST"),
        "other": ("/bin/true", "HOST"),
    }


def test_safe_directories(tmp_path):
    """Come from the files and from CERTKIT_SAFE_DIRECTORY."""
    host = '[store]\nsafe_directories = ["/work"]\ndefault = "file:/srv/identities"\n'
    config = found(tmp_path, host, CERTKIT_SAFE_DIRECTORY="/builds:/data")
    assert (config.safe_directories, config.store) == (("/builds", "/data", "/work"), "file:/srv/identities")


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_may_write(tmp_path, mode):
    """It is not used, and commands that need it end with its fault."""
    (tmp_path / "user.toml").write_text(HOOK)
    (tmp_path / "user.toml").chmod(mode)
    if mode == 0o620:
        if os.geteuid() != 0:
            pytest.skip("only root can give a file to another group")
        os.chown(tmp_path / "user.toml", -1, 12345)
    config = load({}, named=tmp_path / "user.toml", host_file=tmp_path / "absent")
    assert config.hooks == {}
    with pytest.raises(InputError, match=f"other users can write to {tmp_path}/user.toml"):
        config.entry("hook", "reload", identity="acme")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("kind", ["issuer", "hook"])
def test_each_identity_is_refused_in_its_own_words(tmp_path, kind):
    """What a caller adds to the hint about one identity is not in the hint about the next one."""
    (tmp_path / "certkit.toml").touch()
    (tmp_path / "certkit.toml").chmod(0o666)
    unsafe, hints = load({}, host_file=tmp_path / "certkit.toml"), []
    for name in ("one", "two"):
        with pytest.raises(InputError, match="other users can write") as refused:
            unsafe.entry(kind, "reload", identity=name)
        hints.append(refused.value.hint)
        refused.value.hint += f"; or ask for {name}"
    assert hints == [unsafe.faults[0].hint] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_home_of_another_user(tmp_path, monkeypatch):
    """As when HOME was kept on the way to a service's uid: nothing in it counts, and what needs it says so."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(mode=0o700)
    load({})  # imports everything, which the other user may not be able to read
    os.seteuid(54321)
    try:
        config = load({})
        with pytest.raises(InputError, match="permission denied"):
            load({}, named=tmp_path / "home/certkit/certkit.toml")
    finally:
        os.seteuid(0)
    [fault] = config.faults
    assert "permission denied" in fault.message
    assert "set HOME" in fault.hint
    with pytest.raises(InputError, match="permission denied"):
        config.entry("hook", "reload", identity="acme")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[hooks", "not TOML"),
        ("[hook.reload]\n", r"unknown table \[hook\]"),
        ("[hosts]\nalow = []\n", r"unknown key 'alow' in \[hosts\]"),
        ("[hooks.reload]\n", "must begin with the absolute path"),
        ('[hooks.reload]\ncommand = ["true"]\n', "must begin with the absolute path"),
        ('[hooks.reload]\ncommand = ["/bin/true"]\nshell = true\n', "unknown key 'shell'"),
        ('[hooks.reload]\ncommand = "/bin/true"\n', "not a list of strings"),
        ('[store]\nsafe_directories = ["work"]\n', "'work' is not an absolute path"),
    ],
)
def test_what_cannot_be_understood(tmp_path, text, why):
    """Is an error, for a slip of the pen must not loosen or tighten anything unseen."""
    with pytest.raises(InputError, match=why):
        found(tmp_path, text)


def test_a_file_that_is_named_must_exist(tmp_path):
    """Those that are looked for need not."""
    assert load({}, host_file=tmp_path / "absent").hooks is not None
    with pytest.raises(InputError, match=r"absent\.toml: no such file"):
        load({"CERTKIT_CONFIG": str(tmp_path / "absent.toml")}, host_file=tmp_path / "absent")


def test_the_command_shows_and_checks(certkit, tmp_path):
    """The effective configuration, and its faults: a missing program."""
    (tmp_path / "c.toml").write_text(HOOK + '[hooks.gone]\ncommand = ["/nowhere/program"]\n')
    shown = certkit("--config", tmp_path / "c.toml", "config", "show", "--json")
    assert shown.code == 0
    assert json.loads(shown.out)["hooks"]["reload"]["command"] == ["/bin/true", "HOST"]
    checked = certkit("config", "check", env={"CERTKIT_CONFIG": str(tmp_path / "c.toml")})
    assert (checked.code, "/nowhere/program" in checked.out) == (2, True)


def test_the_page_about_it():
    """Its example is one that certkit reads, and every table and key is in it."""
    page = (Path(__file__).parents[1] / "docs" / "reference" / "configuration.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    found = config._parse(example.encode(), Path("certkit.toml"))
    assert (found.issuers["adyen"].environment, found.hooks["reload-nginx"].allow) == (("ADYEN_API_KEY",), None)
    assert (found.hosts, found.store) == (("api.partner.example",), "vault://secret/certkit")
    for key in {*config._ENTRY_KEYS, *(key for keys in config._KEYS.values() for key in keys)}:
        assert f"`{key}`" in page
