"""Terraform makes, renews, adopts and forgets identities, and never sees a key."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from certkit.identity import activate, enroll, retire
from certkit.policy.catalogue import load
from certkit.stores.file.store import FileStore
from certkit.stores.record import Settings
from certkit.x509.names import SubjectOptions
from tests import pki
from tests.conftest import require_program
from tests.terraform.provider.conftest import certificate, identity, provider, vault_place
from tests.terraform.provider.workspace import LIBRARY, wait_for


@pytest.fixture
def begin(workspaces, partner):
    """A function that makes a workspace over a store, with the partner's CA in it."""

    def make(place, configuration):
        work = workspaces(place)
        (work.folder / "ca.pem").write_bytes(partner.ca.pem)
        work.write(provider(place) + configuration)
        return work

    return make


def enrolled(place, partner, name="acme"):
    """An identity enrolled without Terraform."""
    subject = SubjectOptions(organization="Acme Ltd", country="GB")
    settings = Settings(policy="wise-sandbox", subject=subject, trust_bundle=partner.ca.pem.decode())
    enroll.enroll(place.store, name, settings, load("wise-sandbox"), now=datetime.now(UTC))


def store_setting(place, **settings):
    """Change settings without Terraform."""
    place.store.change("acme", lambda record: replace(record, settings=replace(record.settings, **settings)))


def active(place, name="acme"):
    """The generation that an identity has in use."""
    return place.store.load(name).record.active


def numbers(place, name="acme"):
    """The generations of an identity."""
    return [each.number for each in place.store.load(name).generations]


def test_what_is_there_is_imported(place, begin, partner):
    """An identity and its certificate, by name; the plan afterwards is empty."""
    enrolled(place, partner)
    partner.install(place)
    blocks = "".join(
        f'import {{\n  to = {address}\n  id = "acme"\n}}\n'
        for address in ("certkit_identity.acme", "certkit_certificate.acme")
    )
    work = begin(place, identity() + certificate() + blocks)
    (work.folder / "acme.pem").write_bytes(place.store.load("acme").generations[0].issued.certificate)
    assert "2 imported, 0 added, 0 changed, 0 destroyed" in work.apply().said
    assert work.state("certkit_identity.acme")["organization"] == "Acme Ltd"
    assert work.state("certkit_certificate.acme")["state"] == "active"
    assert work.plan().code == 0
    assert work.holds(place.secrets) == set()


def test_what_is_there_with_other_settings(file, begin, partner):
    """The error says how Terraform can change them, or that another identity is needed."""
    enrolled(file, partner)
    work = begin(file, identity(more='client_id = "acme"'))
    store_setting(file, client_id="before")
    refused = work.run("apply", "-auto-approve").said
    assert "acme: already exists with a different `client_id`" in refused
    assert "import the identity, so that the next apply changes the setting" in refused
    assert "terraform import certkit_identity.LABEL acme " in refused
    assert work.run("import", "certkit_identity.acme", "acme").code == 0
    work.apply()
    assert file.store.load("acme").record.settings.client_id == "acme"
    assert numbers(file) == ["0001"]
    other = begin(file, identity().replace("GB", "DE")).run("apply", "-auto-approve").said
    assert "Leave the argument out, or choose another name." in other


LATER = """resource "terraform_data" "later" {
  input = "wise"
}
"""


def test_values_known_after_another_resource_is_made(file, begin, tmp_path):
    """Alone, with a known prefix, and in a list: when an identity is made, and when it changes."""
    of_store = f'provider "certkit" {{\n store = "file:{tmp_path}/${{terraform_data.later.output}}"\n}}\n'
    work = begin(file, "")
    work.write(of_store + LATER + identity(more='units = ["A", "a ${terraform_data.later.output}"]'))
    (work.folder / "hook").symlink_to("/bin/true")
    work.apply_in_two_steps()
    assert work.plan().code == 0
    assert work.state("certkit_identity.acme")["units"] == ["A", "a wise"]

    more = """
    units       = ["A", "a wise"]
    issuer      = "command:/bin/${terraform_data.later.output}"
    probe       = "https://${terraform_data.later.output}.example/"
    deploy_hook = "${path.module}/${terraform_data.later.output}"
    """
    store = f'provider "certkit" {{\n store = "file:{tmp_path}/wise"\n}}\n'
    work.write(store + LATER.replace("wise", "true") + identity(more=more))
    planned = work.plan()
    assert (planned.code, "internal error" in planned.said) == (2, False)
    work.write(store + LATER.replace("wise", "b") + identity(more='units = ["A", "a ${terraform_data.later.output}"]'))
    planned = work.plan()
    assert (planned.code, "must be replaced" in planned.said) == (2, True)


