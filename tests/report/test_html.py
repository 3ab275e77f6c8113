"""The HTML page of `certkit expiry`: what a manager reads, with and without scripts, with any name in it."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

import pytest

from certkit.expiry.scan import Scan
from certkit.report import html, timeline
from tests.pki import DAY, NOW, YEAR
from tests.report import page
from tests.report.rows import certificate, failure, revocation_list

MIXED = [
    certificate(200, "CN=fine,O=Acme Ltd", serial=0xAB01),
    certificate(20, "CN=soon,O=Acme Ltd", sources=("soon.pem", "bundle.pem")),
    certificate(-3, "CN=gone,O=Acme Ltd"),
    certificate(300, "CN=best,O=Other Ltd", sources=("other/best.pem",)),
]


def rendered(*rows, failures=(), **options):
    """The page of a scan, parsed."""
    render = {name: options.pop(name) for name in ("title", "truncate") if name in options}
    return page.read(html.render(Scan(NOW, list(rows), list(failures), **options), **render))


def summary(read):
    """The headline and the sentences below it."""
    section = read.one("section", class_="summary")
    return [section.one("h2").text, *(each.text for each in section.all("p"))]


def names(read):
    """The names in the table, from top to bottom, without what is hidden."""
    rows = read.one("tbody").all("tr")
    return [row.one("th").all("bdi")[0].text for row in rows if "hidden" not in row.attributes]


# What it says


@pytest.mark.parametrize(
    ("rows", "failures", "options", "told"),
    [
        (
            [certificate(200), certificate(300)],
            [],
            {},
            [
                "Everything is OK",
                "2 certificates are OK.",
                "The next one expires in 200 days, on 11 June 2027: CN=acme-client-id,O=Acme Ltd",
            ],
        ),
        ([certificate(20)], [], {}, ["1 certificate needs attention soon"]),
        (
            [certificate(3), certificate(-2), revocation_list(-1), certificate(20), certificate(90)],
            [],
            {},
            [
                "2 certificates and 1 revocation list need action now",
                "2 of them have already expired.",
                "1 certificate needs attention soon.",
                "1 certificate is OK.",
            ],
        ),
        (
            [certificate(-2)],
            [failure()],
            {},
            [
                "1 certificate needs action now",
                "It has already expired.",
                "1 source could not be checked, which may be worse.",
            ],
        ),
        (
            [certificate(200)],
            [failure("a.p12"), failure("b.p12")],
            {},
            [
                "Incomplete: 2 sources could not be checked",
                "1 certificate is OK.",
                "The next one expires in 200 days, on 11 June 2027: CN=acme-client-id,O=Acme Ltd",
            ],
        ),
        ([], [failure()], {}, ["Incomplete: 1 source could not be checked"]),
        (
            [],
            [],
            {"skipped": ["README"]},
            [
                "Nothing was found",
                "No certificate or CRL was found, which is never OK: check the sources.",
            ],
        ),
        (
            [certificate(20)],
            [],
            {"is_interrupted": True},
            ["Incomplete: the search was interrupted", "1 certificate needs attention soon."],
        ),
        ([], [], {"quiet": 1200}, ["Everything is OK", "1,200 certificates are OK."]),
    ],
)
def test_the_worst_comes_first_in_plain_words(rows, failures, options, told):
    """A headline and what else there is to know; "Everything is OK" only if every source could be checked."""
    assert summary(rendered(*rows, failures=failures, **options)) == told


def test_the_title_of_the_window_tells_it_too():
    """A row of tabs shows which page has something to say."""
    title = rendered(certificate(-2), title="Wise").one("title").text
    assert title == "1 certificate needs action now - Wise"


def test_every_status_is_counted():
    """Failures among them."""
    counts = rendered(*MIXED, failures=[failure()]).one("section", class_="counts")
    assert [(each.one("dt").text, each.one("dd").text) for each in counts.all("div")] == [
        ("Critical", "1"),
        ("Warning", "1"),
        ("Could not check", "1"),
        ("OK", "2"),
    ]


def test_what_is_urgent_comes_with_its_day_and_place():
    """One card each, what has to be done now before what can be planned."""
    read = rendered(*MIXED, revocation_list(0.25), certificate(370, "CN=early"))
    assert [each.text for each in read.all("h3")] == ["Act now", "Plan the replacement"]
    cards = [card for cards in read.all("ol", class_="cards") for card in cards.all("li")]
    assert [[line.text for line in card.all("p")] for card in cards] == [
        ["Expired 3 days ago, on 20 November 2026", "CN=gone,O=Acme Ltd", "in acme.pem"],
        [
            "Next update due in 6 hours, on 23 November 2026",
            "Revocation list CN=Partner Root CA,O=Partner",
            "in partner.crl",
        ],
        ["Not valid before 28 November 2026, until 28 November 2027", "CN=early", "in acme.pem"],
        ["Expires in 20 days, on 13 December 2026", "CN=soon,O=Acme Ltd", "in soon.pem and 1 other place"],
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (certificate(0.01), "Expires in less than an hour"),
        (certificate(0.5), "Expires in 12 hours"),
        (certificate(1.9), "Expires in 1 day"),
        (certificate(3650, begin=NOW), "Expires in about 10 years"),
        (certificate(-0.01), "Expired less than an hour ago"),
        (certificate(-400), "Expired 400 days ago"),
        (certificate(400), "Not valid before 28 December 2026"),
        (revocation_list(3), "Next update due in 3 days"),
        (revocation_list(-1), "Out of date for 1 day"),
    ],
)
def test_the_time_left_in_words(row, told):
    """As people say it, and never rounded up."""
    assert rendered(row).one("tbody").one("p", class_="outlook").text == told


def test_what_could_not_be_looked_at_is_listed_with_what_to_do():
    """All of them, the first ones in sight."""
    section = rendered(certificate(200), failures=[failure(f"{number}.p12") for number in range(7)]).one(
        "section", **{"aria-labelledby": "failures"}
    )
    seen, folded = section.all("ul")
    assert seen.all("li")[0].text == (
        "Cannot read 0.p12: it is locked What to do: give its passphrase with --passphrase-file."
    )
    assert (len(seen.all("li")), len(folded.all("li"))) == (5, 2)
    assert section.one("summary").text == "2 more"


def test_the_table_has_every_row_most_urgent_first():
    """With all that is known of a certificate, and every place where it was seen."""
    table = rendered(*MIXED).one("table")
    assert table.one("caption").text == "4 rows, the most urgent first"
    status, ends, name, places = table.one("tbody").all("tr")[1].inner[1::2]
    assert status.text == "Warning"
    assert ends.text == "13 December 2026Expires in 20 days"
    assert places.text == "soon.pem and 1 other place bundle.pem"
    fingerprint = hashlib.sha256(b"CN=soon,O=Acme Ltd 20").hexdigest()
    assert [(term.text, fact.text) for term, fact in zip(name.all("dt"), name.all("dd"), strict=True)] == [
        ("Subject", "CN=soon,O=Acme Ltd"),
        ("Issuer", "CN=Partner Issuing CA,O=Partner"),
        ("Valid from", "13 December 2025, 12:00 UTC"),
        ("Until", "13 December 2026, 12:00 UTC"),
        ("Serial", "4a3f"),
        ("SHA-256", fingerprint),
    ]
    assert names(rendered(*MIXED)) == ["gone", "soon", "fine", "best"]


def test_very_many_rows_are_cut_and_the_rest_is_counted():
    """The most urgent ones stay; the page says how the others are."""
    read = rendered(*MIXED, certificate(-9, "CN=older"), truncate=1, quiet=1000)
    assert names(read) == ["older"]
    assert read.one("p", class_="left-out").text == "Not listed individually: 1 critical, 1 warning, 1,002 ok."
    assert "And 1 more." in [each.text for each in read.all("p")]


def test_a_page_without_a_table():
    """Where no row is wanted, or none was described, what there is is still counted."""
    for read in (rendered(certificate(200), truncate=0), rendered(quiet=1)):
        assert not read.all("table") + read.all("form")
        assert read.one("p", class_="left-out").text == "Not listed individually: 1 ok."


def test_a_place_for_each_of_thousands_is_not_listed():
    """A root certificate may be seen in every bundle there is: the first places are named, the others counted."""
    sources = tuple(f"{number}.pem" for number in range(5000))
    places = rendered(certificate(200, sources=sources)).one("tbody").all("td")[2]
    assert places.one("summary").text == "and 4,999 other places"
    assert places.all("li")[-1].text == "and 4,979 more"


# The time line


def drawn(*rows, now=NOW):
    """The columns of a time line that are not empty, and how many there are."""
    made = timeline.columns(rows, now=now)
    filled = [(each.label, each.name, each.critical, each.warning, each.ok) for each in made if each.total]
    return len(made), filled


def test_a_time_line_of_weeks():
    """Near dates are drawn by week, and expired certificates left of today."""
    assert drawn(certificate(-3), certificate(-400), certificate(0), certificate(20), certificate(60)) == (
        10,
        [
            ("expired", "expired", 2, 0, 0),
            ("23 Nov", "the week from 23 November 2026", 1, 0, 0),
            ("7 Dec", "the week from 7 December 2026", 0, 1, 0),
            ("18 Jan", "the week from 18 January 2027", 0, 0, 1),
        ],
    )


def test_a_time_line_of_months():
    """A year is drawn by month, and what is further than two years is one column."""
    assert drawn(*(certificate(days, begin=NOW - DAY) for days in (20, 40, 400, 3650))) == (
        16,
        [
            ("Dec", "December 2026", 0, 1, 0),
            ("Jan 2027", "January 2027", 0, 0, 1),
            ("Dec", "December 2027", 0, 0, 1),
            ("later", "from 1 January 2028 on", 0, 0, 1),
        ],
    )


def test_a_time_line_of_years():
    """Where nothing ends soon, years are drawn."""
    assert drawn(certificate(3650, begin=NOW)) == (12, [("2036", "2036", 0, 0, 1)])


@pytest.mark.parametrize("now", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_a_time_line_from_one_end_of_the_calendar_to_the_other(now):
    """Every moment that a certificate can name, seen from any day."""
    ends = [datetime(1, 1, 1, tzinfo=UTC), NOW + YEAR, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)]
    rows = [certificate(0)._replace(not_after=end) for end in ends]
    assert sum(column.total for column in timeline.columns(rows, now=now)) == 3
    assert page.read(html.render(Scan(now, rows)))


def test_the_time_line_in_words():
    """A screen reader reads what the bars show, and is spared the empty months."""
    line = rendered(*MIXED).one("ol", class_="timeline")
    spoken = [each.one("span", class_="out").text for each in line.all("li") if "aria-hidden" not in each.attributes]
    assert spoken == [
        "Expired: 1, critical 1",
        "December 2026: 1, warning 1",
        "June 2027: 1, OK 1",
        "September 2027: 1, OK 1",
    ]


def test_five_thousand_certificates():
    """The page stays well-formed, and its size in proportion."""
    made = html.render(Scan(NOW, [certificate(number / 10, f"CN={number}") for number in range(5000)]))
    assert len(names(page.read(made))) == 5000
    assert len(made) < 8_000_000


# For everyone


def test_landmarks_and_headings():
    """One main part, one first heading, and no level left out."""
    read = rendered(*MIXED, failures=[failure()])
    assert read.one("html").attributes["lang"] == "en"
    assert [len(read.all(tag)) for tag in ("header", "main", "footer", "h1")] == [1, 1, 1, 1]
    headings = [(each.tag, each.text) for each in read if re.fullmatch("h[1-6]", each.tag)]
    assert headings == [
        ("h1", "Certificates"),
        ("h2", "1 certificate needs action now"),
        ("h2", "Could not check"),
        ("h2", "Urgent"),
        ("h3", "Act now"),
        ("h3", "Plan the replacement"),
        ("h2", "When they expire"),
        ("h2", "All certificates"),
    ]


def test_identifiers_are_unique_and_references_lead_somewhere():
    """Labels, links and symbols."""
    read = rendered(*MIXED, failures=[failure()])
    identifiers = [each.attributes["id"] for each in read if "id" in each.attributes]
    assert len(identifiers) == len(set(identifiers))
    named = {each.attributes["aria-labelledby"] for each in read if "aria-labelledby" in each.attributes}
    linked = {each.attributes["href"] for each in read if "href" in each.attributes}
    assert named | {link.removeprefix("#") for link in linked} <= set(identifiers)
    assert all(link.startswith("#") for link in linked)


def test_the_table_says_what_its_headings_are_for():
    """Each heading has a scope, and roles that stay when a narrow window shows the table as cards."""
    table = rendered(*MIXED).one("table")
    assert [each.attributes["scope"] for each in table.one("thead").all("th")] == ["col"] * 4
    assert {each.attributes["scope"] for each in table.one("tbody").all("th")} == {"row"}
    roles = {each.tag: each.attributes["role"] for each in table if each.tag in ("tr", "td", "thead", "tbody")}
    assert roles == {"tr": "row", "td": "cell", "thead": "rowgroup", "tbody": "rowgroup"}


def test_a_status_is_never_told_by_colour_alone():
    """Every badge has a word and a shape; the shapes differ."""
    for badge in rendered(*MIXED).all("span", class_="badge"):
        status = badge.classes[1]
        assert badge.text == {"critical": "Critical", "warning": "Warning", "ok": "OK"}[status]
        assert badge.one("use").attributes["href"] == f"#icon-{status}"
    shapes = [each.one("path").attributes["d"] for each in rendered().all("symbol")]
    assert len(set(shapes)) == 4


def test_every_time_is_machine_readable():
    """The element `time` has a moment of RFC 3339."""
    moments = [each.attributes["datetime"] for each in rendered(*MIXED).all("time")]
    assert "2026-12-13T12:00:00Z" in moments
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment) for moment in moments)


def luminance(colour):
    """The relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrasts(scheme):
    """WCAG 2.2 AA in both colour schemes: 4.5 for text, 3 for bars, borders of fields and the focus."""
    style = rendered().one("style").inner[0]
    block = re.findall(r":root \{([^}]*)\}", style)[["light", "dark"].index(scheme)]
    colours = {name: luminance(colour) for name, colour in re.findall(r"--([\w-]+): (#\w{6});", block)}
    statuses = ("critical", "warning", "unknown", "ok")
    text = [(ink, back) for ink in ("ink", "quiet") for back in ("page", "surface")]
    for name in statuses:
        text += [(name, f"{name}-tint"), (name, "surface"), ("ink", f"{name}-tint")]
    shapes = [("field", "surface"), ("focus", "page"), *((f"{name}-bar", "surface") for name in statuses)]
    for pairs, least in ((text, 4.5), (shapes, 3)):
        for one, other in pairs:
            low, high = sorted((colours[one], colours[other]))
            assert (high + 0.05) / (low + 0.05) >= least, (one, other)


