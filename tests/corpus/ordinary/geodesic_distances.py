from functools import lru_cache
from math import asin, cos, radians, sin, sqrt

import pandas as pd

EARTH_KM = 6371.0088


@lru_cache(maxsize=None)
def haversine(lat1, lon1, lat2, lon2):
    lat1, lon1, lat2, lon2 = map(radians, (lat1, lon1, lat2, lon2))
    h = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(h))


flights = pd.read_csv("inputs/flights.csv")
airports = pd.read_csv("inputs/airports.csv").set_index("code")[["lat", "lon"]]
flights = flights.join(airports.add_prefix("from_"), on="origin").join(airports.add_prefix("to_"), on="destination")
coords = ["from_lat", "from_lon", "to_lat", "to_lon"]
flights["km"] = [haversine(*row) for row in flights[coords].itertuples(index=False)]
print(haversine.cache_info())
flights["kmh"] = flights["km"] / (flights["minutes"] / 60)
flights.nlargest(10, "km").to_csv("outputs/longest.csv", index=False)
