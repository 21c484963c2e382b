"""Business units, each in a schema of its own, spread over the nodes of a Citus cluster."""

from invoicing.units.distribute import DistributionPlan, distribute, plan_distribution
from invoicing.units.listing import Unit, list_units
from invoicing.units.questions import over_units

__all__ = [
    "DistributionPlan",
    "Unit",
    "distribute",
    "list_units",
    "over_units",
    "plan_distribution",
]
