"""The placeholders of owners' metrics, and what of such metrics can be checked before they are computed."""

import re
from collections.abc import Mapping

from boathouse.errors import InvalidParameterValue
from boathouse.monitoring.profiles.definition import TABLE, CustomMetric, Definition
from boathouse.monitoring.profiles.metric_tables import parse_type, reserved

PLACEHOLDER = re.compile(r"\{\{\s*(\w*)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_]\w{0,254}")
_BESIDE = "is the name of another column of the metric tables"


def check(definition: Definition, columns: Mapping[str, str]) -> None:
    """Go on only if the owner's metrics can be computed as far as one can see without doing it.

    Raises:
        InvalidParameterValue: If one cannot; it names the metric and the field.
    """
    taken = set(reserved(definition)) | {definition.model_id}
    for index, one in enumerate(definition.custom):
        where = f"custom_metrics.{index}"
        if not _NAME.fullmatch(one.name):
            message = f"{where}.name '{one.name[:100]}' is not valid: letters, digits and underscores, no digit first."
            raise InvalidParameterValue(message, field=f"{where}.name")
        if one.name in taken:
            message = f"{where}.name '{one.name}' {_BESIDE}. Choose another."
            raise InvalidParameterValue(message, field=f"{where}.name")
        taken.add(one.name)
        for name in one.input_columns:
            if name != TABLE and name.lower() not in columns:
                message = f"{where}.input_columns has '{name}', which is no column of the table. It has: {TABLE}, {', '.join(columns)}."
                raise InvalidParameterValue(message, field=f"{where}.input_columns")
        parse_type(one.type_text, f"{where}.output_data_type")
        known = names_in(definition, one, TABLE if TABLE in one.input_columns else one.input_columns[0])
        for name in PLACEHOLDER.findall(one.definition):
            if name not in known:
                message = f"{where}.definition has the placeholder '{name}'. Valid here: {', '.join(sorted(known))}."
                raise InvalidParameterValue(message, field=f"{where}.definition")


def names_in(definition: Definition, metric: CustomMetric, column: str) -> dict[str, str]:
    """The placeholders that a metric may have, and what they stand for."""
    if metric.kind == "DRIFT":
        return {"current_df": "current_df", "base_df": "base_df"}
    found = {
        "prediction_col": definition.prediction,
        "label_col": definition.label,
        "model_id_col": definition.model_id,
        "timestamp_col": definition.timestamp,
    }
    # Between backquotes, as most write it, or without.
    plain = {name: value for name, value in found.items() if value is not None}
    return plain if column == TABLE else {**plain, "input_column": column}
