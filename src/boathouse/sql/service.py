"""The rules of saved queries."""

from sqlalchemy.orm import Session

from boathouse.iam.api import Principal
from boathouse.sql.models import QueryRow
from boathouse.sql.objects import SqlObjects
from boathouse.sql.parameters import check_parameters
from boathouse.sql.repository import QueryRepository
from boathouse.sql.schemas import ChangedQuery, NewQuery, QueryParameterBody
from boathouse.storage.layout import Layout


class QueryService(SqlObjects[QueryRow]):
    """Saved queries for one principal in one transaction; see ``SqlObjects``."""

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        super().__init__(session, principal, layout, QueryRepository(session), "query")

    def create(self, body: NewQuery, *, resolve_name: bool) -> QueryRow:
        """Keep a new query, which is the asker's.

        Raises:
            ObjectExists: If another one of the folder has the name.
        """
        check_parameters(body.parameters or ())
        row = QueryRow(**self.new(body.parent_path, body.display_name or "New query", body.settings()))
        self.set_name(row, row.display_name, resolve=resolve_name)
        self._objects.add(row)
        return row

    def update(self, query_id: str, mask: str, body: ChangedQuery, *, resolve_name: bool) -> QueryRow:
        """Change the fields of a query that a mask names.

        Raises:
            ObjectInvalid: If the mask names none, or one that is not valid.
            ObjectExists: If another one of the folder has the name.
        """
        row = self.get(query_id, "CAN_EDIT", lock=True)
        known = {field.alias or name for name, field in ChangedQuery.model_fields.items()}
        wanted = self.masked(mask, known, {"owner_user_name"} if body.owner_user_name is None else set())
        check_parameters(body.parameters or ())
        if "owner_user_name" in wanted:
            self.set_owner(row, body.owner_user_name)
        if "display_name" in wanted:
            self.set_name(row, body.display_name, resolve=resolve_name)
        self.changed(row, wanted, body.settings())
        return row


def parameters_of(row: QueryRow) -> list[QueryParameterBody]:
    """The parameters of a query."""
    return [QueryParameterBody.model_validate(one) for one in row.settings.get("parameters") or ()]
