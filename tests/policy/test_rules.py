"""Policies: the format's promises, and that the shipped ones say what the partners say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from certkit.errors import PolicyError
from certkit.policy import catalogue
from certkit.policy import format as files
from certkit.policy import rules as policy
from certkit.policy.values import Answer

WISE = ["wise-production", "wise-sandbox", "wise-sandbox-legacy"]
GOOD = """\
title = "Acme"

[[sources]]
title = "Acme's guide"
read = 2026-11-22

[key]
types = ["ec-p256"]
"""


def load(text: str) -> policy.Policy:
    """The policy of a text."""
    return files.build([files.parse_file(text, name="acme", where="acme.toml")])


def refusal(text: str) -> tuple[str, str]:
    """Return the error about a bad policy, and its hint."""
    with pytest.raises(PolicyError) as refused:
        load(text)
    return refused.value.message, refused.value.hint


# --- the format


def test_the_smallest_policy():
    """A title, a source and a key type; every other question is unknown."""
    small = load(GOOD)
    assert (small.name, small.title, small.key.default_type) == ("acme", "Acme", "ec-p256")
    assert small.sources == (policy.RuleSource("Acme's guide", date(2026, 11, 22)),)
    assert {small.csr.crlf, small.csr.extensions, small.certificate.san, small.renewal.reuse_key} == {Answer.UNKNOWN}
    assert (small.certificate.max_live, small.certificate.max_validity_days, small.renewal.opens) == (None, None, None)
    assert (small.expiry.warn.fixed, small.expiry.critical.fixed) == (timedelta(days=28), timedelta(days=7))


def test_what_a_probe_asks_for():
    """The partner's advice, on the host for mutual TLS; nothing where either is not known."""
    assert catalogue.load("wise-sandbox").hosts.probe_url == (
        "https://api-mtls.wise-sandbox.com/v1/authenticated/playground"
    )
    assert load(GOOD + '[hosts]\nprobe_path = "/x"\n').hosts.probe_url == ""
    assert refusal(GOOD + '[hosts]\nprobe_path = "x"\n')[0].endswith("expected a path such as /v1/status")


def test_environments():
    """Both policies of Wise's sandbox are about one; a policy of the user's is about that of the one it extends."""
    names = ["wise-sandbox", "wise-sandbox-legacy", "wise-production", "general"]
    assert [catalogue.load(name).environment for name in names] == [
        "Wise sandbox",
        "Wise sandbox",
        "Wise production",
        "",
    ]


def test_unknown_is_a_legal_answer():
    """To every question, and to every count."""
    questions = {
        "csr": ["surrounding_text", "further_objects", "crlf", "new_label", "extensions"],
        "certificate": [
            *("max_validity_days", "max_live", "unique_names", "san", "extended_key_usage"),
            *("authority_key_identifier", "issuer_included", "dead_count_as_live"),
        ],
        "renewal": ["reuse_key"],
    }
    sections = [f"[{table}]\n" + "\n".join(f'{key} = "unknown"' for key in keys) for table, keys in questions.items()]
    silent = load(GOOD + "\n".join(sections))
    assert replace(silent, stated=(), remarks=()) == replace(load(GOOD), stated=())


@pytest.mark.parametrize("rule", policy.NO_LONGER_RULES)
def test_what_is_no_longer_a_rule_is_known_only_in_its_section(rule):
    """As a key of its own, in quotes or in another section, it is as unknown as any other."""
    key = rule.partition(".")[2]
    assert refusal(f'"{rule}" = true\n{GOOD}')[0] == f"policy acme.toml, line 1: unknown key '{rule}'"
    assert refusal(f"{GOOD}{key} = true\n")[0] == f"policy acme.toml, line 9: unknown key 'key.{key}'"
    assert "certificate: expected a table" in refusal(f"certificate = true\n{GOOD}")[0]


