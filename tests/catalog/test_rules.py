"""Views, functions, policies and constraints: the rules, on both databases."""

import pytest

from boathouse.catalog.api import (
    Parameter,
    Policy,
    Privilege,
    PrivilegeMissing,
    SecurableExists,
    SecurableNotFound,
    SecurableType,
)
from boathouse.catalog.errors import ColumnInUse, ConstraintExists, ConstraintInUse, FunctionInUse, InvalidName
from boathouse.catalog.info import is_literal
from boathouse.errors import InvalidParameterValue, InvalidState
from tests.catalog.lake import COLUMNS, Lake

TABLE, SCHEMA, CATALOG, FUNCTION = SecurableType.TABLE, SecurableType.SCHEMA, SecurableType.CATALOG, SecurableType.FUNCTION


def function(lake: Lake, name: str, *parameters: str, returns: str = "BOOLEAN", replace: bool = False) -> str:
    with lake.catalog() as catalog:
        made = catalog.create_function(
            f"main.default.{name}",
            parameters=[Parameter(one, "string") for one in parameters],
            return_type=returns,
            language="sql",
            body="true",
            replace=replace,
        )
    return made.full_name


class TestViews:
    def test_a_view_is_a_table_without_files(self, lake: Lake) -> None:
        with lake.catalog() as catalog:
            made = catalog.create_view("main.default.v", definition="SELECT 1 AS a", columns=[{"name": "a"}], comment="c")
            assert (made.table_type, made.storage_location, made.data_source_format) == ("VIEW", "", "")
            assert made.is_view
            assert [info.view_definition for info in catalog.list_tables("main", "default")] == ["SELECT 1 AS a"]
            with pytest.raises(SecurableExists):
                catalog.create_view("main.default.v", definition="SELECT 2", columns=[])
            again = catalog.create_view("main.default.v", definition="SELECT 2", columns=[], replace=True)
            assert (again.id, again.view_definition, again.comment) == (made.id, "SELECT 2", None)
            with pytest.raises(InvalidParameterValue, match="empty"):
                catalog.create_view("main.default.w", definition=" ", columns=[])
            catalog.delete_table("main.default.v")
            assert catalog.list_dropped("main.default") == []

    def test_a_view_does_not_replace_a_table(self, lake: Lake) -> None:
        lake.table()
        with lake.catalog() as catalog, pytest.raises(SecurableExists):
            catalog.create_view("main.default.t", definition="SELECT 1", columns=[], replace=True)

    def test_making_needs_create_table_and_replacing_manage(self, lake: Lake) -> None:
        lake.enter()
        with pytest.raises(PrivilegeMissing, match="CREATE TABLE"), lake.catalog(lake.user) as catalog:
            catalog.create_view("main.default.v", definition="SELECT 1", columns=[])
        lake.grant(SCHEMA, "main.default", "CREATE TABLE")
        with lake.catalog(lake.user) as catalog:
            catalog.create_view("main.default.v", definition="SELECT 1", columns=[])
        with pytest.raises(PrivilegeMissing, match="MANAGE"), lake.catalog(lake.other) as catalog:
            catalog.create_view("main.default.v", definition="SELECT 2", columns=[], replace=True)


