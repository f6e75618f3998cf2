"""What an object's row says about its price, computed from its own columns."""

import numpy as np


def area_per_room(living_area, rooms):
    """How large a room is on average."""
    return living_area / rooms.where(rooms > 0)


def bedroom_share(bedrooms, rooms):
    """The share of rooms that are bedrooms: a low one means a large house."""
    return bedrooms / rooms.where(rooms > 0)


def rooms_per_household(rooms, households):
    """Rooms of an area per household that lives there."""
    return rooms / households.where(households > 0)


def people_per_household(population, households):
    """How crowded the homes of an area are."""
    return population / households.where(households > 0)


def baths_per_bedroom(bathrooms, bedrooms):
    """Bathrooms per bedroom: comfort."""
    return bathrooms / bedrooms.where(bedrooms > 0)


def age_at_sale(year_built, year_sold):
    """How old it was when it was sold, in years."""
    return year_sold - year_built


def garden_share(living_area, lot_area):
    """The share of the ground that is not built over, as far as one floor goes."""
    return 1 - living_area / lot_area.where(lot_area > 0)


def height_in_building(floor, floors):
    """How far up in the building: 1 is the top floor."""
    return floor / floors.where(floors > 0)


def wear(mileage, building_age):
    """How far a car was driven per year."""
    return mileage / np.maximum(building_age, 1)