# Names that mean harm


HOSTILE = (
    'CN=</style></script><script>document.title="taken"</script>'
    '<img src=x onerror=alert(1)>"\' onload="x,O=\u202eA&amp;B\x1b[31m'
)


def test_hostile_names_are_text():
    """A name, a place, a message or a title is shown as it is, never a tag, an attribute or a control character."""
    wanted = HOSTILE.replace("\u202e", r"\E2\80\AE").replace("\x1b", r"\1B")
    made = html.render(Scan(NOW, [certificate(3, HOSTILE, sources=(HOSTILE,))], [failure(HOSTILE)]), title=HOSTILE)
    read = page.read(made)
    assert (len(read.all("script")), len(read.all("style")), len(read.all("img"))) == (1, 1, 0)
    assert not [name for each in read for name in each.attributes if name.startswith("on")]
    assert read.one("h1").text == wanted
    assert read.one("tbody").all("dd")[0].text == wanted
    assert read.one("tbody").all("td")[2].text == wanted
    assert f"Cannot read {wanted}: it is locked" in read.one("ul", class_="failures").text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", made)


@pytest.mark.parametrize(
    "subject",
    ["", "CN=", "=", ",", "\\", "CN=a\\", "CN=\udcff", "CN=" + "x" * 100_000, "CN=" + "\\,x" * 50_000, "x" * 100_000],
)
def test_names_of_any_shape(subject):
    """Empty, cut off or endless: the page is made, and stays small."""
    assert len(html.render(Scan(NOW, [certificate(3, subject, sources=(subject,))]))) < 60_000