class TestFunctions:
    def test_a_function_comes_back_as_it_was_made(self, lake: Lake) -> None:
        with lake.catalog() as catalog:
            made = catalog.create_function(
                "main.default.Area",
                parameters=[Parameter("w", "double", comment="width"), Parameter("h", "double", default="1.0")],
                return_type="DOUBLE",
                language="PYTHON",
                body="return w * h",
                is_deterministic=True,
                comment="of a rectangle",
            )
            assert catalog.get_function("main.default.area") == made
            assert catalog.list_functions("main", "default") == [made]
            assert (made.name, made.language, made.is_table) == ("area", "PYTHON", False)
            assert made.parameters[1] == Parameter("h", "double", "1.0")

    def test_a_table_function(self, lake: Lake) -> None:
        with lake.catalog() as catalog:
            made = catalog.create_function(
                "main.default.f",
                parameters=[],
                return_type="TABLE",
                return_columns=[("a", "int")],
                language="SQL",
                body="SELECT 1",
            )
            assert (made.is_table, made.return_columns) == (True, (("a", "int"),))

    @pytest.mark.parametrize(
        ("values", "what"),
        [
            ({"language": "COBOL"}, "Valid: SQL, PYTHON"),
            ({"body": " "}, "no body"),
            ({"return_type": ""}, "return type"),
            ({"return_columns": [("a", "int")]}, "return_params"),
            ({"parameters": [Parameter("a", "int"), Parameter("A", "int")]}, "no other has"),
        ],
    )
    def test_what_is_wrong_is_named(self, lake: Lake, values: dict[str, object], what: str) -> None:
        good = {"parameters": [], "return_type": "INT", "language": "SQL", "body": "1"}
        with lake.catalog() as catalog, pytest.raises(InvalidParameterValue, match=what):
            catalog.create_function("main.default.f", **(good | values))

    def test_privileges(self, lake: Lake) -> None:
        lake.enter()
        name = function(lake, "f")
        with lake.catalog(lake.user) as catalog:
            with pytest.raises(PrivilegeMissing, match="EXECUTE"):
                catalog.get_function(name)
            with pytest.raises(PrivilegeMissing, match="BROWSE"):
                catalog.get_function(name, None)
            with pytest.raises(PrivilegeMissing, match="CREATE FUNCTION"):
                catalog.create_function("main.default.g", parameters=[], return_type="INT", language="SQL", body="1")
            with pytest.raises(PrivilegeMissing, match="MANAGE"):
                catalog.delete_function(name)
            assert catalog.list_functions("main", "default") == []
        lake.grant(FUNCTION, name, "EXECUTE")
        with lake.catalog(lake.user) as catalog:
            assert catalog.get_function(name).full_name == name

    def test_a_function_and_a_model_do_not_share_a_name(self, lake: Lake) -> None:
        name = function(lake, "f")
        with lake.catalog() as catalog:
            with pytest.raises(SecurableExists):
                catalog.register_model(name)
            catalog.register_model("main.default.m")
            with pytest.raises(SecurableExists):
                catalog.create_function("main.default.m", parameters=[], return_type="INT", language="SQL", body="1")
            assert catalog.kind_of("FUNCTION", "main.default.m") is SecurableType.MODEL
            assert catalog.kind_of("function", name) is FUNCTION


