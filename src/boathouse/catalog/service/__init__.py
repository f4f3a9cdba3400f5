"""The rules of the catalog, for one principal in one transaction."""

from boathouse.catalog.service.connections import Connections
from boathouse.catalog.service.dropping import Dropping
from boathouse.catalog.service.functions import Functions
from boathouse.catalog.service.grants import Grants
from boathouse.catalog.service.pins import Pins
from boathouse.catalog.service.policies import Policies
from boathouse.catalog.service.registered_models import RegisteredModels
from boathouse.catalog.service.renaming import Renaming
from boathouse.catalog.service.tags import Tags
from boathouse.catalog.service.vending import Vending
from boathouse.catalog.service.views import Views


class CatalogService(
    Connections, Dropping, Policies, Functions, Views, Tags, Vending, RegisteredModels, Pins, Renaming, Grants
):
    """Everything that can be done with the catalog.

    Args:
        session: The transaction.
        principal: Who asks; every answer and every refusal is for this principal.
        layout: Where managed tables and volumes lie.
    """