def test_answers_are_true_and_false():
    """As TOML has them."""
    rules = load(GOOD + "[csr]\ncrlf = true\nnew_label = false\n").csr
    assert (rules.crlf, rules.new_label, rules.extensions) == (Answer.YES, Answer.NO, Answer.UNKNOWN)


NO_ATTRIBUTE = (
    "expected one of C, ST, L, O, OU, CN, emailAddress, serialNumber, street, postalCode, organizationIdentifier,"
    " businessCategory, jurisdictionC, jurisdictionST, jurisdictionL, title, GN, SN, name, initials,"
    " generationQualifier, pseudonym, dnQualifier, description, telephoneNumber, DC, UID"
)
MISTAKES = {
    "top-level": ('titel = "x"\n' + GOOD, 1, "unknown key 'titel'", "did you mean 'title'?"),
    "in-table": (GOOD + 'typs = ["ec-p256"]\n', 9, "unknown key 'key.typs'", "did you mean 'types'?"),
    "table": (GOOD + "\n# a comment\n[subjects]\n", 11, "unknown key 'subjects'", "did you mean 'subject'?"),
    "after-table": (
        GOOD + "[csr]\ncrlf = true\n\nsan_type = []\n",
        12,
        "unknown key 'csr.san_type'",
        "did you mean 'san_types'?",
    ),
    "dotted": (
        'csr.crlf = true\ncsr.crfl = "unknown"\n' + GOOD,
        2,
        "unknown key 'csr.crfl'",
        "did you mean 'crlf'?",
    ),
    "inline-table": (
        "hosts = { api = 'https://a.example', apis = 'x' }\n" + GOOD,
        1,
        "unknown key 'hosts.apis'",
        "did you mean 'api'?",
    ),
    "nested-table": (
        GOOD + "[subject]\nrequired = ['O']\n[subject.max_length]\nO = 64\nXX = 3\n",
        13,
        f"subject.max_length.XX: {NO_ATTRIBUTE}",
        "correct the value",
    ),
    "nested-value": (
        GOOD + "[subject.max_length]\nO = '64'\n",
        10,
        "subject.max_length.O: expected a whole number above 0",
        "correct the value",
    ),
    "second-source": (
        GOOD + "[[sources]]\ntitle = 'x'\nread = 2026-11-22\nlink = 'y'\n",
        12,
        "unknown key 'sources.link'",
        "known here: title, read, url, rules",
    ),
    "second-source-type": (
        GOOD + "[[sources]]\ntitle = 'x'\nread = '2026-11-22'\n",
        11,
        "sources.read: expected a date such as 2026-11-22, without quotes",
        "correct the value",
    ),
    "second-source-incomplete": (
        GOOD + "[[sources]]\ntitle = 'x'\n",
        9,
        "sources: 'read' is missing",
        "each source has a title and the day it was read",
    ),
    "after-long-array": (
        GOOD + "[subject]\nrequired = [\n  'O',\n  # why\n  'CN',\n]\nallowd = []\n",
        15,
        "unknown key 'subject.allowd'",
        "did you mean 'allowed'?",
    ),
    "in-long-array": (
        GOOD + "[subject]\nallowed = [\n  'O',\n  'Organization',\n]\n",
        10,
        f"subject.allowed: item 2: {NO_ATTRIBUTE}",
        "did you mean 'O'?",
    ),
    "after-long-string": (
        'summary = """\ntitel = 1\n[keys]\n"""\n' + GOOD + "typo = 1\n",
        13,
        "unknown key 'key.typo'",
        "did you mean 'types'?",
    ),
    "same-key-elsewhere": (
        GOOD + "[renewal]\nopens = '30d'\n[expiry]\nwarn = '28d'\nopens = '30d'\n",
        13,
        "unknown key 'expiry.opens'",
        "known here: warn, critical",
    ),
    "table-as-value": ("key = 'ec-p256'\n", 1, "key: expected a table, [key]", "write [key] on a line of its own"),
    "sources-as-value": (
        "title = 'x'\nsources = 'guide'\n",
        2,
        "sources: expected at least one [[sources]] table",
        "name where the rules were read",
    ),
}