class TestPolicies:
    def test_a_row_filter_and_a_mask(self, lake: Lake) -> None:
        lake.table()
        keep, hide = function(lake, "keep", "region", "limit"), function(lake, "hide", "value", "who", returns="string")
        with lake.catalog() as catalog:
            filtered = catalog.set_row_filter("main.default.t", Policy(keep, ("REGION", "'EU'")))
            assert filtered.row_filter == Policy(keep, ("region", "'EU'"))
            masked = catalog.set_column_mask("main.default.t", "Region", Policy(hide, ("id",)))
            assert masked.column_masks == {"region": Policy(hide, ("id",))}
            assert masked.row_filter == filtered.row_filter
            assert catalog.set_row_filter("main.default.t", None).row_filter is None
            assert catalog.set_column_mask("main.default.t", "REGION", None).column_masks == {}

    @pytest.mark.parametrize(
        ("policy", "what"),
        [
            (Policy("main.default.text", ("region",)), "has to return BOOLEAN"),
            (Policy("main.default.keep", ()), "takes 1 arguments"),
            (Policy("main.default.keep", ("nothing",)), "no column 'nothing'"),
            (Policy("main.default.rows", ()), "answers a table"),
        ],
    )
    def test_what_does_not_fit_is_named(self, lake: Lake, policy: Policy, what: str) -> None:
        lake.table()
        function(lake, "keep", "region")
        function(lake, "text", "region", returns="string")
        function(lake, "rows", returns="TABLE_TYPE")
        with lake.catalog() as catalog, pytest.raises(InvalidParameterValue, match=what):
            catalog.set_row_filter("main.default.t", policy)

    @pytest.mark.parametrize(
        ("column", "returns", "what"),
        [
            ("id", "string", "returns STRING; a column mask of id has to return what fits into BIGINT"),
            ("id", "double", "fits into BIGINT"),
            ("at", "int", "fits into TIMESTAMP"),
            ("id", "int", None),
            ("region", "decimal(10, 2)", None),
            ("at", "date", None),
        ],
    )
    def test_a_mask_returns_what_its_column_holds(self, lake: Lake, column: str, returns: str, what: str | None) -> None:
        lake.table()
        hide = Policy(function(lake, "hide", "value", returns=returns))
        with lake.catalog() as catalog:
            if what is None:
                assert column in catalog.set_column_mask("main.default.t", column, hide).column_masks
            else:
                with pytest.raises(InvalidParameterValue, match=what):
                    catalog.set_column_mask("main.default.t", column, hide)

    def test_a_function_takes_what_the_columns_hold(self, lake: Lake) -> None:
        lake.table()
        with lake.catalog() as catalog:
            catalog.create_function(
                "main.default.few", parameters=[Parameter("n", "int")], return_type="BOOLEAN", language="SQL", body="n < 9"
            )
            with pytest.raises(InvalidParameterValue, match="Column 'region' is STRING; the parameter n of function"):
                catalog.set_row_filter("main.default.t", Policy("main.default.few", ("region",)))

    def test_the_function_has_to_exist_and_a_view_has_none(self, lake: Lake) -> None:
        lake.table()
        with lake.catalog() as catalog:
            with pytest.raises(SecurableNotFound):
                catalog.set_row_filter("main.default.t", Policy("main.default.gone"))
            with pytest.raises(InvalidParameterValue, match="no column 'x'"):
                catalog.set_column_mask("main.default.t", "x", Policy("main.default.gone"))
            catalog.create_view("main.default.v", definition="SELECT 1", columns=[])
            with pytest.raises(InvalidState, match="is a view"):
                catalog.set_row_filter("main.default.v", None)

    def test_binding_needs_manage_and_execute(self, lake: Lake) -> None:
        lake.enter()
        lake.table()
        keep = function(lake, "keep", "region")
        lake.grant(TABLE, "main.default.t", "SELECT", "MODIFY", "ALL PRIVILEGES")
        with pytest.raises(PrivilegeMissing, match="MANAGE"), lake.catalog(lake.user) as catalog:
            catalog.set_row_filter("main.default.t", Policy(keep, ("region",)))
        lake.grant(TABLE, "main.default.t", "MANAGE")
        with pytest.raises(PrivilegeMissing, match="EXECUTE"), lake.catalog(lake.user) as catalog:
            catalog.set_row_filter("main.default.t", Policy(keep, ("region",)))

    def test_a_function_in_use_stays(self, lake: Lake) -> None:
        lake.table()
        keep = function(lake, "keep", "region")
        with lake.catalog() as catalog:
            catalog.set_row_filter("main.default.t", Policy(keep, ("region",)))
            with pytest.raises(FunctionInUse, match=r"main\.default\.t"):
                catalog.delete_function(keep)
        with pytest.raises(FunctionInUse):
            function(lake, "keep", "region", "more", replace=True)
        function(lake, "keep", "region", replace=True)
        with lake.catalog() as catalog:
            catalog.set_row_filter("main.default.t", None)
            catalog.delete_function(keep)

    @pytest.mark.parametrize("text", ["'a'", "'it''s'", "1", "-2.5e3", ".5", "TRUE", "null", r"'\''"])
    def test_literals(self, text: str) -> None:
        assert is_literal(text)

    @pytest.mark.parametrize("text", ["a", "'a' OR 'b'", "1 + 1", "'a", "f()", "true_column", "`1`"])
    def test_what_is_no_literal(self, text: str) -> None:
        assert not is_literal(text)


