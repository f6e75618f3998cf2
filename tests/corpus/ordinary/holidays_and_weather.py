from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd

BERLIN = ZoneInfo("Europe/Berlin")


def easter(year: int) -> date:
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    j = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * j) // 451
    month, day = divmod(h + j - 7 * m + 114, 31)
    return date(year, month, day + 1)


counts = pd.read_csv("inputs/bike_counter.csv")
counts["local"] = pd.to_datetime(counts["utc"], utc=True).dt.tz_convert(BERLIN)
daily = counts.set_index("local")["bikes"].resample("D").sum()
holidays = {easter(y) + timedelta(days=n) for y in daily.index.year.unique() for n in (-2, 1, 39, 50)}
days = daily.to_frame().assign(holiday=[d.date() in holidays for d in daily.index], weekday=daily.index.day_name())
weather = pd.read_fwf("inputs/weather.txt", colspecs=[(0, 10), (11, 16), (17, 22)], names=["day", "temp", "rain"])
days = days.merge(weather.assign(day=pd.to_datetime(weather["day"]).dt.tz_localize(BERLIN)), left_index=True, right_on="day")
print(days.groupby(["weekday", "holiday"])["bikes"].median().unstack())
print("made", datetime.now(timezone.utc).isoformat(timespec="seconds"))
days.to_feather("outputs/days.feather")
