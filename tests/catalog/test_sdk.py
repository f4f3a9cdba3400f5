"""The catalog as databricks-sdk calls it, against a real server on both databases."""

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog as uc

from boathouse.catalog.info import Policy, TableInfo
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.schemas import TableBody
from tests.catalog.conftest import UC, Place
from tests.catalog.test_grants import staged_table


def new_function(place: Place, name: str = "f", body: str = "x > 1") -> uc.FunctionInfo:
    parameter = uc.FunctionParameterInfo(name="x", type_text="int", type_name=uc.ColumnTypeName.INT, position=0)
    return place.sdk().functions.create(
        uc.CreateFunction(
            name=name,
            catalog_name=place.catalog,
            schema_name=place.schema,
            input_params=uc.FunctionParameterInfos(parameters=[parameter]),
            data_type=uc.ColumnTypeName.BOOLEAN,
            full_data_type="BOOLEAN",
            routine_body=uc.CreateFunctionRoutineBody.SQL,
            routine_definition=body,
            parameter_style=uc.CreateFunctionParameterStyle.S,
            is_deterministic=True,
            sql_data_access=uc.CreateFunctionSqlDataAccess.CONTAINS_SQL,
            is_null_call=True,
            security_type=uc.CreateFunctionSecurityType.DEFINER,
            specific_name=name,
            comment="of the tests",
        )
    )


