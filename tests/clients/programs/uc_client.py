"""unitycatalog-client: catalogs, schemas, tables, volumes, models and grants. Arguments: URL, token, a new catalog, a user."""

import asyncio
import json
import sys

from unitycatalog.client import (
    ApiClient,
    CatalogsApi,
    Configuration,
    CreateCatalog,
    CreateRegisteredModel,
    CreateSchema,
    CreateVolumeRequestContent,
    GrantsApi,
    PermissionsChange,
    Privilege,
    RegisteredModelsApi,
    SchemasApi,
    SecurableType,
    TablesApi,
    UpdatePermissions,
    VolumesApi,
    VolumeType,
)
from unitycatalog.client.exceptions import NotFoundException

url, token, name, user = sys.argv[1:]


async def main() -> dict[str, object]:
    found: dict[str, object] = {}
    configuration = Configuration(host=f"{url}/api/2.1/unity-catalog", access_token=token)
    async with ApiClient(configuration, "Authorization", f"Bearer {token}") as client:
        catalogs, schemas, tables = CatalogsApi(client), SchemasApi(client), TablesApi(client)
        await catalogs.create_catalog(CreateCatalog(name=name, comment="c"))
        await schemas.create_schema(CreateSchema(name="s", catalog_name=name))
        found["catalog"] = name in [one.name for one in (await catalogs.list_catalogs()).catalogs]
        found["schemas"] = [one.name for one in (await schemas.list_schemas(name)).schemas]
        found["tables"] = [one.name for one in (await tables.list_tables(name, "s")).tables]
        volumes = VolumesApi(client)
        request = CreateVolumeRequestContent(catalog_name=name, schema_name="s", name="v", volume_type=VolumeType.MANAGED)
        await volumes.create_volume(request)
        found["volumes"] = [one.full_name for one in (await volumes.list_volumes(name, "s")).volumes]
        models = RegisteredModelsApi(client)
        await models.create_registered_model(CreateRegisteredModel(name="m", catalog_name=name, schema_name="s"))
        listed = await models.list_registered_models(catalog_name=name, schema_name="s")
        found["models"] = [one.full_name for one in listed.registered_models]
        grants = GrantsApi(client)
        change = PermissionsChange(principal=user, add=[Privilege.USE_CATALOG], remove=[])
        await grants.update(SecurableType.CATALOG, name, UpdatePermissions(changes=[change]))
        held = await grants.get(SecurableType.CATALOG, name)
        found["grants"] = [[one.principal, [p.value for p in one.privileges]] for one in held.privilege_assignments]
        try:
            await tables.get_table(f"{name}.s.missing")
        except NotFoundException as error:
            found["missing"] = json.loads(error.body)["error_code"]
        await catalogs.delete_catalog(name, force=True)
        found["left"] = name in [one.name for one in (await catalogs.list_catalogs()).catalogs]
    return found


sys.stdout.write(json.dumps(asyncio.run(main())))
