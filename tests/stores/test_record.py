"""`certkit.stores.record`: names, records, and which generation is what."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from certkit.errors import InputError
from certkit.stores import record as identity
from certkit.stores.record import Event, Record, Settings, State
from certkit.x509.names import SubjectOptions
from tests.stores.legacy import old_form

SOME = settings(deadline=None, derandomize=True, max_examples=300)
NEW = Record(settings=Settings(policy="wise-sandbox"))


def used(*numbers):
    """A record whose generations were in use one after the other."""
    record = NEW
    for number in numbers:
        record = record.activate(number)
    return record


# Names and numbers


@pytest.mark.parametrize("name", ["a", "0", "wise-sandbox", "A.b_c-d", "x" * 64, "a..", "a.tmp"])
def test_names(name):
    """Letters, digits, dots, underscores and hyphens, starting with a letter or digit."""
    assert identity.require_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".a", "-a", "_a", "a/b", "a\\b", "a b", "a\n", "\na", "a\0", "é", "\uff41", "a\u202e", "x" * 65],
)
def test_what_is_no_name(name):
    """Is refused with what a name may be made of, and shown harmlessly."""
    with pytest.raises(InputError) as refused:
        identity.require_name(name)
    assert refused.value.message == f"not a valid identity name: {name!r}"
    assert refused.value.hint == (
        "use 1 to 64 letters, digits, dots, underscores or hyphens, starting with a letter or digit"
    )
    assert refused.value.message.isprintable()


@SOME
@given(st.text(max_size=70))
def test_a_name_is_one_part_of_a_path(name):
    """Whatever is taken for a name is a plain file name, and no hidden one."""
    try:
        identity.require_name(name)
    except InputError:
        return
    assert name.isascii()
    assert name.isprintable()
    assert not {"/", "\\", " "} & set(name)
    assert not name.startswith((".", "-"))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], "0001"),
        (["0001"], "0002"),
        (["0002", "0001"], "0003"),
        (["0009", "0007"], "0010"),
        (["9999"], "10000"),
        (["10000", "9999"], "10001"),
    ],
)
def test_the_next_number(known, expected):
    """One more than the highest, whatever is missing in between."""
    assert identity.next_generation(known) == expected
    assert identity.is_generation(expected)


@pytest.mark.parametrize(
    "text", ["", "1", "001", "0001\n", "-001", "+001", "0x01", "\uff10\uff10\uff10\uff10", "0001/", "1" * 10]
)
def test_what_is_no_number(text):
    """Only four to nine digits are."""
    assert not identity.is_generation(text)


# States


def test_the_life_of_two_generations():
    """From a request to its retirement, with the state of both at every step."""

    def states(record, *, second=False):
        return record.state("0001", has_certificate=True).value, record.state("0002", has_certificate=second).value

    record = used("0001")
    assert states(record) == ("active", "pending")
    assert states(record, second=True) == ("active", "issued")
    record = record.activate("0002")
    assert (states(record, second=True), record.previous) == (("previous", "active"), "0001")
    record = record.activate("0001")
    assert (states(record, second=True), record.previous) == (("active", "previous"), "0002")
    record = record.activate("0002").retire("0001")
    assert (states(record, second=True), record.previous) == (("retired", "active"), None)


def test_a_request_that_is_dropped():
    """Is discarded, and never active again."""
    record = used("0001").discard("0002")
    assert record.state("0002", has_certificate=False) is State.DISCARDED
    with pytest.raises(InputError) as refused:
        record.activate("0002")
    assert refused.value.message == "generation 0002 was retired or discarded"


@pytest.mark.parametrize(
    ("edit", "message", "hint"),
    [
        (lambda record: record.retire("0002"), "generation 0002 is active", "activate another one first"),
        (lambda record: record.discard("0002"), "generation 0002 is not a request", "retire it instead"),
        (lambda record: record.discard("0001"), "generation 0001 is not a request", "retire it instead"),
        (
            lambda record: record.retire("0001").activate("0001"),
            "generation 0001 was retired or discarded",
            "activate another one",
        ),
    ],
)
def test_what_is_refused(edit, message, hint):
    """The active generation stays active, and one that was active is never discarded as a request."""
    with pytest.raises(InputError) as refused:
        edit(used("0001", "0002"))
    assert (refused.value.message, refused.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (NEW, None),
        (used("0001"), None),
        (used("0001", "0002", "0003"), "0002"),
        (used("0001", "0002", "0003", "0001"), "0003"),
        (used("0001", "0002", "0003", "0002"), "0003"),
        (used("0001", "0002", "0003").retire("0002"), "0001"),
        (used("0001", "0002", "0003").retire("0002").retire("0001"), None),
        (replace(used("0001", "0002"), active=None), "0001"),
    ],
)
def test_where_a_rollback_goes(record, expected):
    """To what was in use last before the active one, and is not retired."""
    assert record.previous == expected


def test_a_record_of_before():
    """One that knows of no log, no times and no hooks is read as it was."""
    document = json.loads(json.dumps(old_form(used("0001"))))
    for name in ("requested", "undeployed", "undeployed_hook", "log"):
        del document[name]
    assert Record.parse(document, where="record") == used("0001")


def test_settings_that_are_completed():
    """Given settings stay, and missing ones are taken from the others."""
    blank = Settings(policy="wise-sandbox", client_id="a")
    others = Settings(policy="wise-sandbox", subject=SubjectOptions(organization="Acme"), key_type="ec-p256")
    assert (blank.is_blank, others.is_blank) == (True, False)
    assert blank.completed(others) == replace(others, client_id="a")


def test_the_same_again_changes_nothing():
    """Whatever the change is, its second time gives the record that it was given."""
    record = used("0001", "0002", "0003").retire("0001").discard("0004")
    for again in (record.activate("0003"), record.retire("0001"), record.discard("0004")):
        assert again == record


class Lives(RuleBasedStateMachine):
    """Everything that may happen to the generations of an identity, against what people remember of it."""

    def __init__(self):
        super().__init__()
        self.record = NEW
        self.answered = {}
        self.history = []
        self.retired = set()
        self.discarded = set()

    numbers = st.integers(1, 6).map("{:04}".format)

    @property
    def last(self):
        """Return the generation that was active last, may be activated again, and is not active now."""
        usable = [each for each in reversed(self.history) if each != self.record.active and each not in self.retired]
        return usable[0] if usable else None

    def attempt(self, edit, *, is_allowed):
        """Make a change if it is allowed; if not, it is refused and changes nothing."""
        before = self.record
        if is_allowed:
            self.record = edit(before)
        else:
            with pytest.raises(InputError):
                edit(before)

    @rule(number=numbers, has_certificate=st.booleans())
    def add(self, number, has_certificate):
        """A request, or its answer."""
        self.answered[number] = self.answered.get(number, False) or has_certificate

    @rule(number=numbers)
    def activate(self, number):
        """Any generation, unless it was put out of use."""
        is_allowed = number not in self.retired | self.discarded
        self.attempt(lambda record: record.activate(number), is_allowed=is_allowed)
        if is_allowed:
            self.history.append(number)

    @precondition(lambda self: self.record.previous)
    @rule()
    def roll_back(self):
        """To the previous one, which is always allowed."""
        expected = self.last
        self.record = self.record.activate(self.record.previous)
        self.history.append(self.record.active)
        assert self.record.active == expected

    @rule(number=numbers)
    def retire(self, number):
        """Any generation but the active one."""
        is_allowed = number != self.record.active
        self.attempt(lambda record: record.retire(number), is_allowed=is_allowed)
        self.retired |= {number} if is_allowed else set()

    @rule(number=numbers)
    def discard(self, number):
        """Discard the generations that were never active."""
        is_allowed = number not in self.history
        self.attempt(lambda record: record.discard(number), is_allowed=is_allowed)
        self.discarded |= {number} if is_allowed else set()

    @invariant()
    def one_is_active(self):
        """The last one that was activated, and no other; none before the first."""
        states = {
            number: self.record.state(number, has_certificate=True) for number in map("{:04}".format, range(1, 7))
        }
        active = [number for number, state in states.items() if state is State.ACTIVE]
        assert active == self.history[-1:]

    @invariant()
    def states_follow(self):
        """From what is remembered."""
        for number, has_certificate in self.answered.items():
            state = self.record.state(number, has_certificate=has_certificate)
            if number == self.record.active:
                assert state is State.ACTIVE
            elif number in self.retired:
                assert state is State.RETIRED
            elif number in self.discarded:
                assert state is State.DISCARDED
            elif not has_certificate:
                assert state is State.PENDING
            else:
                assert state is (State.PREVIOUS if number in self.history else State.ISSUED)

    @invariant()
    def a_rollback_goes_to_what_was_last(self):
        """And not to what is retired."""
        assert self.record.previous == self.last

    @invariant()
    def it_is_kept(self):
        """As JSON, and comes back the same."""
        assert came_back(self.record) == self.record


TestLives = Lives.TestCase
TestLives.settings = settings(deadline=None, derandomize=True, max_examples=150, stateful_step_count=30)


# Documents

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12)
MAYBE = st.none() | st.text(max_size=12)
NUMBERS = st.lists(st.integers(1, 99_999).map("{:04}".format), max_size=4).map(tuple)
SORTED = NUMBERS.map(lambda numbers: tuple(sorted(set(numbers), key=int)))
RECORDS = st.builds(
    Record,
    settings=st.builds(
        Settings,
        policy=st.text(max_size=12),
        subject=st.builds(
            SubjectOptions,
            organization=TEXTS,
            state=TEXTS,
            units=st.lists(TEXTS, max_size=3).map(tuple),
            san=st.lists(st.text(max_size=12), max_size=3).map(tuple),
        ),
        key_type=MAYBE,
        issuer=st.text(max_size=12),
        client_id=MAYBE,
        probe=MAYBE,
        group=MAYBE,
        trust_bundle=MAYBE,
    ),
    active=st.none() | st.just("0001"),
    left=NUMBERS,
    retired=SORTED,
    discarded=SORTED,
    names=st.dictionaries(st.just("0002"), st.text(max_size=12)),
    requested=st.dictionaries(st.just("0002"), st.text(max_size=12)),
    undeployed=st.none() | st.just("0001"),
    undeployed_hook=st.none() | st.text(),
    log=st.lists(
        st.builds(Event, time=TEXTS, who=st.text(max_size=12), what=TEXTS, generation=MAYBE, spki_sha256=MAYBE),
        max_size=3,
    ).map(tuple),
)


@SOME
@given(RECORDS)
def test_a_record_comes_back_from_its_document(record):
    """Through JSON, whatever is in it; the old form holds the settings, too."""
    assert came_back(record) == record.without_log()
    assert Record.parse(json.loads(json.dumps(old_form(record))), where="record") == record


@SOME
@given(RECORDS)
def test_settings_come_back_from_their_document(record):
    """Through JSON, whatever is in them."""
    assert Settings.parse(json.loads(json.dumps(record.settings.document())), where="x") == record.settings


def came_back(record):
    """A record from its document, and its settings."""
    return Record.parse(json.loads(json.dumps(record.document())), settings=record.settings, where="record")


def changed(path, value):
    """A record's document in the old form with one value changed, or left out (`...`)."""
    return with_change(json.loads(json.dumps(old_form(used("0001", "0002")))), path, value)


