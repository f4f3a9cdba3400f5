"""What all parts of the registry's store have: the lake's names and privileges, and that the catalog decides."""

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from sqlalchemy import Engine

from boathouse.catalog.api import Privilege
from boathouse.errors import NotFound
from boathouse.registry import artifacts
from boathouse.registry.activities import Activities
from boathouse.registry.deployments import Deployments
from boathouse.registry.engines import engine_of
from boathouse.registry.errors import mlflow_errors, our_errors
from boathouse.registry.governance import Governance, canonical
from boathouse.registry.info import ModelChange, Served
from boathouse.registry.lineage import ModelLineage
from boathouse.registry.older_webhooks import OlderWebhooks
from boathouse.registry.webhooks import WebhookStore
from boathouse.storage.layout import Layout

if TYPE_CHECKING:
    from boathouse.registry.tracking_store import GovernedTrackingStore


class GovernedStore(WebhookStore):
    """MLflow's registry below the catalog.

    Args:
        db_uri: MLflow's tables.
        governance: Asks the catalog.
        tracking: Where runs and logged models are looked up.
        layout: The lake's folders.
        lineage: Is told what versions were trained on.
        deployments: Knows the models' deployment jobs and their policies.
        activities: Keeps what is said of versions, and of their stages.
        hooks: Tells webhooks of the older form.
        tell: Is told what has become of models.
        served: Which endpoints serve a version of a model; see ``Served``.
    """

    def __init__(
        self,
        db_uri: str,
        governance: Governance,
        tracking: "GovernedTrackingStore",
        layout: Layout,
        lineage: ModelLineage,
        deployments: Deployments,
        activities: Activities,
        hooks: OlderWebhooks,
        tell: Callable[[ModelChange], None],
        served: Served,
    ) -> None:
        self._governance = governance
        self._lineage = lineage
        self._deployments = deployments
        self.activities = activities
        self.hooks = hooks
        self._tell = tell
        self._served = served
        self._tracking = tracking
        self._layout = layout
        super().__init__(db_uri)

    @classmethod
    def _get_or_create_engine(cls, db_uri: str) -> Engine:
        return engine_of(db_uri)

    @contextmanager
    def _as(self, name: str, privilege: Privilege | None) -> Generator[str]:
        """The canonical name, once the privilege was found; our errors leave as MLflow's."""
        with mlflow_errors():
            full_name = canonical(name)
            self.follow()
            self._governance.require(full_name, privilege)
            yield full_name

    def _get_search_model_versions_filter_clauses(self, parsed_filters: Any, dialect: Any) -> Any:
        return super()._get_search_model_versions_filter_clauses(_full_names(parsed_filters), dialect)

    def _get_search_registered_model_filter_query(self, session: Any, parsed_filters: Any, dialect: Any) -> Any:
        return super()._get_search_registered_model_filter_query(session, _full_names(parsed_filters), dialect)

    def follow(self) -> None:
        """Do here what was done to models in the catalog: it decides, and these tables follow before they are read."""
        self._governance.follow(self._change)

    def _change(self, old: str, new: str | None) -> None:
        """Rename a model, or remove it with its versions and their files; again it changes nothing more."""
        folder = artifacts.model_folder(self._layout, old)
        with suppress(NotFound), our_errors():
            if new is None:
                super().delete_registered_model(old)
            else:
                self._move(old, new)
        if new is None:
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.is_dir():
            target = artifacts.model_folder(self._layout, new)
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(target)

    def _move(self, old: str, new: str) -> None:
        super().get_registered_model(old)
        self._change(new, None)  # the name is this model's: the catalog says so
        super().rename_registered_model(old, new)
        with self.ManagedSessionMaker(read_only=False) as session:
            for row in session.query(SqlModelVersion).filter(SqlModelVersion.name == new):
                row.storage_location = artifacts.version_uri(new, row.version)


def _full_names(filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A parsed filter with full names where models of the default schema are named without it."""
    return [
        one | {"value": canonical(one["value"])}
        if one["type"] == "attribute"
        and one["key"] == "name"
        and one["comparator"] in {"=", "!="}
        and one["value"].strip()
        and "." not in one["value"]
        else one
        for one in filters
    ]