def test_a_comma_in_a_value_is_part_of_it():
    """The first part of a name is what is printed in bold."""
    assert names(rendered(certificate(3, "CN=Acme\\, Inc.,O=Acme"))) == ["Acme\\, Inc."]


# Alone in the world


def test_it_names_nothing_outside():
    """No address in an attribute or in the style, and a policy that would refuse any."""
    read = rendered(*MIXED, failures=[failure()])
    style, script = read.one("style").inner[0], read.one("script").inner[0]
    given = {name for each in read for name in each.attributes}
    assert not given & {"src", "srcset", "action", "data", "poster", "background", "style"}
    assert not re.search(r"url\(|@import|https?:|//\w", style)
    assert not re.search(r"fetch|XMLHttpRequest|import\(|https?:|innerHTML|eval", script)

    def digest(text):
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    policy = read.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; script-src 'sha256-{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_nothing_but_the_page_is_asked_for(tmp_path):
    """Served by a web server, Chromium asks it for the page and for nothing else, not even an icon."""
    asked = []
    body = html.render(Scan(NOW, MIXED, [failure()])).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        dumped = page.in_chromium(f"http://127.0.0.1:{server.server_port}/page", tmp_path)
        server.shutdown()
    assert asked == ["/page"]
    assert "4 of 4 shown" in dumped