@pytest.mark.parametrize(("text", "line", "reason", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_line(text, line, reason, hint):
    """A misspelt key or a wrong type: the exact line of the statement, the reason, a hint."""
    assert refusal(text) == (f"policy acme.toml, line {line}: {reason}", hint)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("title = 1", "title: expected a string"),
        ("abstract = 'yes'", "abstract: expected true or false"),
        ("csr.crlf = 'yes'", 'csr.crlf: expected true, false or "unknown"'),
        ("csr.crlf = 1", 'csr.crlf: expected true, false or "unknown"'),
        ("csr.forms = 'pem'", "csr.forms: expected a list"),
        ("csr.forms = ['txt']", "csr.forms: item 1: expected one of pem, der"),
        ("csr.digests = ['sha1']", "csr.digests: item 1: expected one of sha224, sha256, sha384, sha512, sha3-256"),
        ("csr.san_types = ['dns']", "csr.san_types: item 1: expected one of DNS, IP, email, URI, RID"),
        ("key.types = ['rsa']", "key.types: item 1: expected a key type such as ec-p256, ec-p384"),
        ("key.types = [2048]", "key.types: item 1: expected a key type such as ec-p256, ec-p384"),
        ("key.rsa_minimum_bits = 0", "key.rsa_minimum_bits: expected a whole number above 0"),
        ("key.rsa_minimum_bits = true", "key.rsa_minimum_bits: expected a whole number above 0"),
        ("key.rsa_minimum_bits = 2048.0", "key.rsa_minimum_bits: expected a whole number above 0"),
        ("certificate.max_live = 'ten'", 'certificate.max_live: expected a whole number above 0, or "unknown"'),
        ("certificate.common_name = 'me'", "certificate.common_name: expected one of any, client-id"),
        ("renewal.opens = 45", 'renewal.opens: expected a duration such as "28d" or "33%"'),
        ("expiry.warn = '4 weeks'", 'expiry.warn: expected a duration such as "28d" or "33%"'),
        ("renewal.reminders = [28, -1]", "renewal.reminders: item 2: expected a number of days"),
        ("renewal.reminders = [true]", "renewal.reminders: item 1: expected a number of days"),
        ("hosts.api = 'http://api.example'", "hosts.api: expected an https:// address"),
        ("hosts.api = 'http://127.0.0.1.example'", "hosts.api: expected an https:// address"),
        ("hosts.api = 'http://localhost:8790'", "hosts.api: expected an https:// address"),
        ("hosts.api = 'https://a b'", "hosts.api: expected an https:// address"),
        ("subject.common_name_pattern = '('", "subject.common_name_pattern: expected a regular expression"),
        ("subject.max_length = 64", "subject.max_length: expected a table such as { O = 64 }"),
        ("sources = [1]", "sources: expected [[sources]] tables"),
        ("sources = []", "sources: expected at least one [[sources]] table"),
    ],
)
def test_every_value_has_its_type(statement, reason):
    """Whatever is not of it is refused, and the message says what was expected."""
    assert refusal(f"# a policy\n{statement}\n")[0].startswith(f"policy acme.toml, line 2: {reason}")


def test_text_that_is_not_toml_is_refused_with_its_place():
    """Line and column, as the parser tells them."""
    assert refusal('title = "x"\nkey = \n') == (
        "policy acme.toml: not TOML: Invalid value (at line 2, column 7)",
        "see https://toml.io",
    )


@pytest.mark.parametrize("text", ["x = " + "[" * 10_000, "x = " + "{a=" * 5_000, "\0", "a = 1\na = 2"])
def test_hostile_text_is_refused(text):
    """Deep nesting, NULs, keys given twice."""
    assert refusal(text)[0].startswith("policy acme.toml: not TOML: ")


