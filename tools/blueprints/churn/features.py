"""What a customer's row says about leaving, computed from its own columns."""

import numpy as np
import pandas as pd

TENURE_ENDS = [6, 12, 24, 48]  # months
TENURE_NAMES = ["up to 6 months", "7 to 12 months", "1 to 2 years", "2 to 4 years", "over 4 years"]
WORDS_FOR_MONTHS = {"two": 24.0, "2": 24.0, "bien": 24.0, "three": 36.0, "3": 36.0, "quarter": 3.0}


def _months(words):
    """How long a contract runs by its words: 1 for month to month, 12, 24, ...; missing where they say nothing."""
    words = words.lower()
    if "month-to" in words or "month to" in words or "monthly" in words or "rolling" in words or words == "month":
        return 1.0
    for word, months in WORDS_FOR_MONTHS.items():
        if word in words:
            return months
    return 12.0 if "year" in words or "annual" in words else np.nan


def _trouble(words):
    """0 for a payment that goes by itself, 1 for one by hand, 2 for one by paper or cash."""
    words = words.lower()
    if "auto" in words or "direct debit" in words or "recurring" in words or "sepa" in words:
        return 0.0
    if "check" in words or "cheque" in words or "cash" in words or "mail" in words:
        return 2.0
    return 1.0 if "invoice" in words or "manual" in words or "paypal" in words or "transfer" in words else 0.0


def tenure_group(tenure=None, tenure_years=None):
    """How long the customer has been here, in five groups from the first months to over four years."""
    months = tenure if tenure is not None else tenure_years * 12
    names = np.array(TENURE_NAMES, dtype=object)[np.searchsorted(TENURE_ENDS, months.fillna(0.0))]
    return pd.Series(names, index=months.index).where(months.notna())


def charges_per_month_of_tenure(total_charges, tenure):
    """What the customer has paid so far per month of being here."""
    return total_charges / tenure.clip(lower=1)


def service_count(
    phone_service=None,
    multiple_lines=None,
    internet_service=None,
    online_security=None,
    online_backup=None,
    device_protection=None,
    tech_support=None,
    streaming_tv=None,
    streaming_movies=None,
    products=None,
    has_card=None,
):
    """How many services or products the customer has: many of them hold a customer."""
    total = 0.0
    for column in (
        phone_service,
        multiple_lines,
        internet_service,
        online_security,
        online_backup,
        device_protection,
        tech_support,
        streaming_tv,
        streaming_movies,
        products,
        has_card,
    ):
        if column is not None:
            total = total + column.fillna(0.0)
    return total


def contract_risk(contract):
    """How easily the customer can go: 1 for month to month, less the longer the contract binds."""
    return 1 / np.sqrt(contract.map(_months, na_action="ignore").astype(float))


def payment_friction(payment_method, paperless_billing=None, late_payments=None):
    """How much trouble a payment is: 0 when it goes by itself, more by hand, on paper and with late payments."""
    friction = payment_method.map(_trouble, na_action="ignore").astype(float)
    if paperless_billing is not None:
        friction = friction + 0.5 * (1 - paperless_billing.fillna(1.0))
    if late_payments is not None:
        friction = friction + late_payments.clip(lower=0).fillna(0.0)
    return friction


def price_change(monthly_charges, total_charges, tenure):
    """The price now against the average price so far: 0.1 is ten per cent dearer."""
    before = (total_charges / tenure.where(tenure > 0)).where(total_charges > 0)
    return monthly_charges / before - 1


def support_intensity(support_calls, tenure=None):
    """How often the customer asks for help: calls to support per year of being here."""
    if tenure is None:
        return support_calls
    return 12 * support_calls / tenure.clip(lower=1)


def engagement_trend(usage_now, usage_before):
    """How use has changed: below 0 the customer uses it less than before, -1 not at all any more."""
    return (usage_now - usage_before) / usage_before.where(usage_before > 0)


def expected_remaining_value(monthly_charges, contract, tenure=None):
    """What the customer still pays until the contract can end: the price times the months that are left of it."""
    months = contract.map(_months, na_action="ignore").astype(float)
    gone = np.mod(tenure, months) if tenure is not None else 0.0
    return monthly_charges * (months - gone)
