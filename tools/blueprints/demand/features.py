"""What a moment's row says about demand, computed from its own columns."""

import numpy as np
import pandas as pd

DAY_ENDS = [6, 10, 15, 19, 22]  # hours
DAY_PARTS = ["night", "morning", "midday", "afternoon", "evening", "night"]


def part_of_day(hour):
    """Night, morning, midday, afternoon or evening."""
    names = np.array(DAY_PARTS, dtype=object)[np.searchsorted(DAY_ENDS, hour.fillna(0.0), side="right")]
    return pd.Series(names, index=hour.index).where(hour.notna())


def hour_around(hour):
    """The hour on a circle, so that 23 is next to 0: the cosine, 1 at midnight and -1 at noon."""
    return np.cos(2 * np.pi * hour / 24)


def rush_hour(hour, workingday):
    """Whether people are on their way to work or home: 7 to 9 and 16 to 19 on working days."""
    return workingday * (hour.between(7, 9) | hour.between(16, 19)).astype(float)


def discount(price, base_price):
    """The share of the usual price that is taken off."""
    return 1 - price / base_price.where(base_price > 0)


def price_against_competitor(price, competitor_price):
    """The price as a share of what it costs elsewhere."""
    return price / competitor_price.where(competitor_price > 0)


def days_to_christmas(date):
    """Days until the 25th of December, 0 to 365."""
    ahead = 359 - date.dt.day_of_year
    return ahead.where(ahead >= 0, ahead + 365)
