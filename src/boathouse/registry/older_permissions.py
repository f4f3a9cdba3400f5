"""Levels of permission on a model, as the older registry has them: names for sets of the catalog's privileges on it."""

from collections.abc import Iterable, Mapping, Sequence

from boathouse.catalog.api import CatalogService, GrantChange, Privilege, SecurableInfo, SecurableType
from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import ADMINS, Access, AccessBody, IamService, Levels, access_of

READ, EDIT, PRODUCTION, MANAGE = "CAN_READ", "CAN_EDIT", "CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE"
STAGING = "CAN_MANAGE_STAGING_VERSIONS"
"""Of Databricks; the catalog has no privilege for one stage."""
MEANS: Mapping[str, frozenset[Privilege]] = {
    READ: frozenset({Privilege.EXECUTE}),
    EDIT: frozenset({Privilege.EXECUTE, Privilege.CREATE_MODEL_VERSION}),
    PRODUCTION: frozenset({Privilege.EXECUTE, Privilege.CREATE_MODEL_VERSION, Privilege.APPLY_TAG}),
    MANAGE: frozenset({Privilege.EXECUTE, Privilege.CREATE_MODEL_VERSION, Privilege.APPLY_TAG, Privilege.MANAGE}),
}
TEXTS: Mapping[str, str] = {
    READ: "See it, load its versions, ask for stages and comment (EXECUTE)",
    EDIT: "The same, and register versions (CREATE MODEL VERSION)",
    PRODUCTION: "The same, and tag its versions, approve them and move them between all stages (APPLY TAG)",
    MANAGE: "The same, and change, grant and delete it (MANAGE)",
}
_LEVELS = Levels(tuple(MEANS))


def levels_on(catalog: CatalogService, model: SecurableInfo) -> tuple[list[Access], list[Access]]:
    """Who has which level by grants on a model, and who by its owner's place or by grants on what it lies in.

    Those of others are told to who has MANAGE. Privileges that make up no level are not told.
    """
    own: dict[str, set[Privilege]] = {}
    above: dict[str, set[Privilege]] = {}
    for held in catalog.get_effective_grants(SecurableType.MODEL, model.full_name):
        (own if held.granted_on.id == model.id else above).setdefault(held.grantee, set()).add(held.privilege)
    iam = IamService(catalog.session)
    inherited = _levels(iam, above)
    kind = iam.kind_of(model.owner)
    if kind is not None and model.owner != ADMINS:
        inherited = [*(one for one in inherited if one.grantee != model.owner), Access(model.owner, kind, MANAGE)]
    return _levels(iam, own), inherited


def _levels(iam: IamService, grants: Mapping[str, set[Privilege]]) -> list[Access]:
    found: list[Access] = []
    for grantee, held in sorted(grants.items()):
        all_but_manage = MEANS[PRODUCTION] if Privilege.ALL_PRIVILEGES in held else frozenset[Privilege]()
        level = next((one for one in reversed(_LEVELS.names) if MEANS[one] <= held | all_but_manage), None)
        kind = iam.kind_of(grantee)
        if level is not None and kind is not None:
            found.append(Access(grantee, kind, level))
    return found


def set_levels(catalog: CatalogService, model: SecurableInfo, changes: Sequence[AccessBody], *, replace: bool) -> None:
    """Give levels: those who are named have these and no more; with ``replace``, those who are not named have none.

    Raises:
        InvalidParameterValue: If a level is none, or one that the catalog has no privilege for.
        PrincipalNotFound: If there is no such grantee.
        PrivilegeMissing: Without MANAGE on the model.
    """
    for index, change in enumerate(changes):
        if change.permission_level == STAGING:
            field = f"access_control_list[{index}].permission_level"
            message = (
                f"{field} {STAGING} is not there: no privilege of the catalog is for the stage Staging alone. Give {PRODUCTION}, and "
                "protect the stage Production by the model's policy (protected_aliases)."
            )
            raise InvalidParameterValue(message, field=field)
    wanted = {one.grantee: MEANS[one.level] for one in access_of(catalog.session, _LEVELS, changes)}
    before = catalog.get_grants(SecurableType.MODEL, model.full_name)
    grantees: Iterable[str] = dict.fromkeys([*wanted, *(before if replace else ())])
    catalog.change_grants(
        SecurableType.MODEL,
        model.full_name,
        [_change(grantee, wanted.get(grantee, frozenset()), before.get(grantee, ())) for grantee in grantees],
    )


def _change(grantee: str, wanted: frozenset[Privilege], held: Iterable[Privilege]) -> GrantChange:
    """Seeing a model (BROWSE) is below every level, and stays."""
    gone = {*held} - wanted - {Privilege.BROWSE}
    return GrantChange(grantee, tuple(sorted(wanted)), tuple(sorted(gone)))