class TestFunctions:
    def test_functions_are_made_read_listed_changed_and_deleted(self, place: Place) -> None:
        sdk, full = place.sdk(), place.full
        made = new_function(place)
        assert (made.full_name, made.data_type, made.routine_definition) == (f"{full}.f", uc.ColumnTypeName.BOOLEAN, "x > 1")
        assert sdk.functions.get(f"{full}.f") == made
        new_function(place, "g")
        assert [one.name for one in sdk.functions.list(place.catalog, place.schema, max_results=1)] == ["f", "g"]
        assert sdk.functions.update(f"{full}.f", owner=place.user_name).owner == place.user_name
        renamed = place.admin.patch(f"{UC}/functions/{full}.f", json={"new_name": "h"}).json()
        assert renamed["full_name"] == f"{full}.h"
        sdk.functions.delete(f"{full}.h")
        with pytest.raises(errors.NotFound):
            sdk.functions.get(f"{full}.h")
        with pytest.raises(errors.ResourceConflict):
            new_function(place, "g")

    def test_who_may(self, place: Place) -> None:
        new_function(place)
        user, full = place.sdk(as_user=True), place.full
        for call in (lambda: user.functions.get(f"{full}.f"), lambda: user.functions.delete(f"{full}.f")):
            with pytest.raises(errors.PermissionDenied):
                call()
        place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA")
        assert list(user.functions.list(place.catalog, place.schema)) == []
        place.grant("function", f"{full}.f", "EXECUTE")
        assert user.functions.get(f"{full}.f").routine_definition == "x > 1"
        assert place.nobody.get(f"{UC}/functions/{full}.f").status_code == 401
        body = {"function_info": {"name": "x", "catalog_name": place.catalog, "schema_name": "s", "routine_definition": "1"}}
        assert place.user.post(f"{UC}/functions", json=body).status_code == 403
        wrong = place.admin.post(f"{UC}/functions", json=body)
        assert (wrong.status_code, wrong.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")

    def test_browse_shows_no_body(self, place: Place) -> None:
        new_function(place)
        place.grant("catalog", place.catalog, "BROWSE")
        shown = place.user.get(f"{UC}/functions/{place.full}.f").json()
        assert (shown["browse_only"], "routine_definition" in shown) == (True, False)
        query = {"catalog_name": place.catalog, "schema_name": place.schema, "include_browse": "false"}
        assert place.user.get(f"{UC}/functions", params=query).json()["functions"] == []


class TestViewsAndConstraints:
    def test_a_view_over_rest(self, place: Place) -> None:
        body = {
            "name": "v",
            "catalog_name": place.catalog,
            "schema_name": place.schema,
            "table_type": "VIEW",
            "view_definition": "SELECT 1 AS a",
            "columns": [{"name": "a", "type_text": "int", "type_name": "INT", "position": 0}],
        }
        place.admin.post(f"{UC}/tables", json=body).raise_for_status()
        view = place.sdk().tables.get(f"{place.full}.v")
        assert (view.table_type, view.view_definition, view.storage_location) == (uc.TableType.VIEW, "SELECT 1 AS a", None)
        (listed,) = place.sdk().tables.list(place.catalog, place.schema)
        assert listed.view_definition == "SELECT 1 AS a"
        assert place.user.get(f"{UC}/tables/{place.full}.v").status_code == 403
        place.grant("table", f"{place.full}.v", "BROWSE")
        shown = place.user.get(f"{UC}/tables/{place.full}.v").json()
        assert (shown["browse_only"], "view_definition" in shown) == (True, False)
        hidden = place.user.get(f"{UC}/tables/{place.full}.v", params={"include_browse": "false"})
        assert hidden.status_code == 403

    def test_keys(self, place: Place) -> None:
        sdk = place.sdk()
        parent, child = staged_table(place, "parent"), staged_table(place, "child")
        primary = uc.PrimaryKeyConstraint(name="pk", child_columns=["id"], timeseries_columns=["id"])
        made = sdk.table_constraints.create(parent, uc.TableConstraint(primary_key_constraint=primary))
        assert made.primary_key_constraint == primary
        foreign = uc.ForeignKeyConstraint(name="fk", child_columns=["id"], parent_table=parent, parent_columns=["id"])
        sdk.table_constraints.create(child, uc.TableConstraint(foreign_key_constraint=foreign))
        shown = sdk.tables.get(child).table_constraints
        assert shown is not None
        assert shown[0].foreign_key_constraint == foreign
        with pytest.raises(errors.BadRequest, match="cascade"):
            sdk.table_constraints.delete(parent, "pk", cascade=False)
        sdk.table_constraints.delete(parent, "pk", cascade=True)
        assert sdk.tables.get(child).table_constraints == []
        with pytest.raises(errors.NotFound):
            sdk.table_constraints.delete(parent, "pk", cascade=False)
        with pytest.raises(errors.PermissionDenied):
            place.sdk(as_user=True).table_constraints.delete(parent, "pk", cascade=False)
        assert place.nobody.post(f"{UC}/constraints", json={}).status_code == 401

    def test_policies_are_shown(self, place: Place) -> None:
        staged_table(place)
        new_function(place)
        table = place.sdk().tables.get(f"{place.full}.t")
        assert (table.row_filter, table.columns and table.columns[0].mask) == (None, None)
        common = {"id": "1", "type": SecurableType.TABLE, "name": "t", "full_name": "a.b.t", "owner": "o", "comment": None}
        times = {"properties": {}, "created_at": 1, "created_by": "o", "updated_at": 1, "updated_by": "o"}
        info = TableInfo(
            **common,
            **times,
            table_type="MANAGED",
            data_source_format="DELTA",
            storage_location="file:///x",
            columns=({"name": "c"},),
            row_filter=Policy("a.b.f", ("c", "'EU'")),
            column_masks={"c": Policy("a.b.g")},
        )
        read = uc.TableInfo.from_dict(TableBody.of(info).model_dump())
        assert read.row_filter is not None
        assert (read.row_filter.function_name, read.row_filter.input_column_names) == ("a.b.f", ["c"])
        arguments = read.row_filter.input_arguments or []
        assert [(one.column, one.constant) for one in arguments] == [("c", None), (None, "'EU'")]
        assert read.columns is not None
        assert read.columns[0].mask is not None
        assert read.columns[0].mask.function_name == "a.b.g"


class TestTags:
    def test_tags_of_a_table_and_its_columns(self, place: Place) -> None:
        sdk, table = place.sdk(), staged_table(place)
        made = uc.EntityTagAssignment(entity_type="tables", entity_name=table, tag_key="tier", tag_value="gold")
        assert sdk.entity_tag_assignments.create(made) == made
        column = uc.EntityTagAssignment(entity_type="columns", entity_name=f"{table}.id", tag_key="pii", tag_value="no")
        sdk.entity_tag_assignments.create(column)
        sdk.entity_tag_assignments.create(uc.EntityTagAssignment(f"{place.catalog}", "cost", "catalogs"))
        with pytest.raises(errors.ResourceConflict):
            sdk.entity_tag_assignments.create(made)
        made.tag_value = "silver"
        sdk.entity_tag_assignments.update("tables", table, "tier", made, update_mask="tag_value")
        assert sdk.entity_tag_assignments.get("tables", table, "tier").tag_value == "silver"
        sdk.entity_tag_assignments.create(uc.EntityTagAssignment(table, "a", "tables"))
        listed = sdk.entity_tag_assignments.list("tables", table, max_results=1)
        assert [one.tag_key for one in listed] == ["a", "tier"]
        assert [one.tag_key for one in sdk.entity_tag_assignments.list("columns", f"{table}.id")] == ["pii"]
        sdk.entity_tag_assignments.delete("tables", table, "tier")
        with pytest.raises(errors.NotFound):
            sdk.entity_tag_assignments.get("tables", table, "tier")

    def test_apply_tag(self, place: Place) -> None:
        sdk, table = place.sdk(as_user=True), staged_table(place)
        place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA", "SELECT")
        tag = uc.EntityTagAssignment(entity_type="tables", entity_name=table, tag_key="tier", tag_value="gold")
        with pytest.raises(errors.PermissionDenied, match="APPLY TAG"):
            sdk.entity_tag_assignments.create(tag)
        place.grant("table", table, "APPLY_TAG")
        sdk.entity_tag_assignments.create(tag)
        assert place.nobody.get(f"{UC}/entity-tag-assignments/tables/{table}/tags").status_code == 401

    def test_what_is_wrong_is_named(self, place: Place) -> None:
        sdk, table = place.sdk(), staged_table(place)
        for entity, name, what in (
            ("planets", table, "Valid:"),
            ("columns", table, "table.column"),
            ("columns", f"{table}.x", "x"),
        ):
            with pytest.raises(errors.BadRequest, match=what):
                sdk.entity_tag_assignments.create(uc.EntityTagAssignment(name, "k", entity))
        for key in (" a", "", "x" * 256, "a\nb"):
            with pytest.raises(errors.BadRequest):
                sdk.entity_tag_assignments.create(uc.EntityTagAssignment(table, key, "tables"))

    def test_mlflows_calls(self, place: Place) -> None:
        table = staged_table(place)
        changes = {"changes": {"add_tags": [{"key": "a", "value": "b"}]}}
        place.admin.patch(f"{UC}/securable-tags/TABLE/{table}", json=changes).raise_for_status()
        place.admin.patch(f"{UC}/subentity-tags/TABLE/{table}/id", json=changes).raise_for_status()
        tags = place.sdk().entity_tag_assignments
        assert [tag.tag_value for tag in tags.list("tables", table)] == ["b"]
        place.admin.patch(f"{UC}/securable-tags/TABLE/{table}", json={"changes": {"remove": ["a"]}}).raise_for_status()
        assert list(tags.list("tables", table)) == []
        assert [tag.tag_key for tag in tags.list("columns", f"{table}.id")] == ["a"]
        assert place.user.patch(f"{UC}/securable-tags/TABLE/{table}", json=changes).status_code == 403
        assert place.admin.patch(f"{UC}/securable-tags/PLANET/{table}", json=changes).status_code == 400


class TestNames:
    def test_everything_gets_another_name(self, place: Place) -> None:
        sdk, table = place.sdk(), staged_table(place)
        sdk.volumes.create(place.catalog, place.schema, "v", uc.VolumeType.MANAGED)
        place.admin.put(f"/api/2.0/fs/files/Volumes/{place.catalog}/{place.schema}/v/x", content=b"1").raise_for_status()
        assert sdk.volumes.update(f"{place.full}.v", new_name="w", comment="c").comment == "c"
        assert sdk.schemas.update(place.full, new_name="r").full_name == f"{place.catalog}.r"
        place.schema = "r"
        path = f"/api/2.0/fs/files/Volumes/{place.catalog}/r/w/x"
        assert place.admin.get(path).content == b"1"
        renamed = place.admin.patch(f"{UC}/tables/{place.full}.t", json={"new_name": "u"}).json()
        assert renamed["full_name"] == f"{place.full}.u"
        assert place.admin.get(f"{UC}/tables/{table}").status_code == 404
        old, place.catalog = place.catalog, f"{place.catalog}_new"
        sdk.catalogs.update(old, new_name=place.catalog)
        assert [one.full_name for one in sdk.tables.list(place.catalog, "r")] == [f"{place.catalog}.r.u"]
        model = {"name": "m", "catalog_name": place.catalog, "schema_name": "r"}
        place.admin.post(f"{UC}/models", json=model).raise_for_status()
        assert sdk.schemas.update(place.full, new_name="q").full_name == f"{place.catalog}.q"
        place.schema = "q"
        assert sdk.registered_models.get(f"{place.full}.m").name == "m"
        with pytest.raises(errors.BadRequest, match="in its container"):
            sdk.volumes.update(f"{place.full}.w", new_name="other.place.w")
        with pytest.raises(errors.PermissionDenied):
            place.sdk(as_user=True).volumes.update(f"{place.full}.w", new_name="x")


class TestDroppedTables:
    def test_a_dropped_table_comes_back(self, place: Place) -> None:
        table = staged_table(place)
        place.sdk().tables.delete(table)
        listing, undrop = "/api/boathouse/v1/dropped-tables", f"/api/boathouse/v1/dropped-tables/{table}/undrop"
        (dropped,) = place.admin.get(listing, params={"schema_name": place.full}).json()["tables"]
        assert (dropped["full_name"], dropped["dropped_by"]) == (table, dropped["owner"])
        assert place.user.post(undrop).status_code == 403
        assert place.nobody.get(listing, params={"schema_name": place.full}).status_code == 401
        assert place.admin.post(undrop).json()["table_id"] == dropped["id"]
        assert place.sdk().tables.exists(table).table_exists
        missing = place.admin.post(undrop)
        assert (missing.status_code, missing.json()["error_code"]) == (404, "TABLE_DOES_NOT_EXIST")


class TestMetastore:
    def test_the_metastore(self, place: Place) -> None:
        sdk = place.sdk()
        summary = sdk.metastores.summary()
        assert summary.metastore_id == sdk.metastores.current().metastore_id == "boathouse"
        assert [one.name for one in sdk.metastores.list()] == ["metastore"]
        assert sdk.metastores.get("boathouse").owner == summary.owner
        with pytest.raises(errors.NotFound):
            sdk.metastores.get("other")
        assert place.nobody.get(f"{UC}/metastore_summary").status_code == 401

    def test_system_schemas_are_always_there(self, place: Place) -> None:
        schemas = place.sdk().system_schemas
        found = {one.schema: one.state for one in schemas.list("boathouse")}
        assert (set(found), set(found.values())) == ({"access", "compute", "query"}, {"ENABLE_COMPLETED"})
        schemas.enable("boathouse", "access")
        with pytest.raises(errors.NotFound):
            schemas.enable("boathouse", "billing")
        with pytest.raises(errors.BadRequest, match="'access' is always enabled"):
            schemas.disable("boathouse", "access")
        with pytest.raises(errors.NotFound, match="Metastore 'other' does not exist"):
            list(schemas.list("other"))

    def test_what_is_missing_is_told_once(self, place: Place) -> None:
        told = place.admin.post(f"{UC}/tables", json={"name": "x"}).json()["message"]
        assert told == "The request is not valid. catalog_name: Field required; schema_name: Field required"


class TestPages:
    def test_every_list_pages(self, place: Place) -> None:
        sdk = place.sdk()
        for number in range(3):
            staged_table(place, f"t{number}")
            sdk.volumes.create(place.catalog, place.schema, f"v{number}", uc.VolumeType.MANAGED)
        parent = {"catalog_name": place.catalog, "schema_name": place.schema}
        for path, key in (("tables", "tables"), ("volumes", "volumes")):
            page = place.admin.get(f"{UC}/{path}", params=parent | {"max_results": 2}).json()
            assert len(page[key]) == 2
            rest = place.admin.get(f"{UC}/{path}", params=parent | {"page_token": page["next_page_token"]}).json()
            assert (len(rest[key]), rest["next_page_token"]) == (1, None)
        assert len(list(sdk.tables.list(place.catalog, place.schema, max_results=1))) == 3
        summaries = sdk.tables.list_summaries(place.catalog, schema_name_pattern=place.schema, max_results=2)
        assert [one.full_name for one in summaries] == [f"{place.full}.t{number}" for number in range(3)]
        bare = next(iter(sdk.tables.list(place.catalog, place.schema, omit_columns=True, omit_properties=True)))
        assert (bare.columns, bare.properties) == ([], {})

    def test_a_page_is_filled_with_what_may_be_seen(self, place: Place) -> None:
        for number in range(6):
            staged_table(place, f"t{number}")
        place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA")
        for number in (1, 4, 5):
            place.grant("table", f"{place.full}.t{number}", "SELECT")
        parent = {"catalog_name": place.catalog, "schema_name": place.schema, "max_results": 2}
        page = place.user.get(f"{UC}/tables", params=parent).json()
        assert [one["name"] for one in page["tables"]] == ["t1", "t4"]
        rest = place.user.get(f"{UC}/tables", params=parent | {"page_token": page["next_page_token"]}).json()
        assert [one["name"] for one in rest["tables"]] == ["t5"]


class TestGrants:
    def test_permissions_say_where_they_come_from(self, place: Place) -> None:
        sdk, table = place.sdk(), staged_table(place)
        place.grant("catalog", place.catalog, "USE_CATALOG", "SELECT")
        place.grant("table", table, "MODIFY")
        (effective,) = sdk.grants.get_effective("table", table, principal=place.user_name).privilege_assignments or []
        found = {(held.privilege, held.inherited_from_type, held.inherited_from_name) for held in effective.privileges or []}
        assert found == {
            (uc.Privilege.USE_CATALOG, uc.SecurableType.CATALOG, place.catalog),
            (uc.Privilege.SELECT, uc.SecurableType.CATALOG, place.catalog),
            (uc.Privilege.MODIFY, None, None),
        }
        assert [one.principal for one in sdk.grants.list("table", table)] == [place.user_name]
        assert [one.principal for one in sdk.grants.list_effective("table", table, page_size=1)] == [place.user_name]

    def test_grants_on_every_kind(self, place: Place) -> None:
        new_function(place)
        sdk = place.sdk()
        sdk.volumes.create(place.catalog, place.schema, "v", uc.VolumeType.MANAGED)
        for kind, name, privilege in (
            ("function", f"{place.full}.f", uc.Privilege.EXECUTE),
            ("volume", f"{place.full}.v", uc.Privilege.READ_VOLUME),
            ("schema", place.full, uc.Privilege.CREATE_FUNCTION),
            ("catalog", place.catalog, uc.Privilege.APPLY_TAG),
            ("metastore", "boathouse", uc.Privilege.CREATE_EXTERNAL_LOCATION),
        ):
            changes = [uc.PermissionsChange(principal=place.user_name, add=[privilege])]
            after = sdk.grants.update(kind, name, changes=changes).privilege_assignments or []
            assert uc.PrivilegeAssignment(place.user_name, [privilege]) in after, kind
            taken = [uc.PermissionsChange(principal=place.user_name, remove=[privilege])]
            sdk.grants.update(kind, name, changes=taken)


class TestTextsOverRest:
    """What CREATE VIEW and CREATE FUNCTION refuse is refused over REST too; nothing is left of it."""

    def test_views(self, place: Place) -> None:
        place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA", "CREATE_TABLE")
        body = {"name": "v", "catalog_name": place.catalog, "schema_name": place.schema, "table_type": "VIEW"}
        # The names that are short are those of the schema.
        for name, text in (("one", "SELECT 1 AS a"), ("two", "SELECT a FROM one -- all of it")):
            place.admin.post(f"{UC}/tables", json=body | {"name": name, "view_definition": text}).raise_for_status()
        for text, told in (
            ("SELEC 1", "view_definition is not valid"),
            ("SELECT * FROM nowhere", "nowhere"),
            ("SELECT missing FROM (SELECT 1 AS a)", "missing"),
            ("SELECT no_such_function(1)", "no_such_function"),
            ("DROP VIEW one", "view_definition is not valid"),
            ("SELECT * FROM two", "SELECT"),
            ("SELECT 1 AS a, 2 AS A", "more than one column named a"),
            ("SELECT * FROM delta.`/nowhere`", "is a path"),
            ("SELECT * FROM (SELECT 1), csv.`/etc/passwd`", "is a path"),
        ):
            refused = place.user.post(f"{UC}/tables", json=body | {"view_definition": text})
            assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
            assert told in refused.json()["message"]
            assert refused.json()["details"][0]["metadata"] == {"field": "view_definition"}
        assert [one.name for one in place.sdk().tables.list(place.catalog, place.schema)] == ["one", "two"]

    def test_columns_of_views(self, place: Place) -> None:
        # They are those of the query; what is said of them else is their comments.
        body = {"name": "v", "catalog_name": place.catalog, "schema_name": place.schema, "table_type": "VIEW"}
        body["view_definition"] = "SELECT 1 AS a, array(2.5D) AS `b c`"
        for names, told in (
            (["a", "A"], "'A', which is there twice"),
            (["a", "z"], "'z', which is not one of view_definition"),
        ):
            refused = place.admin.post(f"{UC}/tables", json=body | {"columns": [{"name": name} for name in names]})
            assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
            assert told in refused.json()["message"]
            assert refused.json()["details"][0]["metadata"] == {"field": "columns"}
        said = {"name": "B C", "comment": "two", "type_text": "string", "type_name": "STRING", "position": 0}
        place.admin.post(f"{UC}/tables", json=body | {"columns": [said]}).raise_for_status()
        shown = place.sdk().tables.get(f"{place.full}.v").columns or []
        assert [(one.name, one.type_text, one.position, one.comment) for one in shown] == [
            ("a", "int", 0, None),
            ("b c", "array<double>", 1, "two"),
        ]

    def test_functions(self, place: Place) -> None:
        body = {
            "name": "f",
            "catalog_name": place.catalog,
            "schema_name": place.schema,
            "data_type": "BOOLEAN",
            "full_data_type": "BOOLEAN",
            "routine_body": "SQL",
            "input_params": {"parameters": [{"name": "x", "type_text": "int", "parameter_default": "1"}]},
        }
        python = {"routine_definition": "return x >", "routine_body": "EXTERNAL", "external_language": "PYTHON"}
        for parts, field in (
            ({"routine_definition": "x >"}, "routine_definition"),
            ({"routine_definition": "y > 1"}, "routine_definition"),
            ({"routine_definition": "x > 1; DROP TABLE t"}, "routine_definition"),
            ({"routine_definition": "EXISTS (SELECT 1 FROM nowhere)"}, "routine_definition"),
            (python, "routine_definition"),
            ({"routine_definition": "1", "full_data_type": "NUMBER"}, "data_type"),
        ):
            refused = place.admin.post(f"{UC}/functions", json={"function_info": body | parts})
            assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
            assert refused.json()["details"][0]["metadata"] == {"field": field}
        assert list(place.sdk().functions.list(place.catalog, place.schema)) == []
