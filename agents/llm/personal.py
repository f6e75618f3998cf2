"""Personal data in cells and column names: found by kind and replaced by the kind's name before anything leaves.

Patterns (addresses, numbers of cards, telephones …) are found by datafog's regex engine: it is pure Python, loads no
model, asks no network, and its usage reports, off unless asked for, are no part of the engine. What no pattern can find
is masked by what the column is: text and identifiers as a whole, and columns whose name says that they hold names,
addresses or dates of birth. Long numbers are masked whatever they are.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datafog.processing.text_processing.regex_annotator import RegexAnnotator

_KINDS: Mapping[str, str] = {
    "EMAIL": "EMAIL",
    "PHONE": "PHONE",
    "SSN": "SOCIAL_SECURITY_NUMBER",
    "CREDIT_CARD": "CREDIT_CARD",
    "IP_ADDRESS": "IP_ADDRESS",
    "DOB": "DATE",
    "ZIP": "POSTAL_CODE",
    "DE_IBAN": "BANK_ACCOUNT",
    "DE_VAT_ID": "TAX_NUMBER",
    "DE_TAX_ID": "TAX_NUMBER",
    "DE_SOCIAL_SECURITY_NUMBER": "SOCIAL_SECURITY_NUMBER",
    "DE_POSTAL_CODE": "POSTAL_CODE",
    "DE_PASSPORT_NUMBER": "PASSPORT",
    "DE_RESIDENCE_PERMIT_NUMBER": "PASSPORT",
}
_OURS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("EMAIL", re.compile(r"[^\s@<>\"',;]+@[^\s@<>\"',;]+\.[^\W\d_]{2,}")),  # letters beyond ASCII as well
    ("BANK_ACCOUNT", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")),  # ISO 13616
    (
        "IP_ADDRESS",
        re.compile(
            r"(?i)(?<![\w:])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6})(?![\w:])"
        ),
    ),
    ("WEB_ADDRESS", re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)),
)
_LONG_NUMBER = re.compile(r"\+?\(?\d(?:[ /().-]{0,2}\d){6,}")
"""Seven digits and more in one number, with what stands between the digits of a telephone's."""
_PLAIN = frozenset({"DATE", "POSTAL_CODE", "LONG_NUMBER", "WEB_ADDRESS", "IP_ADDRESS"})
_WORDS: Mapping[str, str] = {
    "NAME": "name names firstname lastname surname forename fullname username nickname kundenname patientenname "
    "vorname nachname familienname nom prenom nombre apellido apellidos cognome nome sobrenome naam achternaam",
    "ADDRESS": "address addr street adresse anschrift strasse hausnummer rue direccion calle indirizzo endereco rua "
    "adres straat latitude longitude lat lon lng",
    "POSTAL_CODE": "zip zipcode postcode postal plz postleitzahl cap cep",
    "EMAIL": "email mail emails correo courriel",
    "PHONE": "phone telephone tel mobile cell fax telefon handy telefono telefoon celular",
    "DATE_OF_BIRTH": "birth birthday birthdate dob geburtsdatum geburtstag geboren naissance nacimiento nascita "
    "geboortedatum",
    "SOCIAL_SECURITY_NUMBER": "ssn sin nin nino nif dni cpf bsn svnr ahv social_security",
    "PASSPORT": "passport passnummer ausweis licence_number license_number driver_license pasaporte",
    "BANK_ACCOUNT": "iban bic account_number kontonummer bank_account account_no",
    "CREDIT_CARD": "card_number creditcard credit_card_number cc_number kreditkarte",
    "IP_ADDRESS": "ip ipaddress ip_address mac_address",
}
_NOBODY = """
product item file column event table brand model species country city state region type category class company store
shop channel
"""
_NO_PERSONS = frozenset(_NOBODY.split())
"""A “product name” is nobody's."""
_ENDS = ("nachname", "vorname", "adresse", "strasse", "telefon", "address")
_BY_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def masked(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with a kind's name in place of each thing that is personal, and the kinds."""
    found = _spans(text)
    if not found:
        return text, ()
    pieces, at = [], 0
    for start, end, kind in found:
        pieces += [text[at:start], f"<{kind}>"]
        at = end
    return "".join([*pieces, text[at:]]), tuple(dict.fromkeys(kind for _, _, kind in found))


def in_name(column: str) -> str:
    """The kind of personal data that a column's name itself is; "" when it is a name like any other.

    Dates and codes of places are none there, and a name with less than nine digits is no number of anybody's.
    """
    if "@" not in column and sum(letter.isdigit() for letter in column) < 9:
        return ""
    _, kinds = masked(column)
    if not set(kinds) - _PLAIN and not _LONG_NUMBER.fullmatch(column.strip()):
        return ""
    return next((kind for kind in kinds if kind not in _PLAIN), "LONG_NUMBER")


def told_by_name(column: str) -> str:
    """The kind of personal data that a column of this name holds; "" when its name says nothing of the kind."""
    words = [_last_part(word) for word in _words(column)]
    joined = ["_".join(words[at : at + 3]) for at in range(len(words))] + [
        "_".join(words[at : at + 2]) for at in range(len(words))
    ]
    kinds = [_BY_WORD[word] for word in (*joined, *words) if word in _BY_WORD]
    if not kinds or (kinds[0] == "NAME" and _NO_PERSONS & set(words)):
        return ""
    return kinds[0]


def _last_part(word: str) -> str:
    """Of a compound word, what says what it is: “kundenname”, “lieferadresse”."""
    return next((end for end in _ENDS if word.endswith(end) and word not in _BY_WORD), word)


def _words(column: str) -> list[str]:
    """Of snake_case, camelCase and accents: plain lower-case words."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column).replace("ß", "ss")
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", split) if not unicodedata.combining(letter))
    return [word for word in re.split(r"[^a-z]+", plain.lower()) if word]


def _spans(text: str) -> list[tuple[int, int, str]]:
    """Start, end and kind of each find, in order and without overlap: the longest one of a known kind wins."""
    known = [(found.start(), found.end(), kind) for kind, pattern in _OURS for found in pattern.finditer(text)]
    _, result = _engine().annotate_with_spans(text)
    known += [(one.start, one.end, _KINDS.get(one.label, one.label)) for one in result.spans]
    known += [(found.start(), found.end(), "LONG_NUMBER") for found in _LONG_NUMBER.finditer(text)]
    taken: list[tuple[int, int, str]] = []
    for one in sorted(known, key=lambda one: (one[2] == "LONG_NUMBER", one[0] - one[1], one[0])):
        if all(one[1] <= other[0] or one[0] >= other[1] for other in taken):
            taken.append(one)
    return sorted(taken)


@lru_cache(maxsize=1)
def _engine() -> "RegexAnnotator":
    from datafog.processing.text_processing.regex_annotator import RegexAnnotator

    return RegexAnnotator(locales=["de"])