def test_a_policy_is_a_short_file():
    """Bigger ones are refused before they are parsed."""
    assert refusal("#" * 40_000)[0] == "policy acme.toml: larger than 32 kB or 1000 lines"
    assert refusal("\n" * 1_001)[0] == "policy acme.toml: larger than 32 kB or 1000 lines"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace('title = "Acme"\n', ""), "policy acme.toml: 'title' is missing"),
        ("title = 'x'\n[key]\ntypes = ['ec-p256']\n", "policy acme.toml: 'sources' is missing"),
        (GOOD.replace('types = ["ec-p256"]', ""), "policy acme.toml: no key type is allowed"),
        (GOOD + "[expiry]\nwarn = '7d'\ncritical = '8d'", "policy acme.toml: critical (8d) is more than warn (7d)"),
    ],
)
def test_what_every_policy_must_say(text, message):
    """A title, a source, a key type; and thresholds in order."""
    assert refusal(text)[0] == message


def test_a_minimum_of_rsa_bits_is_enough():
    """Any RSA key from a size on, in steps."""
    rules = load(GOOD.replace('types = ["ec-p256"]', "rsa_minimum_bits = 2048\nrsa_multiple_of = 8")).key
    taken = {name: rules.accepts(name, bits) for name, bits in [("rsa-2048", 2048), ("rsa-2560", 2560)]}
    refused = {name: rules.accepts(name, bits) for name, bits in [("rsa-2044", 2044), ("rsa-2049", 2049)]}
    assert (set(taken.values()), set(refused.values())) == ({True}, {False})
    assert not rules.accepts("dsa-2048", 2048)
    assert not rules.accepts("ec-p256", 256)
    assert rules.describe() == "RSA of 2048 bits or more, divisible by 8"
    assert rules.default_type == "rsa-2048"


def test_a_policy_as_json_says_what_its_file_says():
    """Answers as true, false or "unknown", durations as text, days as ISO dates, absent facts as null."""
    document = files.as_document(load(GOOD + "[csr]\ncrlf = true\nnew_label = false\n[renewal]\nopens = '33%'\n"))
    assert (document["csr"]["crlf"], document["csr"]["new_label"], document["csr"]["extensions"]) == (
        True,
        False,
        "unknown",
    )
    assert (document["renewal"]["opens"], document["expiry"]["warn"]) == ("33%", "28d")
    assert document["sources"] == [{"title": "Acme's guide", "read": "2026-11-22", "url": "", "rules": []}]
    assert (document["certificate"]["max_live"], document["key"]["types"]) == (None, ["ec-p256"])


# --- format 2


def test_the_format_is_named():
    """1 and 2 are known; a later one is refused, as its rules are not known here."""
    assert load("format = 2\n" + GOOD) == load("format = 1\n" + GOOD) == load(GOOD)
    assert refusal("format = 3\n" + GOOD)[0] == "policy acme.toml, line 1: format: expected one of 1, 2"


SOURCES = """\
format = 2
title = "Acme"
choices = ["renewal.opens"]

[[sources]]
title = "guide"
url = "https://acme.example/guide"
read = 2026-11-22

[[sources]]
title = "renewal"
read = 2026-11-23
rules = ["renewal"]

[key]
types = ["ec-p256"]

[renewal]
opens = "30d"
at_least = "14d"
"""


def test_every_rule_has_its_source():
    """The one that names it, else those without rules; none for the author's own choice."""
    found = {each.name: [source.title for source in each.sources] for each in load(SOURCES).stated}
    assert found == {"key.types": ["guide"], "renewal.opens": [], "renewal.at_least": ["renewal"]}


