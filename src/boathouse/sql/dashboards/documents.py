"""What a dashboard's file says: datasets, and pages of widgets. Fields that only draw are the page's."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boathouse.sql.errors import ObjectInvalid

MOST_BYTES = 10_000_000
EMPTY = json.dumps({"datasets": [], "pages": [{"name": "page1", "displayName": "Page 1", "layout": []}]}, indent=2)
GLOBAL = "PAGE_TYPE_GLOBAL_FILTERS"
FILTER = "filter-"
RANGE = "range-slider"


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class ParameterPart(_Part):
    """A parameter of a dataset: ``:keyword`` in its text."""

    keyword: str
    dataType: str = "STRING"
    complexType: str | None = None
    defaultSelection: dict[str, Any] | None = None


class DatasetPart(_Part):
    """A query by a name of its own."""

    name: str
    displayName: str | None = None
    query: str | None = None
    queryLines: list[str] | None = None
    catalog: str | None = None
    schema_name: str | None = Field(default=None, alias="schema")
    parameters: list[ParameterPart] | None = None

    @property
    def text(self) -> str:
        """The text of the query."""
        return self.query if self.query is not None else "".join(self.queryLines or ())


class FieldPart(_Part):
    """What a widget asks of a dataset, by the name that its encodings have for it."""

    name: str
    expression: str


class NamedPart(_Part):
    """A parameter that a filter sets."""

    name: str
    keyword: str


class AskedPart(_Part):
    """What a widget asks of one dataset."""

    datasetName: str
    fields: list[FieldPart] = Field(default_factory=list[FieldPart])
    parameters: list[NamedPart] = Field(default_factory=list[NamedPart])
    disaggregated: bool = False


class QueryPart(_Part):
    """A widget's query, by the name that its spec has for it."""

    name: str
    query: AskedPart


class SpecPart(_Part):
    """How a widget is drawn."""

    widgetType: str = ""
    encodings: dict[str, Any] = Field(default_factory=dict[str, Any])
    frame: dict[str, Any] = Field(default_factory=dict[str, Any])
    selection: dict[str, Any] | None = None


class WidgetPart(_Part):
    """A widget."""

    name: str
    queries: list[QueryPart] = Field(default_factory=list[QueryPart])
    spec: SpecPart | None = None

    @property
    def is_filter(self) -> bool:
        """Whether it chooses what others show."""
        return self.spec is not None and (self.spec.widgetType.startswith(FILTER) or self.spec.widgetType == RANGE)

    @property
    def title(self) -> str:
        """What people call it."""
        return str((self.spec.frame.get("title") if self.spec else None) or self.name)


class PlacedPart(_Part):
    """A widget and where it is."""

    widget: WidgetPart
    position: dict[str, int] = Field(default_factory=dict[str, int])


class PagePart(_Part):
    """A page."""

    name: str
    displayName: str | None = None
    layout: list[PlacedPart] = Field(default_factory=list[PlacedPart])
    pageType: str | None = None


class Document(_Part):
    """A dashboard."""

    datasets: list[DatasetPart] = Field(default_factory=list[DatasetPart])
    pages: list[PagePart] = Field(default_factory=list[PagePart])

    def dataset(self, name: str) -> DatasetPart | None:
        """A dataset by its name."""
        return next((one for one in self.datasets if one.name == name), None)

    def widgets(self) -> Iterator[tuple[PagePart, WidgetPart]]:
        """All widgets, each with its page."""
        for page in self.pages:
            for placed in page.layout:
                yield page, placed.widget

    def widget(self, page: str, name: str) -> WidgetPart | None:
        """A widget of a page."""
        return next((widget for at, widget in self.widgets() if (at.name, widget.name) == (page, name)), None)

    def filters(self, page: str) -> Iterator[WidgetPart]:
        """The filters that act on a page."""
        for at, widget in self.widgets():
            if widget.is_filter and (at.name == page or at.pageType == GLOBAL):
                yield widget


def parsed(text: str, where: str = "serialized_dashboard") -> Document:
    """A dashboard by what its file holds.

    Raises:
        ObjectInvalid: If that is no dashboard; it says where.
    """
    if len(text) > MOST_BYTES:
        raise ObjectInvalid(where, f"has {len(text)} characters. At most {MOST_BYTES} are taken.")
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ObjectInvalid(where, f"is no JSON: {error}.") from error
    try:
        document = Document.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(one) for one in first["loc"])
        raise ObjectInvalid(f"{where}.{place}" if place else where, f"is not valid: {first['msg']}.") from error
    _check(document, where)
    return document


def with_defaults(text: str, catalog: str | None, schema: str | None) -> str:
    """A dashboard's file with the catalog and schema that are current for all of its datasets; None leaves what they say themselves.

    Raises:
        ObjectInvalid: If it is none.
    """
    if catalog is None and schema is None:
        return text
    parsed(text)
    document = json.loads(text)
    given = {name: value for name, value in (("catalog", catalog), ("schema", schema)) if value is not None}
    document["datasets"] = [{**dataset, **given} for dataset in document.get("datasets", [])]
    return json.dumps(document, indent=2, ensure_ascii=False)


def _check(document: Document, where: str) -> None:
    names: set[str] = set()
    for number, dataset in enumerate(document.datasets):
        if dataset.name in names:
            raise ObjectInvalid(f"{where}.datasets.{number}.name", f"is '{dataset.name}', as another dataset's already is.")
        names.add(dataset.name)
    for number, page in enumerate(document.pages):
        if sum(one.name == page.name for one in document.pages) > 1:
            raise ObjectInvalid(f"{where}.pages.{number}.name", f"is '{page.name}', as another page's is.")
        for at, placed in enumerate(page.layout):
            for query in placed.widget.queries:
                if query.query.datasetName not in names:
                    told = ", ".join(sorted(names)) or "none"
                    field = f"{where}.pages.{number}.layout.{at}.widget.queries.{query.name}.datasetName"
                    raise ObjectInvalid(field, f"is '{query.query.datasetName}'. The dashboard's datasets: {told}.")
