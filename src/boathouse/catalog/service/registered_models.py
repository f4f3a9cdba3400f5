"""Registered models as securables. Their versions and aliases are MLflow's; owner and grants are the catalog's."""

from collections.abc import Callable

from boathouse.catalog.errors import InvalidName, SecurableExists, SecurableNotFound
from boathouse.catalog.info import SecurableInfo, securable_info
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.containers import Containers


class RegisteredModels(Containers):
    """Registered models."""

    def register_model(self, full_name: str, *, comment: str | None = None) -> SecurableInfo:
        """Make a model's securable. Needs CREATE MODEL on the schema.

        Raises:
            InvalidName: If the name has not three levels.
            SecurableExists: If the name is taken.
        """
        parts = full_name.split(".")
        if len(parts) != 3 or not all(parts):
            raise InvalidName(full_name, "a registered model is named catalog.schema.model.")
        parent = self.container_of(full_name, Privilege.CREATE_MODEL)
        if self.rows.find(SecurableType.FUNCTION, full_name) is not None:
            raise SecurableExists(SecurableType.FUNCTION, full_name.lower())
        return securable_info(self.new_row(SecurableType.MODEL, parent, parts[2], comment=comment))

    def require_model(self, full_name: str, privilege: Privilege | None) -> SecurableInfo:
        """A model on which the principal has a privilege (EXECUTE to load, MANAGE to change); None: may know of."""
        return securable_info(self.reach(SecurableType.MODEL, full_name, privilege))

    def model_of_id(self, model_id: str) -> SecurableInfo:
        """The model of an identifier.

        Raises:
            SecurableNotFound: If there is none that the principal may know of.
        """
        row = self.rows.by_id(model_id)
        if row is None or row.type != SecurableType.MODEL or not self.access.visibility().shows(row):
            raise SecurableNotFound(SecurableType.MODEL, model_id)
        return securable_info(row)

    def list_models(self, catalog: str | None = None, schema: str | None = None) -> list[SecurableInfo]:
        """The models that the principal may know of, of one schema, one catalog or all, by full name."""
        prefix = ".".join(part.lower() for part in (catalog, schema) if part)
        rows = [
            row
            for row in self.rows.of_type(SecurableType.MODEL)
            if f"{row.full_name}.".startswith(f"{prefix}." if prefix else "")
        ]
        visibility = self.access.visibility()
        return [securable_info(row) for row in rows if visibility.shows(row)]

    def delete_model(self, full_name: str) -> None:
        """Delete a model's securable. Needs MANAGE."""
        row = self.find_row(SecurableType.MODEL, full_name)
        self.access.require(row, Privilege.MANAGE)
        self.rows.note_model_change(row.full_name, None)
        self.rows.remove(row)

    def has_model_changes(self) -> bool:
        """Whether MLflow's registry has something to follow."""
        return self.rows.has_model_changes()

    def follow_model_changes(self, follow: Callable[[str, str | None], None]) -> None:
        """Tell MLflow's registry what became of models, with a new name or with their container too; each is told once.

        Args:
            follow: Takes the old name and the new one, or None for a deleted model. It may be told again after it failed.
        """
        for row in self.rows.model_changes():
            follow(row.old_name, row.new_name)
            self.rows.forget_model_change(row)
        self.session.flush()