def test_a_source_names_rules_that_exist():
    """Of the policy as a whole; and so do choices."""
    assert refusal(SOURCES.replace('["renewal"]', '["renewl"]'))[0] == (
        "policy acme.toml: no rule 'renewl' in this policy"
    )
    assert refusal(SOURCES.replace('choices = ["renewal.opens"]', 'choices = ["hosts"]'))[0].endswith(
        "no rule 'hosts' in this policy"
    )


def test_a_rule_read_more_than_a_year_ago_is_noted():
    """With its page; within a year nothing is said."""
    policy_ = load(SOURCES)
    assert files.notes(policy_, date(2027, 11, 1)) == []
    assert files.notes(policy_, date(2027, 11, 24)) == [
        "guide: read on 2026-11-22, more than a year ago; read it again"
    ]


def test_renewal_opens_before_the_partners_last_moment():
    """Or the policy contradicts itself."""
    assert refusal(SOURCES.replace('"30d"', '"7d"'))[0] == (
        "policy acme.toml: renewal opens 7d before expiry, but the partner requires 14d"
    )


def test_a_usage_is_a_question_or_a_table():
    """True, false, unknown; or what it names."""

    def usage(text):
        return load(GOOD + f"[csr]\nkey_usage = {text}\n").csr.key_usage

    assert [usage(text).present for text in ("true", "false", '"unknown"')] == [Answer.YES, Answer.NO, Answer.UNKNOWN]
    assert usage('{ exact = ["digitalSignature"], critical = true }').demanded == ("digitalSignature",)
    said = refusal(GOOD + '[csr.key_usage]\nexct = ["digitalSignature"]\n')
    assert said == ("policy acme.toml, line 10: unknown key 'csr.key_usage.exct'", "did you mean 'exact'?")
    said = refusal(GOOD + '[csr.key_usage]\nexact = ["digitalSignatur"]\n')
    assert said[1] == "did you mean 'digitalSignature'?"


def test_an_attribute_may_have_any_identifier():
    """By its short name, or its object identifier in quotes."""
    rules = load(GOOD + '[subject.attributes."1.2.3.4"]\nvalues = ["x"]\n').subject
    assert rules.of("1.2.3.4").values == ("x",)
    said = refusal(GOOD + '[subject.attributes.commonName]\nvalues = ["x"]\n')
    assert said[1] == "did you mean 'CN'?"


# --- files, and what they extend


@pytest.fixture
def write(tmp_path):
    """Write a policy file; its path comes back."""

    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_a_policy_extends_another(write):
    """The nearer file wins key by key; lists are replaced, not joined; the name is the file's."""
    write("base.toml", GOOD + "rsa_minimum_bits = 3072\n[csr]\ncrlf = true\nforms = ['pem', 'der']\n")
    near = catalogue.load(write("near.toml", "extends = './base.toml'\n[csr]\ncrlf = false\nforms = ['der']\n"))
    assert (near.name, near.title) == ("near", "Acme")
    assert (near.key.rsa_minimum_bits, near.key.types) == (3072, ("ec-p256",))
    assert (near.csr.crlf, near.csr.forms) == (Answer.NO, ("der",))


def test_a_policy_extends_a_shipped_one(write):
    """By its name."""
    mine = catalogue.load(write("mine.toml", "extends = 'wise'\ntitle = 'Mine'\n[certificate]\nmax_live = 5\n"))
    assert (mine.title, mine.certificate.max_live, mine.certificate.max_validity_days) == ("Mine", 5, 366)


@pytest.mark.parametrize(
    "files",
    [
        {"a.toml": "extends = './a.toml'\n"},
        {"a.toml": "extends = './b.toml'\n", "b.toml": "extends = './a.toml'\n"},
    ],
    ids=["itself", "each-other"],
)
def test_a_circle_of_extends_is_refused(write, tmp_path, files):
    """A policy that extends itself, and two that extend each other."""
    for name, text in files.items():
        write(name, text)
    with pytest.raises(PolicyError) as refused:
        catalogue.load(str(tmp_path / "a.toml"))
    assert refused.value.message == f"policy {tmp_path}/a.toml: extends more than 7 others, or itself"
    assert refused.value.hint == "shorten the chain of `extends`"