# With scripts


@pytest.fixture
def opened(tmp_path):
    """Opens the page of the mixed rows in Chromium, at an address that ends in a view; how it then stands."""

    def open_(view="", *, html_=None):
        file = tmp_path / "page.html"
        file.write_text(html_ or html.render(Scan(NOW, MIXED)))
        return page.read(page.in_chromium(f"{file.as_uri()}#{view}", tmp_path))

    return open_


def test_without_scripts_every_row_is_there():
    """The controls are hidden, and nothing else is."""
    read = rendered(*MIXED)
    assert [each.tag for each in read if "hidden" in each.attributes] == ["form"]
    assert names(read) == ["gone", "soon", "fine", "best"]


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("", ["gone", "soon", "fine", "best"]),
        ("status=warning", ["soon"]),
        ("status=ok&search=other", ["best"]),
        ("search=ACME+bundle", ["soon"]),
        ("search=AB:01", ["fine"]),
        ("search=nowhere", []),
        ("sort=ends", ["gone", "soon", "fine", "best"]),
        ("sort=ends&order=descending", ["best", "fine", "soon", "gone"]),
        ("sort=certificate", ["best", "fine", "gone", "soon"]),
        ("sort=seen+in&order=descending", ["soon", "best", "gone", "fine"]),
        ("status=<script>&sort=nonsense&certificates", ["gone", "soon", "fine", "best"]),
    ],
)
def test_a_view_stands_in_the_address(opened, view, shown):
    """Filter, search (also for a serial with colons) and order can be bookmarked."""
    read = opened(quote(view, safe="=&+:"))
    assert names(read) == shown
    assert read.one("form").one("p", role="status").text == f"{len(shown)} of 4 shown"


