"""What a machine's row says about failing, computed from its own columns."""

import numpy as np


def heat_excess(process_temperature, air_temperature):
    """How much hotter the machine is than the air around it: too little means that heat cannot get out."""
    return process_temperature - air_temperature


def mechanical_power(torque, rotational_speed):
    """Power in kilowatts from torque (newton metres) and revolutions per minute."""
    return torque * rotational_speed * 2 * np.pi / 60 / 1000


def electric_power(voltage, current):
    """Electric power in kilowatts."""
    return voltage * current / 1000


def strain(tool_wear, torque):
    """Wear times torque: a worn tool breaks under load."""
    return tool_wear * torque


def load_per_speed(torque, rotational_speed):
    """Torque per revolution: high when the machine labours."""
    return torque / rotational_speed.where(rotational_speed > 0)


def vibration_per_speed(vibration, rotational_speed):
    """Vibration for its speed: a machine that is out of balance shakes at any speed."""
    return vibration / rotational_speed.where(rotational_speed > 0)


def overdue(hours_since_service, operating_hours):
    """The share of its life for which the machine has not been serviced."""
    return hours_since_service / operating_hours.where(operating_hours > 0)


def errors_per_age(errors, machine_age):
    """Error messages per year of age."""
    return errors / machine_age.clip(lower=0.1)
