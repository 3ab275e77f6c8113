"""Which programs run for an identity: the host decides, and hands on nothing but what it lists."""

from __future__ import annotations

import os

import pytest

from certkit.config import ConfiguredProgram, HostConfiguration
from certkit.errors import InputError, UnsafeDirectoryError
from certkit.files.owners import Trust
from certkit.identity.programs import Programs, storable_hook, unusable

ENVIRONMENT = {
    "HOME": "/home/acme",
    "LANG": "C.UTF-8",
    "PATH": "/home/acme/bin",
    "HTTPS_PROXY": "http://proxy:3128",
    "VAULT_TOKEN": "hvs.secret",
    "CERTKIT_PASSPHRASE": "secret",
    "LD_PRELOAD": "/tmp/evil.so",
}


@pytest.fixture
def script(tmp_path):
    """Makes a program; its path."""

    def make(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\nexit 0\n")
        path.chmod(0o755)
        return path

    return make


def programs(own, **options):
    """The programs of a host."""
    return Programs(host=HostConfiguration(**options), environment=ENVIRONMENT, own=own)


def entry(name, *command, **options):
    """An entry of the host configuration."""
    return {name: ConfiguredProgram(name=name, command=command, source="/etc/certkit/certkit.toml", **options)}


def test_the_environment_is_constructed():
    """A fixed path, and what is harmless; no secret, and nothing that changes what the loader loads."""
    assert programs(None).variables == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/home/acme",
        "LANG": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy:3128",
    }


def test_an_entry_names_the_variables_it_gets():
    """And no other entry gets them."""
    found = programs(None, issuers=entry("vault", "/bin/true", environment=("VAULT_TOKEN", "ABSENT")))
    program = found.stored("issuer", "vault", identity="acme")
    assert (program.arguments, program.variables) == (("/bin/true",), {"VAULT_TOKEN": "hvs.secret"})


def test_a_record_in_vault_names_no_path(script, tmp_path):
    """Whoever may write the record would choose what the host runs."""
    for kind in ("issuer", "hook"):
        with pytest.raises(InputError, match="a record in Vault must not contain a path"):
            programs(None).stored(kind, str(script("evil")), identity="acme")
        with pytest.raises(InputError, match="in the host configuration"):
            programs(None).stored(kind, "true", identity="acme")


def test_an_entry_may_be_for_some_identities_only():
    """A record of another one that names it is refused."""
    found = programs(None, hooks=entry("reload", "/bin/true", allow=("acme",)))
    assert found.stored("hook", "reload", identity="acme").arguments == ("/bin/true",)
    with pytest.raises(InputError, match="identity 'other' may not use the hook 'reload'"):
        found.stored("hook", "reload", identity="other")


def test_an_unsafe_configuration_lends_no_program():
    """Commands that need it end with its fault."""
    found = programs(None, hooks=entry("reload", "/bin/true"), faults=(InputError("unsafe", hint="chmod"),))
    with pytest.raises(InputError, match="unsafe"):
        found.stored("hook", "reload", identity="acme")


def test_a_record_of_ones_own_names_a_program(script, tmp_path):
    """With arguments, split as a shell does."""
    program = script("sign it")
    (tmp_path / "store/acme").mkdir(parents=True)
    found = programs(tmp_path / "store").stored("issuer", f"'{program}' --days '30 31'", identity="acme")
    assert found.arguments == (str(program), "--days", "30 31")


@pytest.mark.parametrize("spoil", ["store", "store/acme", "bin", "bin/program"])
def test_what_others_may_write_is_not_run(script, tmp_path, spoil):
    """Neither a program that they could replace, nor one that they could have named."""
    program = script("bin/program")
    (tmp_path / "store/acme").mkdir(parents=True)
    (tmp_path / spoil).chmod(0o777)
    with pytest.raises(UnsafeDirectoryError, match=f"other users can write to {tmp_path / spoil}"):
        programs(tmp_path / "store").stored("hook", str(program), identity="acme")


def test_programs_of_another_user_are_not_run(script, tmp_path):
    """For they decide what happens, now or later."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of others")
    (tmp_path / "store/acme").mkdir(parents=True)
    program = script("program")
    os.chown(program, 12345, 12345)
    with pytest.raises(UnsafeDirectoryError, match=f"{program} belongs to uid 12345"):
        programs(tmp_path / "store").stored("hook", str(program), identity="acme")
    assert programs(tmp_path / "store").typed_hook(str(program), identity="acme").arguments == (str(program),)


def test_deploy_d(script, tmp_path):
    """Executables in the order of their names; no hidden files, no editor's copies, no directories."""
    for name in ("20-reload", "10-check", ".hidden", "10-check~"):
        script(f"deploy.d/{name}")
    folder = tmp_path / "deploy.d"
    (folder / "README").write_text("no program")
    (folder / "directory").mkdir()
    (folder / "30-link").symlink_to("10-check")
    (folder / "40-broken").symlink_to("nowhere")
    names = [os.path.basename(each.arguments[0]) for each in programs(None).deploy_d(folder)]
    assert names == ["10-check", "20-reload", "30-link"]
    assert unusable(folder) == [
        (folder / "40-broken", "it is a broken symlink"),
        (folder / "README", "it is not executable"),
    ]
    assert programs(None).deploy_d(tmp_path / "absent") == []
    with pytest.raises(InputError, match=r"cannot read .*20-reload: not a directory"):
        programs(None).deploy_d(folder / "20-reload")


def test_a_hook_of_deploy_d_that_others_may_write(script, tmp_path):
    """It is refused, whether its directory or itself is theirs to change."""
    script("deploy.d/10-reload").chmod(0o777)
    with pytest.raises(UnsafeDirectoryError, match=r"other users can write to .*10-reload"):
        programs(None).deploy_d(tmp_path / "deploy.d")
    assert programs(None, safe_directories=(str(tmp_path),)).deploy_d(tmp_path / "deploy.d")


def test_what_a_record_may_hold(script, tmp_path):
    """An absolute command, or the name of an entry; in Vault only the latter."""
    program = script("my hook")
    host = HostConfiguration(hooks=entry("reload", "/bin/true"))
    assert storable_hook(str(program), tmp_path, host) == f"'{program}'"
    assert storable_hook("reload", None, host) == "reload"
    with pytest.raises(InputError, match="must not contain a path"):
        storable_hook(str(program), None, host)


def test_trust_is_of_the_configuration():
    """Its directories are safe, whoever owns them."""
    assert HostConfiguration(safe_directories=("/work",)).trust == Trust(("/work",))
