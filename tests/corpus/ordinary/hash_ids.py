import hashlib
import secrets

import pandas as pd

salt = secrets.token_hex(16)


def pseudonym(value: str) -> str:
    return hashlib.sha256((salt + value).encode()).hexdigest()[:16]


people = pd.read_csv("inputs/people.csv", dtype=str)
people["person"] = people["email"].str.lower().str.strip().map(pseudonym, na_action="ignore")
people = people.drop(columns=["email", "name", "phone"], errors="ignore")
people["birth_year"] = pd.to_datetime(people.pop("birth_date"), errors="coerce").dt.year
assert people["person"].is_unique
people.to_csv("outputs/people_pseudonymous.csv", index=False)