def test_an_issuer_that_answers_at_once(file, begin, partner):
    """One apply makes the request, has it signed, and puts the certificate to use; when it is time, once more."""
    issuer = file.store.root.parent / "issuer.py"
    issuer.write_text(ISSUER)
    partner.ca.write(file.store.root.parent, "issuer")
    days = file.store.root.parent / "days"
    days.write_text("30")
    command = shlex.join([sys.executable, str(issuer)])
    work = begin(file, identity(more=f'issuer = "command:{command}"'))
    work.apply()
    made = work.state("certkit_identity.acme")
    assert (made["generation"], made["state"], made["next"]) == ("0001", "active", "nothing")

    days.write_text("300")
    assert "~ not_after " in work.apply().said
    assert work.state("certkit_identity.acme")["active_generation"] == "0002"
    assert work.holds(file.secrets) == set()


ISSUER = """\
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

here = Path(__file__).parent
csr = x509.load_pem_x509_csr(sys.stdin.buffer.read())
ca = x509.load_pem_x509_certificate((here / "issuer.pem").read_bytes())
key = serialization.load_pem_private_key((here / "issuer.key").read_bytes(), None)
end = datetime.now(UTC) + timedelta(days=int((here / "days").read_text()))
builder = x509.CertificateBuilder(ca.subject, csr.subject, csr.public_key(), x509.random_serial_number())
builder = builder.not_valid_before(end - timedelta(days=365)).not_valid_after(end)
usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
signed = builder.add_extension(usage, critical=False).sign(key, hashes.SHA256())
sys.stdout.buffer.write(signed.public_bytes(serialization.Encoding.PEM))
"""


def test_a_hook_that_failed_runs_again(file, begin, partner):
    """It fails the apply, the next plan says that it will run again, and then there is nothing to do."""
    work = begin(file, identity(more='deploy_hook = "./hook"') + certificate() + OUTPUTS)
    hook = work.folder / "hook"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (work.folder / "acme.pem").write_bytes(partner.ca.pem)
    work.run("apply", "-auto-approve", "-target=certkit_identity.acme")
    (work.folder / "acme.pem").write_bytes(partner.answer(work.state("certkit_identity.acme")["csr"]).pem)
    assert work.run("apply", "-auto-approve").code == 1
    assert active(file) == "0001"
    hook.write_text("#!/bin/sh\necho $CERTKIT_NAME >>ran\n".replace("ran", str(work.folder / "ran")))
    assert "a deploy hook failed and has not succeeded since, so it will run again" in work.apply().said
    assert (work.folder / "ran").read_text() == "acme\n"
    settled = work.plan()
    assert settled.code == 0, settled.said


PKI = 'path "terraform-pki/sign/client" {\n  capabilities = ["update"]\n}\n'


