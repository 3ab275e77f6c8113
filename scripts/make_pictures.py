"""Make the pictures of docs/pictures from what certkit prints today. It needs chromium.

python -m scripts.make_pictures
"""

from __future__ import annotations

import html
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certkit.testing import CA, rehearsing

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
LINE_HEIGHT, CHARACTER_WIDTH, MARGIN = 18, 7.85, 14


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        partners = folder / "partners"
        partners.mkdir()
        for client, days in (("acme-payments", 200), ("acme-cards", 24), ("acme-ledger", 3), ("acme-old", -2)):
            (partners / f"{client}.pem").write_bytes(certificate(client, days))
        certkit(folder, "expiry", "partners", "--format", "html", "--output", "report.html")
        screenshot(folder / "report.html", PICTURES / "report.png")
        with rehearsing(folder / "rehearsal") as wise:
            wise.identity()
            draw(folder, wise.store, "setup", "wise", "setup", "acme")
        identities(folder)
        draw(folder, f"file:{folder}/identities", "list", "identity", "list")


def identities(folder: Path) -> None:
    """Make a store with identities in different states."""
    store = f"file:{folder}/identities"
    for name, policy, days in (
        ("acme-live", "wise-production", 20),
        ("acme-test", "wise-sandbox", 300),
        ("cards", "adyen", 0),
    ):
        ca = CA()
        (folder / "ca.pem").write_bytes(ca.pem)
        words = ("enroll", name, "--policy", policy, "--organization", "Acme Ltd", "--ca", "ca.pem")
        certkit(folder, "identity", *words, store=store)
        if days:
            [csr] = (folder / "identities" / name).rglob("csr.pem")
            (folder / "answer.pem").write_bytes(ca.sign(csr.read_bytes(), days=days))
            certkit(folder, "identity", "install", name, "answer.pem", store=store)
    certkit(folder, "identity", "renew", "acme-live", store=store)


def certkit(folder: Path, *arguments: str, store: str = "") -> str:
    """Run certkit; return what it prints."""
    words = [sys.executable, "-m", "certkit", *arguments]
    own = {**os.environ, "PYTHONPATH": str(PICTURES.parents[1]), "CERTKIT_STORE": store}
    return subprocess.run(words, cwd=folder, env=own, stdout=subprocess.PIPE, check=False, text=True).stdout


def certificate(client: str, days: int) -> bytes:
    """Return a client certificate that expires in so many days."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    names = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme Ltd"), x509.NameAttribute(NameOID.COMMON_NAME, client)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Partner CA")])
    builder = x509.CertificateBuilder(issuer, x509.Name(names), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=160)).not_valid_after(now + timedelta(days=days, hours=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def screenshot(page: Path, picture: Path) -> None:
    """Have a browser render a page."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=900,640"]
    subprocess.run(
        ["chromium", *options, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True, timeout=120
    )


def draw(folder: Path, store: str, picture: str, *arguments: str) -> None:
    """Draw a command and its output as a terminal shows them."""
    lines = [f"$ certkit {' '.join(arguments)}", *certkit(folder, *arguments, store=store).splitlines()]
    width = round(max(map(len, lines)) * CHARACTER_WIDTH) + 2 * MARGIN
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    text = "".join(
        f'<text x="{MARGIN}" y="{MARGIN + (number + 0.75) * LINE_HEIGHT:g}" xml:space="preserve">'
        f"{html.escape(line)}</text>\n"
        for number, line in enumerate(lines)
    )
    (PICTURES / f"{picture}.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="monospace" font-size="13" fill="#dddddd">\n'
        f'<rect width="100%" height="100%" rx="6" fill="#1e1e1e"/>\n{text}</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
