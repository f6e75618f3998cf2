"""What a lead's row says about interest, computed from its own columns."""

import numpy as np


def time_per_visit(time_on_site, visits):
    """How long a visit lasts on average: readers buy more often than passers-by."""
    return time_on_site / visits.where(visits > 0)


def pages_per_visit(pages, visits):
    """How many pages the lead looks at in a visit."""
    return pages / visits.where(visits > 0)


def open_rate(emails_opened, emails_sent):
    """The share of our emails that the lead opened."""
    return emails_opened / emails_sent.where(emails_sent > 0)


def click_rate(emails_clicked, emails_opened):
    """The share of opened emails in which the lead pressed a link."""
    return emails_clicked / emails_opened.where(emails_opened > 0)


def engagement(visits=None, pages=None, emails_opened=None, emails_clicked=None):
    """Everything that the lead did with us in one number, each thing on a scale on which the first counts most."""
    total = 0.0
    for column in (visits, pages, emails_opened, emails_clicked):
        if column is not None:
            total = total + np.log1p(column.clip(lower=0).fillna(0.0))
    return total


def freshness(last_contact):
    """How recent the last sign of life is: 1 today, a half after two weeks, near 0 after months."""
    return 0.5 ** (last_contact.clip(lower=0) / 14)


def visits_per_week(visits, lead_age):
    """How often the lead comes back, per week since it came in."""
    return 7 * visits / lead_age.clip(lower=1)
