"""The relations of ``information_schema`` and their columns, as Databricks documents them."""

from typing import TypeAlias

import pyarrow as pa

Fields: TypeAlias = tuple[tuple[str, pa.DataType], ...]

_TEXT, _NUMBER, _TIME = pa.string(), pa.int32(), pa.timestamp("us", tz="UTC")


def _fields(text: str) -> Fields:
    """Columns from a text: ``name`` is a string, ``name#`` a number, ``name@`` a time."""
    kinds = {"#": _NUMBER, "@": _TIME}
    return tuple((word.rstrip("#@"), kinds.get(word[-1], _TEXT)) for word in text.split())


_CHANGED = "created@ created_by last_altered@ last_altered_by"
_NUMERIC = (
    "character_maximum_length# character_octet_length numeric_precision# numeric_precision_radix# numeric_scale# "
    "datetime_precision# interval_type interval_precision# maximum_cardinality#"
)
_GRANT = "privilege_type is_grantable inherited_from"
_ROUTINE = "specific_catalog specific_schema specific_name"
_CONSTRAINT = "constraint_catalog constraint_schema constraint_name"
_TABLE = "table_catalog table_schema table_name"

RELATIONS: dict[str, Fields] = {
    name: _fields(text)
    for name, text in {
        "information_schema_catalog_name": "catalog_name",
        "catalogs": f"catalog_name catalog_owner comment {_CHANGED}",
        "schemata": f"catalog_name schema_name schema_owner comment {_CHANGED}",
        "tables": (
            f"{_TABLE} table_type is_insertable_into commit_action table_owner comment {_CHANGED} data_source_format "
            "storage_sub_directory storage_path"
        ),
        "columns": (
            f"{_TABLE} column_name ordinal_position# column_default is_nullable full_data_type data_type {_NUMERIC} "
            "is_identity identity_generation identity_start identity_increment identity_maximum identity_minimum "
            "identity_cycle is_generated generation_expression is_system_time_period_start is_system_time_period_end "
            "system_time_period_timestamp_generation is_updatable partition_ordinal_position# comment"
        ),
        "views": f"{_TABLE} view_definition check_option is_updatable is_insertable_into sql_path is_materialized",
        "table_constraints": f"{_CONSTRAINT} {_TABLE} constraint_type is_deferrable initially_deferred enforced comment",
        "key_column_usage": f"{_CONSTRAINT} {_TABLE} column_name ordinal_position# position_in_unique_constraint#",
        "constraint_column_usage": f"{_TABLE} column_name {_CONSTRAINT}",
        "constraint_table_usage": f"{_CONSTRAINT} {_TABLE}",
        "referential_constraints": (
            f"{_CONSTRAINT} unique_constraint_catalog unique_constraint_schema unique_constraint_name match_option "
            "update_rule delete_rule"
        ),
        "catalog_privileges": f"grantor grantee catalog_name {_GRANT}",
        "schema_privileges": f"grantor grantee catalog_name schema_name {_GRANT}",
        "table_privileges": f"grantor grantee {_TABLE} {_GRANT}",
        "volume_privileges": f"grantor grantee volume_catalog volume_schema volume_name {_GRANT}",
        "routine_privileges": f"grantor grantee {_ROUTINE} routine_catalog routine_schema routine_name {_GRANT}",
        "routines": (
            f"{_ROUTINE} routine_catalog routine_schema routine_name routine_type data_type full_data_type "
            f"{_NUMERIC} routine_body routine_definition external_name external_language parameter_style is_deterministic "
            f"sql_data_access is_null_call sql_path security_type as_locator comment {_CHANGED}"
        ),
        "parameters": (
            f"{_ROUTINE} ordinal_position# parameter_mode is_result as_locator parameter_name data_type full_data_type "
            f"{_NUMERIC} parameter_default comment"
        ),
        "routine_columns": f"{_ROUTINE} ordinal_position# column_name data_type full_data_type {_NUMERIC} comment",
        "volumes": f"volume_catalog volume_schema volume_name volume_type volume_owner comment storage_location {_CHANGED}",
        "catalog_tags": "catalog_name tag_name tag_value",
        "schema_tags": "catalog_name schema_name tag_name tag_value",
        "table_tags": "catalog_name schema_name table_name tag_name tag_value",
        "column_tags": "catalog_name schema_name table_name column_name tag_name tag_value",
        "volume_tags": "catalog_name schema_name volume_name tag_name tag_value",
        "row_filters": "catalog_name schema_name table_name filter_catalog filter_schema filter_name filter_col_usage",
        "column_masks": ("catalog_name schema_name table_name column_name mask_catalog mask_schema mask_name mask_col_usage"),
    }.items()
}
