"""Dashboards for the tests."""

import json
from typing import Any


def field(name: str, expression: str | None = None) -> dict[str, str]:
    """A field of a widget's query; without an expression the column of the name."""
    return {"name": name, "expression": expression or f"`{name}`"}


def widget(name: str, kind: str, encodings: dict[str, Any], *fields: dict[str, str], **more: Any) -> dict[str, Any]:
    """A widget with one query of the dataset `sales`."""
    asked = {
        "datasetName": more.get("dataset", "sales"),
        "fields": list(fields),
        "disaggregated": more.get("disaggregated", False),
    }
    asked |= {"parameters": more["parameters"]} if "parameters" in more else {}
    spec: dict[str, Any] = {"version": 3, "widgetType": kind, "encodings": encodings}
    spec["frame"] = {"showTitle": True, "title": more.get("title", name)}
    spec |= {"selection": {"defaultSelection": more["selection"]}} if "selection" in more else {}
    x, y, width, height = more.get("at", (0, 0, 2, 4))
    position = {"x": x, "y": y, "width": width, "height": height}
    return {"widget": {"name": name, "queries": [{"name": "main_query", "query": asked}], "spec": spec}, "position": position}


def text(name: str, *lines: str, at: tuple[int, int, int, int]) -> dict[str, Any]:
    """A text."""
    x, y, width, height = at
    return {
        "widget": {"name": name, "multilineTextboxSpec": {"lines": list(lines)}},
        "position": {"x": x, "y": y, "width": width, "height": height},
    }


def choice(name: str, kind: str, column: str, **more: Any) -> dict[str, Any]:
    """A filter on a column."""
    encodings = {"fields": [{"fieldName": column, "displayName": column, "queryName": "main_query"}]}
    counted = field(f"{column}_associativity", "COUNT_IF(`associative_filter_predicate_group`)")
    return widget(name, kind, encodings, field(column), counted, **more)


def sales(table: str, *extra: dict[str, Any]) -> str:
    """A dashboard of a table with `region`, `day`, `amount`."""
    numbers = {"fieldName": "sum(amount)", "scale": {"type": "quantitative"}, "displayName": "Amount"}
    region = {"fieldName": "region", "scale": {"type": "categorical"}, "displayName": "Region"}
    total, by = field("sum(amount)", "SUM(`amount`)"), field("region")
    month = field("monthly(day)", 'DATE_TRUNC("MONTH", `day`)')
    x = {"fieldName": "monthly(day)", "scale": {"type": "temporal"}, "displayName": "Month"}
    least = {
        "displayName": "least",
        "keyword": "least",
        "dataType": "DECIMAL",
        "defaultSelection": {"values": {"dataType": "DECIMAL", "values": [{"value": "0"}]}},
    }
    by_parameter = {"fields": [{"parameterName": "least", "queryName": "main_query"}]}
    columns = {"columns": [{"fieldName": one, "title": one.title()} for one in ("region", "day", "amount")]}
    plain = [field(one) for one in ("region", "day", "amount")]
    layout = [
        text("heading", "# Sales\n", "by *region* and month\n", at=(0, 0, 6, 2)),
        choice("regions", "filter-multi-select", "region", at=(0, 2, 2, 2)),
        choice("days", "filter-date-range-picker", "day", at=(2, 2, 2, 2)),
        widget(
            "floor", "filter-single-select", by_parameter, at=(4, 2, 2, 2), parameters=[{"name": "least", "keyword": "least"}]
        ),
        widget("total", "counter", {"value": numbers}, total, at=(0, 4, 1, 4), title="Total"),
        widget("bars", "bar", {"x": region, "y": numbers}, by, total, at=(1, 4, 2, 6)),
        widget("lines", "line", {"x": x, "y": numbers, "color": region}, month, by, total, at=(3, 4, 3, 6)),
        widget("pie", "pie", {"angle": numbers, "color": region}, by, total, at=(0, 10, 2, 6)),
        widget("rows", "table", columns, *plain, disaggregated=True, at=(2, 10, 4, 6)),
        *extra,
    ]
    dataset = {
        "name": "sales",
        "displayName": "Sales",
        "queryLines": [f"SELECT * FROM {table}\n", "WHERE amount >= :least -- all that counts"],
        "parameters": [least],
    }
    pages = [{"name": "p1", "displayName": "Overview", "layout": layout, "pageType": "PAGE_TYPE_CANVAS"}]
    return json.dumps({"datasets": [dataset], "pages": pages}, indent=2)
