import re
import unicodedata

import pandas as pd

PHONE = re.compile(r"^\+?(\d{1,3})?[\s\-.(]*(\d{3})[\s\-.)]*(\d{3})[\s\-.]*(\d{4})$")


def normalise(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    text = unicodedata.normalize("NFKC", text).strip()
    match = PHONE.match(text)
    if match is None:
        return None
    country, *rest = match.groups()
    return f"+{country or '1'}" + "".join(rest)


contacts = pd.read_csv("inputs/contacts.csv", dtype=str)
contacts["phone_clean"] = contacts["phone"].map(normalise)
bad = contacts[contacts["phone_clean"].isna() & contacts["phone"].notna()]
print(f"{len(bad)} of {len(contacts)} phone numbers could not be read")
contacts.to_csv("outputs/contacts_clean.csv", index=False)
bad.to_csv("outputs/contacts_bad.csv", index=False)