def with_change(document, path, value):
    """A document with one value changed, or left out (`...`)."""
    *parents, last = path.split("/")
    place = document
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    "document", [None, True, 1, "version", [], [1], {}, {"version": 1}, b"", {"version": 1, "x": 2}]
)
def test_what_is_no_document(document):
    """Is refused, and names the place."""
    with pytest.raises(InputError) as refused:
        Record.parse(document, where="STORE/acme/identity.json")
    assert refused.value.message.startswith("cannot read STORE/acme/identity.json: not an identity's record: ")
    assert refused.value.hint == "restore it from a backup"


def test_what_is_missing_is_named():
    """In words of ours."""
    with pytest.raises(InputError, match="not an identity's record: settings is missing"):
        Record.parse({"version": 1}, where="x")
    with pytest.raises(InputError, match="not an identity's record: a value has the wrong type"):
        Record.parse([], where="x")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((path, ...) for path in ("settings", "settings/policy", "settings/subject", "settings/subject/units")),
        *((path, ...) for path in ("active", "left", "retired", "discarded", "names", "version")),
        ("settings", None),
        ("settings", []),
        ("settings/unknown", "x"),
        ("settings/key_type", 1),
        ("settings/issuer", ["manual"]),
        ("settings/trust_bundle", {}),
        ("settings/subject", "CN=acme"),
        ("settings/subject/unknown", "x"),
        ("settings/subject/organization", 1),
        ("settings/subject/email", None),
        ("settings/subject/units", 1),
        ("settings/subject/units", [1]),
        ("active", 1),
        ("active", "1"),
        ("active", "../0001"),
        ("active", ["0001"]),
        ("left", None),
        ("left", "0001"),
        ("left", ["0001", 2]),
        ("left", [["0001"]]),
        ("retired", ["0001\n"]),
        ("discarded", [None]),
        ("names", None),
        ("names", ["0001"]),
        ("names", {"first": "x"}),
        ("names", {"0001": 1}),
        ("requested", ["0001"]),
        ("requested", {"0001": 1}),
        ("requested", {"first": "x"}),
        ("undeployed", 1),
        ("undeployed_hook", 1),
        ("undeployed", "../0001"),
        ("log", "x"),
        ("log", ["x"]),
        ("log", [{}]),
        ("log", ["{}"]),
        ("log", ["[" * 100_000]),
        ("log", ['{"time": 1, "who": "x", "what": "x"}']),
        ("log", ['{"time": "x", "who": "x", "what": "x", "more": "x"}']),
        ("version", True),
        ("active", []),
        ("left", {"0001": 1}),
        ("settings/policy", None),
        ("settings/issuer", None),
        ("settings/subject/organization", None),
        ("settings/subject/state", []),
        ("settings/subject/units", "Payments"),
        ("settings/subject/units", [None]),
        ("settings/subject/san", "DNS:a"),
        ("settings/subject/san", [1]),
        ("settings/" + "x" * 10_000, "x"),
    ],
)
def test_a_hostile_document(path, value):
    """Whatever is missing, of another type or unknown is refused, and nothing else is raised."""
    with pytest.raises(InputError) as refused:
        Record.parse(changed(path, value), where="record")
    assert refused.value.message.startswith("cannot read record: ")
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 250