def test_a_missing_base_is_named(write):
    """By the path that was looked for."""
    with pytest.raises(PolicyError, match=r"cannot read .*/gone.toml"):
        catalogue.load(write("a.toml", "extends = './gone.toml'\n"))


def test_an_abstract_base_is_not_a_policy(write):
    """It is there to be extended only."""
    with pytest.raises(PolicyError) as refused:
        catalogue.load(write("base.toml", "abstract = true\n" + GOOD))
    assert refused.value.message.endswith("/base.toml: this is only a base for other policies")
    assert refused.value.hint == "name a policy that extends it; `certkit policy list` shows them"


def test_what_extends_an_abstract_base_is_a_policy(write):
    """Being abstract is not inherited."""
    write("base.toml", "abstract = true\n" + GOOD)
    assert catalogue.load(write("a.toml", "extends = './base.toml'\n")).title == "Acme"


def test_wise_itself_is_a_base():
    """The environments are the policies."""
    with pytest.raises(PolicyError, match="this is only a base for other policies"):
        catalogue.load("wise")


def test_an_unknown_name_gets_a_hint(tmp_path, monkeypatch):
    """Where the names are listed; and for a file of that name, how to say so."""
    with pytest.raises(PolicyError) as refused:
        catalogue.load("acme")
    assert refused.value.message == "unknown policy 'acme'"
    assert refused.value.hint == (
        "`certkit policy list` shows the names; give your own by path, such as ./partner.toml"
    )
    (tmp_path / "acme").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PolicyError) as refused:
        catalogue.load("acme")
    assert refused.value.hint == "to use the file of that name, give its path: ./acme"


@pytest.mark.parametrize("data", [b"\xff\xfet\0i\0", b"title = 'caf\xe9'"])
def test_a_policy_is_utf_8(tmp_path, data):
    """Other encodings are refused."""
    (tmp_path / "a.toml").write_bytes(data)
    with pytest.raises(PolicyError, match="not UTF-8 text"):
        catalogue.load(str(tmp_path / "a.toml"))


def test_a_byte_order_mark_is_passed_over(tmp_path):
    """As some editors write it."""
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert catalogue.load(str(tmp_path / "a.toml")).title == "Acme"


# --- the shipped policies


@pytest.mark.parametrize("name", catalogue.names())
def test_every_shipped_policy_loads(name):
    """Complete, with dated sources, and as JSON."""
    shipped = catalogue.load(name)
    assert shipped.name == name
    assert shipped.key.default_type is not None
    assert json.loads(json.dumps(files.as_document(shipped)))["title"] == shipped.title


def test_the_general_policy_takes_what_is_sound():
    """Sound keys and digests, any subject, P-256 first."""
    general = catalogue.load("general")
    assert general.key.default_type == "ec-p256"
    assert general.subject.required == ()
    assert not {"sha1", "md5"} & set(general.csr.digests)


@pytest.mark.parametrize(
    ("name", "web", "api", "api_mtls"),
    [
        (
            "wise-sandbox",
            "https://wise-sandbox.com",
            "https://api.wise-sandbox.com",
            "https://api-mtls.wise-sandbox.com",
        ),
        (
            "wise-sandbox-legacy",
            "https://sandbox.transferwise.tech",
            "https://api.sandbox.transferwise.tech",
            "https://api-mtls.sandbox.transferwise.tech",
        ),
        (
            "wise-production",
            "https://wise.com",
            "https://api.wise.com",
            "https://api-mtls.transferwise.com",
        ),
    ],
)
def test_wise_has_three_environments(name, web, api, api_mtls):
    """Each with its web UI, its API, and its API for mutual TLS."""
    assert catalogue.load(name).hosts == policy.Hosts(web, api, api_mtls, "/v1/authenticated/playground")