PRIMARY = {"primary_key_constraint": {"name": "pk", "child_columns": ["ID", "at"], "timeseries_columns": ["at"]}}


def foreign(**changes: object) -> dict[str, object]:
    value = {"name": "fk", "child_columns": ["id", "at"], "parent_table": "main.default.t", "parent_columns": ["id", "at"]}
    return {"foreign_key_constraint": value | changes}


class TestConstraints:
    def test_keys(self, lake: Lake) -> None:
        lake.table("t")
        lake.table("child")
        with lake.catalog() as catalog:
            made = catalog.create_constraint("main.default.t", PRIMARY)
            assert made == {
                "primary_key_constraint": {"name": "pk", "child_columns": ["id", "at"], "timeseries_columns": ["at"]}
            }
            catalog.create_constraint("main.default.child", foreign())
            assert catalog.get_table("main.default.t").constraints == (made,)
            with pytest.raises(ConstraintExists):
                catalog.create_constraint("main.default.t", {"primary_key_constraint": {"name": "b", "child_columns": ["id"]}})
            with pytest.raises(ConstraintInUse, match=r"main\.default\.child"):
                catalog.delete_constraint("main.default.t", "pk")
            catalog.delete_constraint("main.default.t", "PK", cascade=True)
            assert catalog.get_table("main.default.child").constraints == ()

    @pytest.mark.parametrize(
        ("constraint", "what"),
        [
            ({"primary_key_constraint": {"name": "a", "child_columns": ["nothing"]}}, "'nothing' is not a column"),
            ({"primary_key_constraint": {"name": "a", "child_columns": []}}, "name each column once"),
            ({"primary_key_constraint": {"name": "", "child_columns": ["id"]}}, "no name"),
            (
                {"primary_key_constraint": {"name": "a", "child_columns": ["id"], "timeseries_columns": ["at"]}},
                "timeseries_columns",
            ),
            ({"primary_key_constraint": {"name": "a", "child_columns": ["id", "region"]}}, "child column.* region may be NULL"),
            (
                {"primary_key_constraint": {"name": "a", "child_columns": ["list"]}},
                r"list \(array<int>\) cannot be in a primary key",
            ),
            (foreign(child_columns=["at", "id"]), "at is TIMESTAMP, and id of 'main.default.t', which it points to, is BIGINT"),
            (foreign(child_columns=["id"]), "primary key of"),
            (foreign(parent_columns=["at", "id"]), "primary key of"),
            (foreign(parent_table="main.default.other"), "no primary key"),
            ({}, "give one of"),
            ({**PRIMARY, **foreign()}, "give one of"),
        ],
    )
    def test_what_is_wrong_is_named(self, lake: Lake, constraint: dict[str, object], what: str) -> None:
        for name in ("t", "other", "child"):
            lake.table(name, [*COLUMNS, {"name": "list", "type_name": "ARRAY", "type_text": "array<int>", "nullable": False}])
        with lake.catalog() as catalog:
            catalog.create_constraint("main.default.t", PRIMARY)
            with pytest.raises(InvalidParameterValue, match=what):
                catalog.create_constraint("main.default.child", constraint)

    def test_a_dropped_parent_takes_the_keys_that_point_to_it(self, lake: Lake) -> None:
        lake.table("t")
        lake.table("child")
        with lake.catalog() as catalog:
            catalog.create_constraint("main.default.t", PRIMARY)
            catalog.create_constraint("main.default.child", foreign())
            catalog.delete_table("main.default.t")
            assert catalog.get_table("main.default.child").constraints == ()

    def test_only_who_manages_the_table(self, lake: Lake) -> None:
        lake.enter()
        lake.table()
        lake.grant(TABLE, "main.default.t", "MODIFY")
        with lake.catalog(lake.user) as catalog:
            with pytest.raises(PrivilegeMissing, match="MANAGE"):
                catalog.create_constraint("main.default.t", PRIMARY)
            with pytest.raises(PrivilegeMissing, match="MANAGE"):
                catalog.delete_constraint("main.default.t", "pk")


