"""The parts that ISO 14224 tells apart on an electric motor, by subunit; a plant may name others in its events.

The standard gives its failure modes letter codes and its maintainable items names only, so the names are the codes.
Items that several subunits have (pump, filter, piping) are named with theirs, as one list needs it.
"""

from __future__ import annotations

COMPONENTS = {
    "electric motor": ("stator", "rotor", "excitation", "radial bearing", "thrust bearing"),
    "control and monitoring": ("control unit", "actuating device", "power supply", "sensor", "wiring"),
    "lubrication system": (
        "lubricant",
        "lubrication pump",
        "lubrication filter",
        "lubrication cooler",
        "lubrication piping",
        "seal",
    ),
    "cooling system": ("cooling fan", "cooling filter", "cooling pump", "cooling piping", "heat exchanger"),
    "miscellaneous": ("hood", "coupling", "foundation", "other", "unknown"),
}
SUBUNITS = {component: subunit for subunit, components in COMPONENTS.items() for component in components}
