"""The rules of the catalog, for one principal in one transaction."""

from boathouse.catalog.service.files import Volumes
from boathouse.catalog.service.grants import Grants
from boathouse.catalog.service.registered_models import RegisteredModels
from boathouse.catalog.service.tables import Tables


class CatalogService(Tables, Volumes, RegisteredModels, Grants):
    """Everything that can be done with the catalog.

    Args:
        session: The transaction.
        principal: Who asks; every answer and every refusal is for this principal.
        layout: Where managed tables and volumes lie.
    """