@pytest.mark.parametrize("name", WISE)
def test_wise_takes_five_types_of_key(name):
    """RSA of 2048, 3072 or 4096 bits, P-256, P-384, and nothing else; P-256 is our default."""
    rules = catalogue.load(name).key
    assert set(rules.types) == {"rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384"}
    assert rules.rsa_minimum_bits is None
    assert rules.default_type == "ec-p256"


@pytest.mark.parametrize("name", WISE)
def test_wise_requires_an_organization(name):
    """O is required, CN is replaced, and every attribute may be there."""
    rules = catalogue.load(name).subject
    assert (rules.required, rules.overridden, rules.allowed) == (("O",), ("CN",), ())


@pytest.mark.parametrize("name", WISE)
def test_wise_takes_one_pem_block_and_nothing_else(name):
    """No comments or text; what the documentation leaves open is unknown."""
    rules = catalogue.load(name).csr
    assert (rules.forms, rules.surrounding_text, rules.further_objects) == (("pem",), Answer.NO, Answer.NO)
    assert {rules.crlf, rules.new_label, rules.extensions} == {Answer.UNKNOWN}


@pytest.mark.parametrize("name", WISE)
def test_wise_certificates(name):
    """Valid one year, at most ten live, the client id as CN; the rest is not known."""
    rules = catalogue.load(name).certificate
    assert rules == policy.CertificateRules(max_validity_days=366, common_name="client-id", max_live=10)


@pytest.mark.parametrize("name", WISE)
def test_wise_reminds(name):
    """28, 14, 7, 3, 1 and 0 days before; renewal opens at 45 days, warning at 28, critical at 7."""
    wise = catalogue.load(name)
    assert wise.renewal.reminders == (28, 14, 7, 3, 1, 0)
    assert (str(wise.renewal.opens), wise.renewal.reuse_key) == ("45d", Answer.UNKNOWN)
    assert (str(wise.expiry.warn), str(wise.expiry.critical)) == ("28d", "7d")


@pytest.mark.parametrize("name", WISE)
def test_wise_issues_by_hand(name):
    """The steps name the page, the section, and the two buttons."""
    portal = catalogue.load(name).portal
    steps = " ".join(portal.request_steps + portal.trust_steps)
    assert portal.name == "Developer Hub"
    for words in ("section Authentication", '"Generate certificate"', '"Get Wise Certificate"', "Paste the CSR"):
        assert words in steps


def test_public_cas_follow_the_baseline():
    """RSA of 2048 bits or more in steps of 8, P-256, P-384, no SHA-1."""
    public = catalogue.load("public-ca")
    taken = {"rsa-2048": 2048, "rsa-2056": 2056, "ec-p256": 256, "ec-p384": 384}
    assert all(public.key.accepts(name, bits) for name, bits in taken.items())
    assert not any(public.key.accepts(name, bits) for name, bits in [("rsa-2049", 2049), ("ed25519", 256)])
    assert public.csr.digests == ("sha256", "sha384", "sha512")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title = "x"\r\nsummry = "y"\r\n', "line 2: unknown key 'summry'"),
        ('[subject]\ncommon_name_pattern = "a{99999999999999}"\n', "line 2: subject.common_name_pattern"),
        (f'[subject]\ncommon_name_pattern = "{"(" * 5000}{")" * 5000}"\n', "line 2: subject.common_name_pattern"),
        (f"[key]\nrsa_minimum_bits = {'9' * 5000}\n", "not TOML"),
        ("x = [\n" + ("0," * 14 + "\n") * 990 + "]\n", "line 1: unknown key 'x'"),
    ],
)
def test_a_hostile_policy_is_one_clear_error(text, said):
    """Line ends of Windows, bottomless patterns, endless numbers and lists."""
    with pytest.raises(PolicyError, match=re.escape(said)):
        files.parse_file(text, name="x", where="x.toml")
