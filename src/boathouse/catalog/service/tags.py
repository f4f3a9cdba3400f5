"""Tags of securables and of tables' columns."""

from collections.abc import Mapping
from dataclasses import dataclass

from boathouse.catalog.errors import PrivilegeMissing, TagExists, TagNotFound
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import GRANTABLE, Privilege, SecurableType
from boathouse.catalog.service.tables import Tables
from boathouse.errors import InvalidParameterValue, NotImplementedHere

MOST_TAGS = 50
KEY_LENGTH, VALUE_LENGTH = 255, 1000


@dataclass(frozen=True)
class TagChange:
    """Tags to give and to take away."""

    add: Mapping[str, str]
    remove: tuple[str, ...] = ()


class Tags(Tables):
    """Tags. ``column`` names a column of a table; None is the securable itself."""

    def get_tags(self, kind: SecurableType, full_name: str, column: str | None = None) -> dict[str, str]:
        """The tags of a securable or column that the principal may know of, by key."""
        row = self.reach(kind, full_name, None)
        if column is None:
            return self.rows.tags_on([row.id]).get(row.id, {})
        return self.rows.column_tags_on(row.id).get(self._column_name(row, column), {})

    def get_column_tags(self, full_name: str) -> dict[str, dict[str, str]]:
        """The tags of a table's columns, by column and key."""
        return self.rows.column_tags_on(self.reach(SecurableType.TABLE, full_name, None).id)

    def change_tags(self, kind: SecurableType, full_name: str, change: TagChange, column: str | None = None) -> dict[str, str]:
        """Give and take tags; a tag that is there gets the new value, one that is not there is not missed.

        Returns:
            The tags afterwards.

        Raises:
            PrivilegeMissing: Without APPLY TAG, for all but the owner and who has MANAGE.
            InvalidParameterValue: If a key or value is not valid, there are too many, or there is no such column.
            NotImplementedHere: If this kind of securable has no tags here.
        """
        row, name = self._taggable(kind, full_name, column)
        for key in change.remove:
            self.rows.unset_tag(row.id, name, key)
        for key, value in change.add.items():
            _check(key, value)
            self.rows.set_tag(row.id, name, key, value)
        tags = self.rows.column_tags_on(row.id).get(name, {}) if name else self.rows.tags_on([row.id]).get(row.id, {})
        if len(tags) > MOST_TAGS:
            message = f"'{row.full_name}' would have {len(tags)} tags; {MOST_TAGS} are the most."
            raise InvalidParameterValue(message, field="tags")
        self.touch(row)
        return tags

    def create_tag(self, kind: SecurableType, full_name: str, key: str, value: str, column: str | None = None) -> None:
        """Give a tag that is not there.

        Raises:
            TagExists: If it is.
        """
        if key in self.get_tags(kind, full_name, column):
            raise TagExists(full_name, key)
        self.change_tags(kind, full_name, TagChange({key: value}), column)

    def update_tag(self, kind: SecurableType, full_name: str, key: str, value: str, column: str | None = None) -> None:
        """Give a tag that is there another value.

        Raises:
            TagNotFound: If it is not there.
        """
        self.require_tag(kind, full_name, key, column)
        self.change_tags(kind, full_name, TagChange({key: value}), column)

    def delete_tag(self, kind: SecurableType, full_name: str, key: str, column: str | None = None) -> None:
        """Take a tag away that is there.

        Raises:
            TagNotFound: If it is not there.
        """
        self.require_tag(kind, full_name, key, column)
        self.change_tags(kind, full_name, TagChange({}, (key,)), column)

    def require_tag(self, kind: SecurableType, full_name: str, key: str, column: str | None = None) -> str:
        """The value of a tag.

        Raises:
            TagNotFound: If it is not there.
        """
        tags = self.get_tags(kind, full_name, column)
        if key not in tags:
            raise TagNotFound(full_name, key)
        return tags[key]

    def _taggable(self, kind: SecurableType, full_name: str, column: str | None) -> tuple[SecurableRow, str]:
        row = self.find_row(kind, full_name)
        if Privilege.APPLY_TAG not in GRANTABLE[kind]:
            message = f"A {kind.value.replace('_', ' ')} has no tags here."
            raise NotImplementedHere(message)
        if not self.access.may(row, Privilege.APPLY_TAG) and not self.access.may(row, Privilege.MANAGE):
            raise PrivilegeMissing(self.principal.name, Privilege.APPLY_TAG, kind, row.full_name)
        return row, "" if column is None else self._column_name(row, column)

    def _column_name(self, row: SecurableRow, column: str) -> str:
        columns = [str(one["name"]) for one in self.table_of(row).columns]
        found = next((name for name in columns if name.lower() == column.lower()), None)
        if found is None:
            message = f"'{row.full_name}' has no column '{column}'. Its columns: {', '.join(columns)}."
            raise InvalidParameterValue(message, field="column")
        return found


def _check(key: str, value: str) -> None:
    if not key.strip() or key != key.strip() or len(key) > KEY_LENGTH or not key.isprintable():
        message = f"The tag key {key!r} is not valid: 1 to {KEY_LENGTH} printable characters, no blanks around."
        raise InvalidParameterValue(message, field="tag_key")
    if len(value) > VALUE_LENGTH:
        message = f"The value of tag '{key}' is not valid: at most {VALUE_LENGTH} characters."
        raise InvalidParameterValue(message, field="tag_value")