@pytest.mark.parametrize(
    ("version", "hint"), [(3, "update certkit"), (0, "restore it from a backup"), ("2", "restore it from a backup")]
)
def test_another_version(version, hint):
    """A newer one wants a newer certkit; there is no older one."""
    with pytest.raises(InputError) as refused:
        Record.parse(changed("version", version), where="record")
    assert refused.value.message == f"cannot read record: version {version!r} of an identity's record"
    assert refused.value.hint == hint


def test_a_hostile_state():
    """The present form is read as strictly."""
    good = json.loads(json.dumps(used("0001", "0002").retire("0001").describe("0002", {"serial": "01"}).document()))
    for path, value in (
        *((path, ...) for path in ("active", "previous", "generations", "owed", "generations/0001/marks")),
        ("active", "../x"),
        ("previous", ["x"]),
        ("generations", []),
        ("generations/x", {"marks": [], "requested": None, "certificate_name": None, "facts": {}}),
        ("generations/0001", None),
        ("generations/0001/marks", "retired"),
        ("generations/0001/requested", 1),
        ("generations/0001/certificate_name", []),
        ("generations/0002/facts", {"serial": 1}),
        ("generations/0002/facts", "x"),
        ("owed", {"generation": "x", "hook": None}),
        ("owed", {"generation": None, "hook": 1}),
        ("owed", "x"),
        ("version", 2.0),
    ):
        with pytest.raises(InputError, match=r"^cannot read record: "):
            Record.parse(with_change(json.loads(json.dumps(good)), path, value), where="record")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("0001"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    *(
        "version",
        "settings",
        "active",
        "left",
        "retired",
        "discarded",
        "names",
        "requested",
        "undeployed",
        "undeployed_hook",
        "log",
        "more",
    ),
    *(f"settings/{name}" for name in ("policy", "subject", "key_type", "issuer", "group", "more")),
    *(f"settings/subject/{name}" for name in ("organization", "units", "san", "email", "more")),
]


