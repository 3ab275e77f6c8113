"""The Terraform module in `scripts/terraform`, with a real Terraform: what it does, and that it has no secret."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime

import pytest
from cryptography import x509

from certkit.stores.base import AbsentError
from tests import forked, pki
from tests.conftest import command, require_program
from tests.terraform.external import external
from tests.terraform.secrets import forms, places_with
from tests.terraform.workspace import MODULE, NAME, Place, Workspace, file_place, vault_place


@pytest.fixture
def closing():
    """Close the given contexts at the end."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(params=["directory", "vault"])
def place(request) -> Place:
    """An empty store of each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def directory(tmp_path) -> Place:
    """An empty store that is a directory."""
    return file_place(tmp_path / "identities")


@pytest.fixture
def vault(openbao, closing) -> Place:
    """An empty store in Vault."""
    return vault_place(openbao, closing)


@pytest.fixture
def workspace(tmp_path, closing):
    """A function that makes configurations that nothing was applied of; none of them leaves a secret anywhere."""
    made = []

    def make(place, name="workspace", **options) -> Workspace:
        made.append(Workspace(tmp_path / name, place, **options))
        return made[-1]

    yield make
    assert [each.places_with_secrets() for each in made] == [set() for _ in made]


# the way of a certificate


def test_from_the_request_to_the_certificate(workspace, place, root):
    """Each apply leaves nothing to do, and the identity outlives its Terraform.

    The outputs say where the pair is. That no private key, token or passphrase is anywhere, `workspace` sees to.
    """
    made = workspace(place)
    made.run("plan", "-out=saved.plan")
    made.run("apply", "saved.plan")
    asked = made.outputs()
    assert (asked["state"], asked["certificate_path"]) == ("pending", "")
    assert asked["csr"].encode() == place.store.load(NAME).generations[0].csr
    assert made.is_settled()

    made.apply(certificate=made.answer(root), ca="ca.pem")
    used = made.outputs()
    assert (used["state"], used["csr"], used["ready_for_renewal"]) == ("active", "", False)
    assert (used["certificate_path"], used["key_reference"]) == place.pair
    assert used["subject"] == "CN=acme-client-id,O=Acme Ltd"
    assert made.is_settled()
    made.run("plan", "-destroy", "-out=last.plan")
    made.run("show", "-json", "last.plan")

    made.run("apply", "last.plan")
    assert place.numbers() == ["0001"]
    assert place.store.load(NAME).record.active == "0001"


def test_a_renewal_that_is_due_is_one_step_of_the_plan(workspace, place, root):
    """It makes the next request, once; its answer replaces the certificate, and then nothing is due.

    That the request still waits while the certificate nears its end is no failure.
    """
    made = workspace(place)
    made.activate(root, days=20)
    assert made.outputs()["csr"].startswith("-----BEGIN CERTIFICATE REQUEST-----\n")
    assert made.outputs()["ready_for_renewal"] is True
    assert made.is_settled()
    made.apply(renewal_period="YYYY-MM-DD")
    assert made.is_settled()
    assert place.numbers() == ["0001", "0002"]

    made.apply(certificate=made.answer(root, name="next.pem"))
    assert (made.outputs()["state"], made.outputs()["ready_for_renewal"]) == ("active", False)
    assert made.is_settled()
    assert place.store.load(NAME).record.active == "0002"


def test_a_renewal_is_due_by_facts_from_outside(workspace, directory, root):
    """Of what others have renewed nothing is due any more, though the last answer here would be."""
    made = workspace(directory)
    made.activate(root, days=30)
    ask = functools.partial(
        external,
        ["certkit", "terraform", "query"],
        {"identity": NAME, "store": directory.uri},
        folder=made.folder,
        env=made.env,
    )
    made.configure(facts=ask())
    assert made.is_settled()
    made.apply(certificate=made.answer(root, name="next.pem"))
    made.configure(facts=ask())
    assert made.is_settled()


def test_an_issuer_that_answers_at_once_needs_one_apply(workspace, directory, root):
    """From nothing to a certificate in use, which the CAs that were given hold for sound."""
    made = workspace(directory)
    root.write(made.folder, "ca")
    sign = "x509 -req -CA ca.pem -CAkey ca.key -days 200 -extfile ca.cnf"
    (made.folder / "ca.cnf").write_text("extendedKeyUsage=clientAuth\n")
    made.script("issuer", f"exec {require_program('openssl')} {sign}")
    issuer = f"command:{made.folder}/bin/issuer"
    made.apply(issuer=issuer, ca="ca.pem", policy="general")
    found = made.outputs()
    assert (found["state"], found["csr"], found["subject"]) == ("active", "", "O=Acme Ltd,C=GB")
    assert made.is_settled()


# trouble


def test_two_that_apply_at_once_make_one_request(workspace, place):
    """Two configurations with a state each, on one store: the second one finds what the first one made."""
    both = [workspace(place, name) for name in ("one", "other")]
    running = [each.start("apply", "-auto-approve") for each in both]
    assert [process.wait(120) for process in running] == [0, 0]
    assert place.numbers() == ["0001"]
    assert all(each.is_settled() for each in both)


def kill_when(is_so, process):
    """Kill a process and those that it started, the leader of a session, as soon as something is so."""
    end = time.monotonic() + 60
    while not is_so() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("place", "moment"), [("directory", "before"), ("directory", "after"), ("vault", "after")], indirect=["place"]
)
def test_an_apply_that_was_killed_is_applied_again(workspace, place, moment):
    """Killed before the request is made, or after it and before Terraform knows: there is one request in the end."""
    made = workspace(place)
    real = f'{shlex.join(command())} "$@"'
    wait = "touch ready; exec sleep 600"
    made.script("certkit", f"{real} && {{ {wait}; }}" if moment == "after" else wait)
    running = made.start("apply", "-auto-approve", start_new_session=True)
    kill_when((made.folder / "ready").exists, running)
    assert running.wait(60) == -signal.SIGKILL

    forked.program(made.folder / "bin", command())
    made.apply()
    assert made.is_settled()
    assert place.numbers() == ["0001"]


def test_a_run_that_was_killed_before_facts_were_taken_says_what_to_do(workspace, directory):
    """The file of facts is gone before Terraform read it: the plan says so, and what it says helps."""
    made = workspace(directory)
    made.run("apply", "-auto-approve", "-target=module.wise.terraform_data.reading")
    shutil.rmtree(made.folder / ".terraform" / "certkit")
    told = made.run("plan", code=1)
    assert f"Nothing is known of {NAME}, as after a run that was killed." in told.err
    assert "-replace=ADDRESS.terraform_data.reading" in told.err
    made.run("apply", "-auto-approve", "-replace=module.wise.terraform_data.reading")
    assert made.is_settled()
    assert directory.numbers() == ["0001"]


def test_the_working_directory_may_be_lost(workspace, tmp_path, place, root):
    """With the state elsewhere, a fresh checkout has nothing to do."""
    made = workspace(place, state=tmp_path / "state" / "terraform.tfstate")
    made.activate(root)
    before = made.outputs()
    configuration = {name: (made.folder / name).read_bytes() for name in ("main.tf.json", "answer.pem", "ca.pem")}
    shutil.rmtree(made.folder)

    again = workspace(place, state=made.state, arguments=made.arguments)
    for name, content in configuration.items():
        (again.folder / name).write_bytes(content)
    assert again.is_settled()
    assert again.outputs() == before


def test_the_state_may_be_lost(workspace, directory, root):
    """Existing identities are found again, and nothing is created twice."""
    made = workspace(directory)
    made.activate(root)
    before = made.outputs()
    shutil.rmtree(made.folder / ".terraform" / "certkit")
    (made.folder / "terraform.tfstate").unlink()
    made.apply()
    assert made.outputs() == before
    assert directory.numbers() == ["0001"]


def test_a_wrong_answer_changes_nothing(workspace, directory, root):
    """The apply fails and says why; the right answer heals it."""
    made = workspace(directory)
    made.apply()
    made.configure(certificate=made.answer(pki.root()), ca="ca.pem")
    (made.folder / "ca.pem").write_bytes(root.pem)
    told = made.run("apply", "-auto-approve", code=1)
    assert "wise-sandbox: certificate rejected: chain:" in told.out
    assert directory.store.load(NAME).record.active is None

    made.answer(root)
    made.apply()
    assert directory.store.load(NAME).record.active == "0001"
    assert made.is_settled()


# what a plan replaces

STEPS = ("identity", "settings", "certificate", "renewal", "reading", "facts")


def replaced(planned):
    """The steps that a plan replaces."""
    return [
        step for step in STEPS if f"terraform_data.{step} must be replaced" in planned.replace("will be", "must be")
    ]


def test_a_plan_replaces_no_step_that_need_not_run(workspace, directory, root, tmp_path):
    """A certificate is installed, a CA changed; nothing else runs, nor does anything in a checkout elsewhere."""
    made = workspace(directory)
    made.apply()
    made.configure(certificate=made.answer(root), ca="ca.pem")
    made.apply()
    made.configure(certificate=made.answer(root, days=200, name="next.pem"))
    assert replaced(made.run("plan").out) == ["certificate", "reading", "facts"]
    made.configure(certificate="answer.pem")
    (made.folder / "ca.pem").write_bytes(root.pem + pki.root(begin=pki.NOW, end=pki.NOW + 9 * pki.YEAR).pem)
    assert replaced(made.run("plan").out) == ["settings"]
    made.apply()
    assert directory.store.load(NAME).record.settings.trust_bundle.count("BEGIN") == 2
    assert made.is_settled()

    elsewhere = tmp_path / "elsewhere"
    made.configure(certificate=str(made.folder / "answer.pem"), ca=str(made.folder / "ca.pem"))
    shutil.move(made.folder, elsewhere)
    made.folder = elsewhere
    made.configure(certificate=str(elsewhere / "answer.pem"), ca=str(elsewhere / "ca.pem"))
    assert made.is_settled()


# what others do


def test_what_others_put_to_use_in_a_directory_is_noticed(workspace, directory, root, certkit):
    """The next plan looks again, and so do the outputs."""
    made = workspace(directory)
    made.apply()
    made.answer(root)
    install = ["identity", "install", NAME, made.folder / "answer.pem", "--ca", made.folder / "ca.pem"]
    assert certkit(*install, "--store", directory.uri, env=directory.env).code == 0
    assert not made.is_settled()
    made.apply()
    assert made.outputs()["state"] == "active"
    assert made.is_settled()


def test_what_others_put_to_use_in_vault_is_seen_on_demand(workspace, vault, root, certkit):
    """By another `refresh`, and it puts nothing else to use."""
    made = workspace(vault)
    made.apply()
    made.answer(root)
    install = ["identity", "install", NAME, made.folder / "answer.pem", "--ca", made.folder / "ca.pem"]
    assert certkit(*install, "--store", vault.uri, env=vault.env).code == 0
    made.apply(refresh="now")
    assert made.outputs()["state"] == "active"
    assert made.is_settled()


def test_an_identity_that_is_gone_is_told(workspace, directory, root):
    """It is not silently created again."""
    made = workspace(directory)
    made.activate(root)
    directory.store.remove(NAME)
    told = made.run("apply", "-auto-approve", code=1)
    assert f"{NAME} is gone from its store." in told.err
    with pytest.raises(AbsentError):
        directory.store.load(NAME)


# destroying


def test_destroy_removes_keys_if_it_was_told_so(workspace, directory, root):
    """By an apply before. No other apply removes any: not that one, nor one that reverts it or replaces."""
    made = workspace(directory, arguments={"remove_on_destroy": True})
    made.activate(root)
    made.apply(remove_on_destroy=False)
    made.apply(remove_on_destroy=True, subject={"organization": "Acme Ltd"})
    assert directory.numbers() == ["0001"]
    made.run("destroy", "-auto-approve")
    assert directory.store.names() == []


def test_destroy_runs_no_program_from_the_state(workspace, directory, root):
    """A state is a file that others may write: its program is not run, and what is in it are arguments."""
    made = workspace(directory, arguments={"remove_on_destroy": True})
    made.activate(root)
    state = made.folder / "terraform.tfstate"
    evil = made.folder / "evil"
    made.script("evil", f"touch '{evil}'")
    document = json.loads(state.read_text())
    for each in document["resources"]:
        if each["name"] == "removal":
            options = [f"--store={directory.uri}", f"$(touch '{evil}')", "--force; touch evil"]
            forged = {"remove": [str(made.folder / "bin/evil")], "options": options, "name": NAME}
            [instance] = each["instances"]
            for name in ("input", "output"):
                instance["attributes"][name]["value"] = forged
                instance["attributes"][name]["type"] = [
                    *(
                        "object",
                        {"remove": ["tuple", ["string"]], "options": ["tuple", ["string"] * 3], "name": "string"},
                    ),
                ]
    state.write_text(json.dumps(document))
    made.run("destroy", "-auto-approve", "-refresh=false")
    assert (evil.exists(), directory.store.names()) == (False, [])


def test_a_renewal_before_the_policys_window_is_refused(workspace, directory, root):
    """Hours beyond the policy would come back with every plan: the apply says so."""
    made = workspace(directory)
    made.activate(root, days=100)
    made.configure(early_renewal_hours=24 * 150)
    told = made.run("apply", "-auto-approve", code=1)
    assert "early_renewal_hours = 3600 is earlier than the policy allows" in told.out + told.err
    assert directory.numbers() == ["0001"]


def test_a_provisioner_of_vault_cannot_remove_keys(workspace, vault):
    """Even if configured: the ACL policy does not allow it, and the destroy fails."""
    made = workspace(vault)
    assert f"No CA is given for {NAME}." in made.apply(remove_on_destroy=True).out
    made.run("destroy", "-auto-approve", code=1)
    assert vault.numbers() == ["0001"]
    assert len(vault.private_keys()) == 1


# refusals and warnings


def test_no_value_is_read_by_a_shell(workspace, tmp_path, directory):
    """Quotes, dollars, semicolons and hyphens in a subject stand in the request as they are."""
    organization = """--a "b" 'c' $(touch pwned) `touch pwned`; touch pwned & ${x} \\ %"""
    made = workspace(directory)
    made.apply(subject={"organization": organization, "units": ["-x", "$HOME"]})
    request = x509.load_pem_x509_csr(made.outputs()["csr"].encode())
    values = {attribute.value for attribute in request.subject}
    assert values == {organization, "-x", "$HOME"}
    assert not list(tmp_path.rglob("pwned"))


def test_a_file_with_a_private_key_is_no_answer(workspace, directory, root):
    """The plan refuses it, and nothing of it goes anywhere."""
    made = workspace(directory)
    foreign = root.issue()
    (made.folder / "answer.pem").write_bytes(foreign.pem + foreign.key_pem)
    made.configure(certificate="answer.pem")
    told = made.run("plan", code=1)
    assert "The file answer.pem contains a private key" in told.err
    made.configure(certificate="nothing.pem")
    assert "The file nothing.pem (certificate) does not exist." in made.run("plan", code=1).err


def test_a_bad_name_or_store_is_refused_by_the_plan(workspace, directory):
    """Before anything is run."""
    made = workspace(directory)
    made.configure(identity="--force")
    assert "An identity's name is 1 to 64 letters" in made.run("plan", code=1).err
    made.configure(identity=NAME, store="/etc/certkit")
    assert "A store is file:DIR or vault://MOUNT/PREFIX." in made.run("plan", code=1).err


def test_every_plan_warns_of_what_is_to_be_done(workspace, directory, root):
    """A request that waits, and a certificate near its end."""
    made = workspace(directory)
    assert "A request of wise-sandbox waits for its certificate" in " ".join(made.apply().out.split())
    told = made.apply(certificate=made.answer(root, days=50), ca="ca.pem", warn_hours=24 * 60).out
    told = " ".join(told.split())
    end = made.outputs()["validity_end_time"]
    assert f"The certificate of wise-sandbox expires on {end[:10]}." in told
    assert "waits for its certificate" not in told


def test_outputs_can_insist_on_a_valid_certificate(workspace, directory, root):
    """Resources that use them wait; the request is created all the same, and its certificate installed."""
    made = workspace(directory)
    made.configure(require_valid=True)
    told = made.run("apply", "-auto-approve", code=1)
    assert "There is no valid certificate of wise-sandbox: it is pending." in told.err
    made.apply(certificate=made.answer(root), ca="ca.pem")
    assert made.is_settled()


# the search itself


def test_a_key_in_terraform_would_be_found(tmp_path, directory):
    """In the state, in a plan, and in what is said: the search that finds nothing elsewhere is not blind."""
    made = Workspace(tmp_path / "workspace", directory)
    made.apply()
    [key] = directory.private_keys()
    leak = {"resource": {"terraform_data": {"leak": {"input": key.decode()}}}}
    (made.folder / "leak.tf.json").write_text(json.dumps(leak))
    made.run("plan", "-out=leak.plan")
    made.run("apply", "leak.plan")
    found = made.places_with_secrets()
    assert {f"workspace/{name}" for name in ("leak.tf.json", "leak.plan", "terraform.tfstate", "said.log")} <= found


# the scripts as they stand there


def test_the_module_is_formatted():
    """As `terraform fmt` has it, the examples too."""
    done = subprocess.run(
        [require_program("terraform"), "fmt", "-check", "-recursive", MODULE], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")


def checkout(tmp_path):
    """A folder with the scripts in it, and an environment in which the README's reader is."""
    shutil.copytree(MODULE.parent, tmp_path / "scripts")
    made = Workspace(tmp_path / "reader", file_place(tmp_path / "nowhere"))
    return {name: value for name, value in made.env.items() if name != "CERTKIT_PASSPHRASE"}


