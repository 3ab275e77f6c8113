"""Attributes of distinguished names: their names, object identifiers and upper bounds (X.520, RFC 4519, RFC 5280)."""

from __future__ import annotations

import re
from typing import NamedTuple

OID = re.compile(r"[0-2](\.(0|[1-9]\d{0,18})){1,32}", re.ASCII)


class AttributeType(NamedTuple):
    """One type of attribute: its short name, its other names, and the longest value in characters."""

    name: str
    oid: str
    others: tuple[str, ...] = ()
    upper_bound: int | None = None


# Short names: RFC 4514 section 3 and RFC 4519, else the ones that OpenSSL prints. Upper bounds: RFC 5280 appendix A.1;
# X.520 annex C where RFC 5280 has none; the EV guidelines section 7.1.4.2 for the jurisdiction.
TYPES = (
    AttributeType("C", "2.5.4.6", ("countryName",), 2),
    AttributeType("ST", "2.5.4.8", ("stateOrProvinceName", "S"), 128),
    AttributeType("L", "2.5.4.7", ("localityName",), 128),
    AttributeType("O", "2.5.4.10", ("organizationName",), 64),
    AttributeType("OU", "2.5.4.11", ("organizationalUnitName",), 64),
    AttributeType("CN", "2.5.4.3", ("commonName",), 64),
    AttributeType("emailAddress", "1.2.840.113549.1.9.1", ("E", "email"), 255),
    AttributeType("serialNumber", "2.5.4.5", (), 64),
    AttributeType("street", "2.5.4.9", ("streetAddress",), 128),
    AttributeType("postalCode", "2.5.4.17", (), 40),
    AttributeType("organizationIdentifier", "2.5.4.97", ("orgId",)),
    AttributeType("businessCategory", "2.5.4.15", (), 128),
    AttributeType("jurisdictionC", "1.3.6.1.4.1.311.60.2.1.3", ("jurisdictionCountryName",), 2),
    AttributeType("jurisdictionST", "1.3.6.1.4.1.311.60.2.1.2", ("jurisdictionStateOrProvinceName",), 128),
    AttributeType("jurisdictionL", "1.3.6.1.4.1.311.60.2.1.1", ("jurisdictionLocalityName",), 128),
    AttributeType("title", "2.5.4.12", (), 64),
    AttributeType("GN", "2.5.4.42", ("givenName",), 32768),
    AttributeType("SN", "2.5.4.4", ("surname",), 32768),
    AttributeType("name", "2.5.4.41", (), 32768),
    AttributeType("initials", "2.5.4.43", (), 32768),
    AttributeType("generationQualifier", "2.5.4.44", (), 32768),
    AttributeType("pseudonym", "2.5.4.65", (), 128),
    AttributeType("dnQualifier", "2.5.4.46"),
    AttributeType("description", "2.5.4.13", (), 1024),
    AttributeType("telephoneNumber", "2.5.4.20", (), 32),
    AttributeType("DC", "0.9.2342.19200300.100.1.25", ("domainComponent",)),
    AttributeType("UID", "0.9.2342.19200300.100.1.1", ("userId",), 256),
)
OIDS = {each.name: each.oid for each in TYPES}
SHORT_NAMES = {each.oid: each.name for each in TYPES}
UPPER_BOUNDS = {each.name: each.upper_bound for each in TYPES if each.upper_bound is not None}
# Attributes that are an IA5String (RFC 5280 appendix A.1).
ASCII_ONLY = ("emailAddress", "DC")
# Attributes that hold a country.
COUNTRIES_IN = ("C", "jurisdictionC")

# Key usages in the order of their bits (RFC 5280 section 4.2.1.3), and extended key usages (section 4.2.1.12).
KEY_USAGES = (
    *("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement"),
    *("keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"),
)
EXTENDED_KEY_USAGES = {
    "serverAuth": "1.3.6.1.5.5.7.3.1",
    "clientAuth": "1.3.6.1.5.5.7.3.2",
    "codeSigning": "1.3.6.1.5.5.7.3.3",
    "emailProtection": "1.3.6.1.5.5.7.3.4",
    "timeStamping": "1.3.6.1.5.5.7.3.8",
    "OCSPSigning": "1.3.6.1.5.5.7.3.9",
}

# Every name of every attribute, and its short name.
NAMES = {name: each.name for each in TYPES for name in (each.name, *each.others)}
_BY_NAME = {name.lower(): each.name for each in TYPES for name in (each.name, *each.others, each.oid)}


def short_name(text: str) -> str | None:
    """Return the short name of an attribute from any of its names or its OID; an unknown OID stays; else None."""
    return _BY_NAME.get(text.lower()) or (text if OID.fullmatch(text) else None)


def oid(short: str) -> str:
    """Return the object identifier of an attribute by its short name; a dotted one stays."""
    return OIDS.get(short, short)


# ISO 3166-1 alpha-2 codes that are officially assigned.
_ASSIGNED = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY "
    "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK "
    "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR "
    "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK "
    "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
    "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "
)
COUNTRIES = frozenset(_ASSIGNED.split())
# In use without being assigned: the European Union (which Wise's sample names), Kosovo.
OTHER_COUNTRIES = frozenset({"EU", "XK"})
# What people write for a country, and its code.
COUNTRY_SLIPS = {"UK": "GB", "EN": "GB", "EL": "GR", "SP": "ES", "JA": "JP", "SW": "SE", "DA": "DK"}