@SOME
@given(st.sampled_from(PLACES), JSON)
def test_any_document_is_read_or_refused(path, value):
    """No other exception, and an error in printable text."""
    try:
        Record.parse(changed(path, value), where="record")
    except InputError as refused:
        assert refused.message.isprintable()  # noqa: PT017  a good record is a right answer too


def test_a_record_of_before_there_were_base_urls():
    """Is read as one without."""
    record = Record(settings=Settings(policy="wise-sandbox"))
    document = json.loads(json.dumps(old_form(record)))
    del document["settings"]["base_url"]
    assert Record.parse(document, where="x") == record


@pytest.mark.parametrize("name", ["a", "authorization_code.123", "state.0a", "A-1_b", "x" * 128])
def test_a_name_of_a_document(name):
    """Is letters, digits, dots, underscores and hyphens."""
    assert identity.require_document(name) == name
    assert identity.is_document(name)


@pytest.mark.parametrize("name", ["", ".a", "-a", "_a", "a/b", "a b", "a\n", "é", "x" * 129])
def test_what_is_no_name_of_a_document(name):
    """Is refused: it becomes part of a path."""
    assert not identity.is_document(name)
    with pytest.raises(InputError, match="not a valid document name"):
        identity.require_document(name)


def test_a_document_stays_small():
    """OpenBao refuses requests with more than 1,000 strings; generations that are over count as one."""
    record = Record(settings=Settings(policy="general"), generations=tuple(f"{at:04}" for at in range(300, 401)))
    for at in range(1, 401):
        number = f"{at:04}"
        facts = {"spki_sha256": "ab" * 32, "not_before": "x", "not_after": "x", "fingerprint_sha256": "cd" * 32}
        record = record.describe(number, facts).activate(number)
        record = replace(
            record, names={**record.names, number: f"acme-{at}"}, requested={**record.requested, number: "x"}
        )
    for at in range(1, 380):
        record = record.retire(f"{at:04}") if at % 2 else record
    for active in ("0400", "0002"):
        record = record.activate(active).prune([f"{at:04}" for at in range(4, 300)])
        document = record.document()
        assert strings_in(document) < 800
        found = Record.parse(json.loads(json.dumps(document)), settings=Settings(policy="general"), where="x")
        assert (found, found.generations) == (record, record.generations)
        assert {active, "0399", "0390"} <= set(document["generations"])


def strings_in(value):
    """How many strings there are, names of fields included."""
    if isinstance(value, dict):
        return sum(1 + strings_in(each) for each in value.values())
    return sum(map(strings_in, value)) if isinstance(value, list) else int(isinstance(value, str))