def test_a_column_is_sorted_by_its_button(opened):
    """Twice turns the order round; the heading says so to screen readers, and the address remembers."""
    made = html.render(Scan(NOW, MIXED))
    # The policy of the page would not let a script of the test run.
    made = re.sub("<meta http-equiv[^>]*>", "", made)
    clicks = """<script>
        const press = () => document.querySelectorAll("thead button")[2].click();
        press(); press();
        document.querySelector("[name=search]").value = "acme";
        document.querySelector("form").dispatchEvent(new Event("input"));
        setTimeout(() => document.body.setAttribute("data-view", location.hash), 500);
    </script></body>"""
    read = opened(html_=made.replace("</body>", clicks))
    sorted_by = [each.attributes.get("aria-sort") for each in read.one("thead").all("th")]
    assert sorted_by == [None, None, "descending", None]
    assert names(read) == ["soon", "gone", "fine"]
    assert read.one("body").attributes["data-view"] == "#search=acme&sort=certificate&order=descending"


def test_a_foreign_script_does_not_run(opened):
    """Content added to the page is blocked by its security policy."""
    made = html.render(Scan(NOW, MIXED)).replace("</body>", "<script>document.title = 'taken'</script></body>")
    assert opened(html_=made).one("title").text == "1 certificate needs action now - Certificates"


def test_nothing_is_wider_than_a_telephone(opened):
    """At 320 pixels nothing has to be scrolled sideways (WCAG 2.2, reflow)."""
    long = certificate(5, "CN=" + "x" * 500, sources=("/a" * 90,))
    made = html.render(Scan(NOW, [*MIXED, long], [failure("f" * 200)]))
    made = re.sub("<meta http-equiv[^>]*>", "", made)
    frame = f"""<!DOCTYPE html><html><body>
        <iframe width="320" height="600" srcdoc="{escape(made)}"></iframe>
        <script>onload = () => {{
            const frame = document.querySelector("iframe");
            const inner = frame.contentDocument.documentElement;
            document.title = inner.clientWidth + " " + inner.scrollWidth;
            frame.remove();
        }}</script></body></html>"""
    width, needed = opened(html_=frame).one("title").text.split()
    assert int(needed) <= int(width) <= 320


# Without Jinja2


def test_a_missing_package_is_one_line():
    """It names what is missing, and how to install it."""
    code = """if True:
        import sys
        from datetime import UTC, datetime
        sys.modules["jinja2"] = None
        from certkit.errors import InputError
        from certkit.report import html
        from certkit.expiry.scan import Scan
        try:
            html.render(Scan(datetime(2026, 11, 23, tzinfo=UTC)))
        except InputError as error:
            print(error.message, error.hint, sep="; ")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = "cannot make an HTML page: Jinja2 is not installed; install it beside certkit: pip install Jinja2\n"
    assert done.stdout == told