class TestColumns:
    def test_what_names_a_column_follows_its_new_name(self, lake: Lake) -> None:
        lake.table("t")
        lake.table("child")
        keep, hide = function(lake, "keep", "region"), function(lake, "hide", "value", "who", returns="string")
        with lake.catalog() as catalog:
            catalog.create_constraint("main.default.t", PRIMARY)
            catalog.create_constraint("main.default.child", foreign())
            catalog.set_row_filter("main.default.t", Policy(keep, ("region",)))
            catalog.set_column_mask("main.default.t", "region", Policy(hide, ("id",)))
            catalog.create_tag(TABLE, "main.default.t", "pii", "yes", "region")
            catalog.rename_column("main.default.t", "region", "area")
            info = catalog.rename_column("main.default.t", "id", "number")
            assert info.row_filter == Policy(keep, ("area",))
            assert info.column_masks == {"area": Policy(hide, ("number",))}
            assert info.constraints[0]["primary_key_constraint"]["child_columns"] == ["number", "at"]
            child = catalog.get_table("main.default.child").constraints[0]["foreign_key_constraint"]
            assert (child["parent_columns"], child["child_columns"]) == (["number", "at"], ["id", "at"])
            assert catalog.get_column_tags("main.default.t") == {"area": {"pii": "yes"}}

    def test_a_column_that_is_needed_is_not_dropped(self, lake: Lake) -> None:
        lake.table()
        hide = function(lake, "hide", "value", returns="string")
        with lake.catalog() as catalog:
            catalog.set_column_mask("main.default.t", "region", Policy(hide))
            with pytest.raises(ColumnInUse, match="mask of region"):
                catalog.drop_column("main.default.t", "REGION")
            assert [column["name"] for column in catalog.drop_column("main.default.t", "at").columns] == ["id", "region"]