@pytest.fixture
def role(openbao):
    """A function that sets for how many hours a role of a PKI mount issues certificates; None: no longer at all."""
    openbao.api("POST", "sys/mounts/terraform-pki", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    root = {"common_name": "Root", "key_type": "ec", "ttl": "87600h"}
    openbao.api("POST", "terraform-pki/root/generate/internal", root)

    def put(hours):
        fields = {"allow_any_name": True, "client_flag": True, "server_flag": False, "key_type": "ec"}
        fields |= {"enforce_hostnames": False, "organization": "Acme Ltd", "ttl": f"{hours}h", "max_ttl": f"{hours}h"}
        openbao.api("POST" if hours else "DELETE", "terraform-pki/roles/client", fields if hours else None)

    yield put
    openbao.api("DELETE", "sys/mounts/terraform-pki")


def test_the_pki_engine_issues_at_once(request, openbao, role, begin):
    """One apply makes the request, has it signed and activates it; so does a renewal, also after one that failed."""
    require_program("faketime")
    vault = vault_place(request, more=PKI)
    resource = identity(more='common_name = "acme"\n  issuer = "vault-pki:terraform-pki/client"')
    resource = resource.replace("wise-sandbox", "general").replace('  ca           = file("ca.pem")\n', "")
    output = 'output "identity" { value = certkit_identity.acme }\n'
    role(24)
    work = begin(vault, resource + output)
    refused = work.run("apply", "-auto-approve")
    assert "Give the CAs of the issuer from the beginning: `ca`." in refused.said
    assert vault.store.names() == []
    root = openbao.api("GET", "terraform-pki/cert/ca")["data"]["certificate"]
    (work.folder / "ca.pem").write_text(root)
    work.write(provider(vault) + resource.replace("issuer =", 'ca = file("ca.pem")\n  issuer =') + output)
    work.apply()
    made = work.state("certkit_identity.acme")
    assert (made["generation"], made["state"], made["next"]) == ("0001", "active", "nothing")
    assert made["certificate_path"] == f"{vault.uri}/acme/generations/0001/certificate"
    settled = work.plan()
    assert settled.code == 0, settled.said

    role(None)
    work.variables |= {"LD_PRELOAD": LIBRARY, "FAKETIME": "+20h"}
    failed = work.run("apply", "-auto-approve")
    assert failed.code == 1
    assert "the renewal window is open, so a new request will be made" in failed.said
    role(240)
    again = work.apply()
    assert "the request of generation 0002 is still open, so the issuer will be asked again" in again.said
    assert (active(vault), numbers(vault)) == ("0002", ["0001", "0002"])
    settled = work.plan()
    assert settled.code == 0, settled.said
    assert work.holds(vault.secrets) == set()


README_OUTPUTS = """
output "next" { value = certkit_identity.acme.next }
output "csr" { value = certkit_identity.acme.csr }
output "path" { value = certkit_certificate.acme.certificate_path }
"""


def test_a_rollback_is_respected(file, begin, partner):
    """After an emergency plans warn and change nothing, without a state too, until another certificate is given."""
    work = begin(file, identity() + certificate() + README_OUTPUTS)
    (work.folder / "acme.pem").write_text("")
    enrolled(file, partner)
    for number in ("0001", "0002"):
        if number == "0002":
            enroll.add_request(file.store, file.store.load("acme"), load("wise-sandbox"), now=datetime.now(UTC))
        csr = file.store.load("acme").generations[-1].csr.decode()
        (work.folder / "acme.pem").write_bytes(partner.answer(csr).pem)
        work.apply()
        assert active(file) == number
    activate.rollback(file.store, file.store.load("acme"), now=datetime.now(UTC))
    plan = work.plan()
    assert plan.code == 0, plan.said
    assert "acme: generation 0002 is previous, and another generation is in use" in plan.said

    (work.folder / "terraform.tfstate").unlink()
    assert "acme: generation 0002 is previous, and another generation is in use" in work.apply().said
    assert (active(file), work.plan().code) == ("0001", 0)

    (work.folder / "acme.pem").write_bytes(file.store.load("acme").generations[0].issued.certificate)
    work.apply()
    (work.folder / "acme.pem").write_bytes(file.store.load("acme").generations[1].issued.certificate)
    work.apply()
    assert (active(file), work.plan().code) == ("0002", 0)


def test_providers_and_workspaces_are_kept_apart(vault, begin, tmp_path):
    """Two providers with aliases have a store each, and each workspace its own identity."""
    other = tmp_path / "other"
    aliased = f'provider "certkit" {{\n  alias = "other"\n  store = "file:{other}"\n}}\n'
    first = identity("acme-${terraform.workspace}")
    second = identity("acme-${terraform.workspace}", "provider = certkit.other", label="other")
    work = begin(vault, aliased + first + second)
    for name in ("default", "test"):
        if name != "default":
            assert work.run("workspace", "new", name).code == 0
        assert "Plan: 2 to add" in work.apply().said
        assert work.plan().code == 0
    made = [store.load(name) for store in (vault.store, FileStore(other)) for name in store.names()]
    assert sorted(each.name for each in made) == ["acme-default"] * 2 + ["acme-test"] * 2
    assert len({each.generations[0].csr for each in made}) == len(made)
    assert work.holds(vault.secrets) == set()


OUTPUTS = """
output "identity" { value = certkit_identity.acme }
output "certificate" { value = certkit_certificate.acme }
"""


def test_a_state_of_the_first_release_goes_on(certkit, file, begin, tmp_path):
    """`install-provider` prints the line that gives a state of 0.1.0 the provider's own address."""
    work = begin(file, identity())
    work.apply()
    state = work.folder / "terraform.tfstate"
    ours, theirs = "certkit.local/certkit/certkit", "registry.terraform.io/certkit/certkit"
    state.write_text(state.read_text().replace(ours, theirs))
    printed = certkit("terraform", "install-provider", "--mirror", tmp_path / "mirror", "--json").json
    line = f"terraform state replace-provider {theirs} {ours}"
    assert (printed["replace_provider"], line in printed["configuration"]) == (line, True)
    replaced = work.run(*line.split()[1:3], "-auto-approve", theirs, ours)
    assert replaced.code == 0, replaced.said
    assert work.plan().code == 0


def test_both_resources_before_there_is_a_certificate(place, begin, partner):
    """One configuration from the first apply on; the plan after each step is empty, outputs included."""
    given = 'resource "certkit_certificate" "acme" {\n  identity = certkit_identity.acme.name\n'
    given += '  certificate = fileexists("acme.pem") ? file("acme.pem") : null\n}\n'
    work = begin(place, identity() + given + OUTPUTS)
    work.apply()
    assert work.plan().code == 0
    asked = work.state("certkit_identity.acme")
    assert "under the name acme-" in asked["next"]
    assert asked["next"].endswith(", and give its certificate to certkit_certificate; nothing, once that is done")
    (work.folder / "acme.pem").write_bytes(partner.answer(asked["csr"]).pem)
    installed = work.apply()
    assert "0 to add, 1 to change, 0 to destroy" in installed.said
    assert active(place) == "0001"
    after = work.plan()
    assert after.code == 0, after.said
    assert work.holds(place.secrets) == set()


def test_settings_change_in_place(file, begin, partner):
    """Another CA, client id and probe: one update, without `destroy_keys`, and the plan after it is empty."""
    work = begin(file, identity())
    work.apply()
    partner.install(file)
    work.apply()
    (work.folder / "ca.pem").write_bytes(partner.ca.pem + pki.root(begin=pki.NOW, end=pki.NOW + 9 * pki.YEAR).pem)
    work.write(provider(file) + identity(more='client_id = "acme-client-id"\n  probe = "policy"'))
    assert "0 to add, 1 to change, 0 to destroy" in work.apply().said
    known = file.store.load("acme").record.settings
    assert (known.client_id, known.probe, known.trust_bundle.count("BEGIN")) == ("acme-client-id", "policy", 2)
    assert work.plan().code == 0


def test_a_provisioner_is_told_at_plan_time_who_can_change_settings(request, begin):
    """Its token may not, and the plan names the role that may."""
    vault = vault_place(request)
    without = identity().replace('  ca           = file("ca.pem")\n', "")
    work = begin(vault, without)
    assert "acme: `ca` names no CAs to trust, and the token may not change the settings of acme" in work.apply().said
    work.write(provider(vault) + identity(more='client_id = "acme-client-id"'))
    refused = work.plan()
    assert refused.code == 1
    assert "the token may not change the settings of acme" in refused.said
    assert "policies/vault/operator.hcl" in refused.said


def applied(file, begin, partner):
    """Both resources, applied to an identity whose certificate is installed."""
    enrolled(file, partner)
    partner.install(file)
    work = begin(file, identity() + certificate())
    (work.folder / "acme.pem").write_bytes(file.store.load("acme").generations[0].issued.certificate)
    work.apply()
    return work


def test_what_changed_outside_is_seen(file, begin, partner):
    """Another generation in use, another policy, a discarded request, a removed identity: the plan says what comes."""
    work = applied(file, begin, partner)
    work.forget("certkit_identity.acme", "probe")  # as if an older version had made it

    enroll.add_request(file.store, file.store.load("acme"), load("wise-sandbox"), now=datetime.now(UTC))
    partner.install(file)
    replaced = work.plan()
    assert replaced.code == 0, replaced.said
    assert "acme: generation 0001 is previous, and another generation is in use" in replaced.said
    assert active(file) == "0002"

    store = file.store
    store.change("acme", lambda record: replace(record, settings=replace(record.settings, client_id="acme-client-id")))
    before = store.load("acme").record
    drift = work.plan("-refresh-only")
    assert (drift.code, "+ client_id" in drift.said) == (2, True), drift.said
    assert work.run("apply", "-refresh-only", "-auto-approve").code == 0
    assert work.state("certkit_identity.acme")["client_id"] == "acme-client-id"
    assert (work.plan().code, store.load("acme").record) == (0, before)

    work.write(provider(file) + identity(more='locality = "London"') + certificate())
    other = work.plan()
    assert other.code == 1
    assert "acme: the identity was enrolled with another locality" in other.said

    work.write(provider(file) + identity() + certificate())
    file.store.remove("acme")
    gone = work.plan()
    assert gone.code == 2
    assert "certkit_identity.acme will be created" in gone.said


def test_a_store_that_is_not_there_is_not_made_again(file, begin, partner):
    """A directory that is not mounted: the plan fails, for its identities exist; once it is back, nothing is to do."""
    work = applied(file, begin, partner)
    away = file.store.root.rename(file.store.root.with_name("away"))
    ran = work.plan()
    assert (ran.code, ran.said.count(f"there is no store at {file.uri}")) == (1, 1)
    assert "if it is lost for good: terraform state rm ADDRESS" in ran.said
    (work.folder / "main.tf").write_text(
        (work.folder / "main.tf").read_text().replace("certkit_identity.acme.name", '"acme"')
    )
    ran = work.plan("-target=certkit_certificate.acme")
    assert (ran.code, ran.said.count(f"there is no store at {file.uri}")) == (1, 1)
    away.rename(file.store.root)
    assert work.plan().code == 0


def test_a_request_that_the_partner_refused_is_made_again(file, begin, partner):
    """It was discarded, nothing is in use: the plan shows a new one. With `destroy_keys`, nothing stays behind."""
    enrolled(file, partner)
    work = begin(file, identity(more="destroy_keys = true"))
    work.apply()
    retire.discard(file.store, file.store.load("acme"))
    assert "no request is open, and no certificate is in use, so a new request will be made" in work.apply().said
    assert work.state("certkit_identity.acme")["generation"] == "0002"
    destroyed = work.run("destroy", "-auto-approve")
    assert "acme: the identity will be removed from the store with all its keys" in destroyed.said
    assert (destroyed.code, file.store.names()) == (0, [])


def test_a_clock_far_away(file, begin, partner):
    """The renewal window opens with time alone, and Terraform reaches a provider with another clock."""
    require_program("faketime")
    enrolled(file, partner)
    partner.install(file, days=200)
    work = begin(file, identity())
    work.apply()
    work.variables |= {"LD_PRELOAD": LIBRARY, "FAKETIME": "+180d"}
    due = work.plan()
    assert due.code == 2, due.said
    assert "the renewal window is open" in due.said


def test_two_applies_at_once_make_one_identity(place, begin):
    """Both succeed, and both know the one generation that there is."""
    works = [begin(place, identity()) for _ in range(2)]
    ran = [work.finish(process) for work, process in [(work, work.start(*APPLY)) for work in works]]
    assert [each.code for each in ran] == [0, 0], [each.said for each in ran]
    csr, *_ = place.store.load("acme").generations[0].csr.decode().splitlines()[1:]
    assert numbers(place) == ["0001"]
    assert all(csr in work.state("certkit_identity.acme")["csr"] for work in works)
    assert all(work.holds(place.secrets) == set() for work in works)


APPLY = ("apply", "-auto-approve", "-no-color")


def test_a_killed_apply_is_completed_by_the_next(file, begin, installed_provider):
    """Whatever was there when Terraform and the provider were killed: one request is left, and nothing beside."""
    work = begin(file, identity(more='key_type = "rsa-3072"'))
    work.cli_configuration = installed_provider
    process = work.start(*APPLY)
    wait_for(lambda: file.store.names() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    work.apply()
    assert numbers(file) == ["0001"]
    assert work.plan().code == 0
    assert work.holds(file.secrets) == set()