def block(readme, name):
    """The text of a block of a README; empty if it has no such block."""
    match = re.search(rf"<!-- {name} -->\n```\w+\n(.+?)\n```", readme.read_text(), re.DOTALL)
    return match[1] if match else ""


READMES = [
    path for path in (MODULE / "README.md", MODULE.parents[1] / "docs/how-to/terraform.md") if block(path, "terraform")
]


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_a_readme_runs_as_written(tmp_path, root, readme):
    """All its commands succeed, the second plan is empty, and the CSR is there; so is it with the certificate."""
    run = functools.partial(subprocess.run, env=checkout(tmp_path), capture_output=True, check=True, timeout=120)
    done = run(["bash", "-euo", "pipefail", "-c", block(readme, "terraform")], cwd=tmp_path)
    assert b"No changes." in done.stdout
    query = block(MODULE / "README.md", "query")
    facts = json.loads(run(["bash", "-c", query], cwd=tmp_path / "wise").stdout)
    assert facts["state"] == "pending"
    assert facts["csr"] == (tmp_path / "wise" / "acme.csr").read_text()

    folder = tmp_path / "wise"
    (folder / "wise.pem").write_bytes(issued(root, facts["csr"].encode()))
    (folder / "wise-ca.pem").write_bytes(root.pem)
    configuration = (folder / "main.tf").read_text()
    more = block(MODULE.parents[1] / "docs/how-to/terraform.md", "terraform-module-certificate")
    (folder / "main.tf").write_text(configuration.replace("\n}\n", f"\n{more}\n}}\n", 1))
    for arguments in (["apply", "-auto-approve"], ["plan", "-detailed-exitcode"]):
        run([require_program("terraform"), *arguments], cwd=folder)
    assert json.loads(run(["bash", "-c", query], cwd=folder).stdout)["state"] == "active"