class TestNames:
    def test_what_lies_in_a_renamed_catalog_follows(self, lake: Lake) -> None:
        lake.table("t")
        lake.table("gone")
        keep = function(lake, "keep", "region")
        lake.enter()
        lake.grant(TABLE, "main.default.t", "SELECT")
        with lake.catalog() as catalog:
            catalog.create_constraint("main.default.t", PRIMARY)
            lake_table = catalog.get_table("main.default.t")
            catalog.set_row_filter("main.default.t", Policy(keep, ("region",)))
            catalog.create_schema("main", "other")
            catalog.delete_table("main.default.gone")
            catalog.rename(CATALOG, "main", "prod")
            catalog.rename(SCHEMA, "prod.default", "sales")
            catalog.rename(FUNCTION, "prod.sales.keep", "kept")
            info = catalog.rename(TABLE, "prod.sales.t", "prod.sales.orders")
            assert (info.full_name, info.id) == ("prod.sales.orders", lake_table.id)
            moved = catalog.get_table("prod.sales.orders")
            assert moved.row_filter == Policy("prod.sales.kept", ("region",))
            assert moved.storage_location == lake_table.storage_location
            assert [info.name for info in catalog.list_schemas("prod")] == ["other", "sales"]
            assert [one.full_name for one in catalog.list_dropped("prod.sales")] == ["prod.sales.gone"]
            assert catalog.undrop_table("prod.sales.gone").full_name == "prod.sales.gone"
            with pytest.raises(SecurableNotFound):
                catalog.get_table("main.default.t")
        with lake.catalog(lake.user) as catalog:
            assert catalog.get_table("prod.sales.orders").name == "orders"

    def test_foreign_keys_follow(self, lake: Lake) -> None:
        lake.table("t")
        lake.table("child")
        with lake.catalog() as catalog:
            catalog.create_constraint("main.default.t", PRIMARY)
            catalog.create_constraint("main.default.child", foreign())
            catalog.rename(TABLE, "main.default.t", "parent")
            child = catalog.get_table("main.default.child").constraints[0]["foreign_key_constraint"]
            assert child["parent_table"] == "main.default.parent"

    @pytest.mark.parametrize(
        ("new_name", "error"),
        [("u", SecurableExists), ("a b", InvalidName), ("main.other.t", InvalidName), ("", InvalidName)],
    )
    def test_names_that_do_not_go(self, lake: Lake, new_name: str, error: type[Exception]) -> None:
        lake.table("t")
        lake.table("u")
        with pytest.raises(error), lake.catalog() as catalog:
            catalog.rename(TABLE, "main.default.t", new_name)

    def test_what_became_of_models_is_told_once_and_in_order(self, lake: Lake) -> None:
        told: list[tuple[str, str | None]] = []

        def fail(_old: str, _new: str | None) -> None:
            message = "not now"
            raise OSError(message)

        with lake.catalog() as catalog:
            for name in ("m", "gone"):
                catalog.register_model(f"main.default.{name}")
            catalog.rename(SecurableType.MODEL, "main.default.m", "n")
            catalog.delete_model("main.default.gone")
            catalog.rename(CATALOG, "main", "prod")
        with pytest.raises(OSError, match="not now"), lake.catalog() as catalog:
            catalog.follow_model_changes(fail)
        with lake.catalog() as catalog:
            catalog.delete_container(SCHEMA, "prod.default", force=True)
            catalog.follow_model_changes(lambda old, new: told.append((old, new)))
            assert not catalog.has_model_changes()
        renamed = [("main.default.m", "main.default.n"), ("main.default.gone", None), ("main.default.n", "prod.default.n")]
        assert told == [*renamed, ("prod.default.n", None)]

    def test_renaming_needs_manage(self, lake: Lake) -> None:
        lake.enter()
        lake.table()
        lake.grant(TABLE, "main.default.t", "ALL PRIVILEGES")
        with pytest.raises(PrivilegeMissing, match="MANAGE"), lake.catalog(lake.user) as catalog:
            catalog.rename(TABLE, "main.default.t", "u")

    def test_reserved_names(self, lake: Lake) -> None:
        with lake.catalog() as catalog:
            with pytest.raises(InvalidName, match="server's own"):
                catalog.create_catalog("SYSTEM")
            with pytest.raises(InvalidName, match="server's own"):
                catalog.create_schema("main", "information_schema")


class TestPrivileges:
    def test_all_privileges_is_not_all(self, lake: Lake) -> None:
        lake.table()
        lake.grant(CATALOG, "main", "ALL PRIVILEGES")
        with lake.catalog(lake.user) as catalog:
            for privilege in (Privilege.SELECT, Privilege.APPLY_TAG):
                catalog.reach(TABLE, "main.default.t", privilege)
            for privilege in (Privilege.EXTERNAL_USE_SCHEMA, Privilege.MANAGE):
                with pytest.raises(PrivilegeMissing, match=privilege.value):
                    catalog.reach(SCHEMA, "main.default", privilege)

    @pytest.mark.parametrize(
        ("text", "kind"),
        [("EXTERNAL LOCATION", "external_location"), ("external-location", "external_location"), ("View", "table")],
    )
    def test_kinds_have_other_names(self, text: str, kind: str) -> None:
        assert SecurableType.parse(text) == kind

    def test_unknown_names(self) -> None:
        assert SecurableType.parse("planet") is None
        assert Privilege.parse("FLY") is None
        assert Privilege.parse("create_external  table") is Privilege.CREATE_EXTERNAL_TABLE