def issued(ca, csr):
    """The certificate for a CSR, both PEM, valid for 300 days."""
    key, now = x509.load_pem_x509_csr(csr).public_key(), datetime.now(UTC)
    return ca.issue(public_key=key, begin=now - pki.DAY, end=now + 300 * pki.DAY).pem


@pytest.mark.parametrize("example", ["directory", "vault"])
def test_an_example_runs_from_an_empty_folder(tmp_path, request, root, example):
    """From the request to the certificate, as its comment says; the plan after each step is empty."""
    folder = tmp_path / "scripts" / "terraform" / "examples" / example
    env, place = checkout(tmp_path), request.getfixturevalue("vault") if example == "vault" else None
    store = [f"-var=store={place.uri}"] if place else []
    env |= place.env if place else {}

    def terraform(*arguments):
        done = subprocess.run(
            [require_program("terraform"), *arguments], cwd=folder, env=env, capture_output=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return done.stdout

    (folder / "wise-ca.pem").write_bytes(root.pem)
    terraform("init")
    terraform("apply", "-auto-approve", *store)
    terraform("plan", "-detailed-exitcode", *store)
    (folder / "wise.pem").write_bytes(issued(root, terraform("output", "-raw", "csr")))
    certificate = [*store, "-var=certificate=wise.pem", "-var=ca=wise-ca.pem"]
    terraform("apply", "-auto-approve", *certificate)
    terraform("plan", "-detailed-exitcode", *certificate)
    assert terraform("output", "-raw", "csr") == b""
    if place:
        assert places_with({form for text in place.secrets for form in forms(text.encode())}, folder) == set()


def test_the_example_with_external_gets_its_facts(workspace, directory, root):
    """Its query, answered by the protocol, is what the module takes: what is due by it is due."""
    text = (MODULE / "examples" / "external" / "main.tf").read_text()
    program = json.loads(re.search(r"program = (\[.+\])", text)[1])
    query = dict(re.findall(r'(\w+) = "([^"]+)"', re.search(r"query   = \{(.+)\}", text)[1]))
    made = workspace(directory)
    ask = functools.partial(external, program, {**query, "store": directory.uri}, folder=made.folder, env=made.env)
    first = ask()
    assert set(query) == {"identity", "store"}
    assert first["state"] == "absent"
    made.apply(facts=first)
    assert ask()["state"] == "pending"
    made.configure(facts=ask())
    assert made.is_settled()
    made.configure(facts={**ask(), "ready_for_renewal": "true"})
    assert "terraform_data.renewal must be replaced" in made.run("plan").out
