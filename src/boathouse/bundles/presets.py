"""What a target's mode, presets, permissions and run_as do to its resources."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boathouse.bundles.checking import Problems
from boathouse.bundles.kinds import KINDS, Kind
from boathouse.bundles.loading import Selected, text_at
from boathouse.bundles.values import Value, placed

_DEVELOPMENT_RUNS = 4
_PLAIN = re.compile(r"[^0-9a-zA-Z_]+")
GRANTEES = ("user_name", "group_name", "service_principal_name")


@dataclass(frozen=True)
class User:
    """Who deploys."""

    name: str
    is_service_principal: bool
    display_name: str = ""

    @property
    def short_name(self) -> str:
        """The name before the @, of letters, digits and _ alone."""
        name = self.display_name if self.is_service_principal and self.display_name else self.name
        return _PLAIN.sub("_", name.split("@")[0]).strip("_")


@dataclass(frozen=True)
class Presets:
    """What is changed about all resources."""

    prefix: str = ""
    tags: Mapping[str, str] | None = None
    pause_status: str | None = None
    pipelines_development: bool | None = None
    concurrent_runs: int | None = None
    cluster_id: str | None = None


def presets_of(selected: Selected, root: Value, user: User) -> Presets:
    """The presets of a target: those of its mode, and what it says itself."""
    own = (root.get("presets") or Value({})).plain() or {}
    development = selected.mode == "development"
    prefix = own.get("name_prefix", f"[dev {user.short_name}] " if development else "")
    return Presets(
        prefix=str(prefix),
        tags={**({"dev": user.short_name} if development else {}), **(own.get("tags") or {})},
        pause_status=own.get("trigger_pause_status", "PAUSED" if development else None),
        pipelines_development=own.get("pipelines_development", True if development else None),
        concurrent_runs=own.get("jobs_max_concurrent_runs", _DEVELOPMENT_RUNS if development else None),
        cluster_id=text_at(root, "bundle", "cluster_id") or text_at(root, "bundle", "compute_id"),
    )


def check_mode(selected: Selected, root: Value, user: User, problems: Problems, *, branch: str, force: bool) -> None:
    """What development and production ask of a target."""
    declared = selected.target.get("git", "branch") or selected.root.get("bundle", "git", "branch")
    if declared is not None and declared.data and branch and str(declared.data) != branch and not force:
        message = f"the target is deployed from the branch {declared.data}, and this is {branch}. Switch to it, or say --force."
        problems.error(declared.at, message)
    root_path = root.get("workspace", "root_path")
    if root_path is not None and str(root_path.data).startswith("/Workspace/Shared/"):
        told = (
            "everybody may write in workspace.root_path, and with it change what the next deployment runs and deletes. "
            "Choose a folder that only those who deploy may change."
        )
        problems.warn(root_path.at, told)
    if selected.mode == "development":
        prefix = root.get("presets", "name_prefix")
        if prefix is not None and user.short_name not in str(prefix.data or ""):
            told = "a development target's name_prefix has the user's name in it, or people overwrite each other's resources: "
            problems.error(prefix.at, told + "use ${workspace.current_user.short_name}.")
        return
    cluster = root.get("bundle", "cluster_id")
    if cluster is not None and cluster.data:
        problems.error(cluster.at, "a cluster_id for all tasks is for targets with mode: development alone.")
    if selected.mode == "production":
        _check_production(selected, root, user, problems)


def _check_production(selected: Selected, root: Value, user: User, problems: Problems) -> None:
    at = (selected.target.get("mode") or selected.target).at
    for key, one in (root.get("resources", "pipelines") or Value({})).fields.items():
        flag = one.get("development")
        if flag is not None and flag.data is True:
            problems.error(flag.at, f"resources.pipelines.{key}.development is true in a production target.")
    path = selected.root.get("workspace", "root_path")
    is_principal = user.is_service_principal or text_at(root, "run_as", "service_principal_name") is not None
    if not is_principal and (path is None or path.data is None):
        root_path = text_at(root, "workspace", "root_path")
        message = (
            "a production target says workspace.root_path, so that there is one deployment of it and not one for each user. "
            f"To keep it where it would be now: root_path: {root_path}"
        )
        problems.error(at, message)
    if root.get("run_as") is None and not is_principal:
        told = "a production target should have run_as: its jobs and pipelines run as whoever deploys them."
        problems.warn(at, told)


def applied(root: Value, presets: Presets, problems: Problems) -> Value:
    """The resources with everything that is said of all of them."""
    resources = root.get("resources") or Value({})
    run_as = root.get("run_as")
    everywhere = (root.get("permissions") or Value([])).entries
    parent = text_at(root, "workspace", "resource_path")
    found: dict[str, Value] = {}
    for name, of_kind in resources.fields.items():
        kind = KINDS[name]
        found[name] = Value(
            {
                key: _permitted(
                    _changed(kind, _placed(kind, _run_as(kind, one, run_as), parent), presets), kind, everywhere, problems
                )
                for key, one in of_kind.fields.items()
            },
            of_kind.at,
        )
    return root.with_field("resources", Value(found, resources.at))


def _placed(kind: Kind, value: Value, parent: str | None) -> Value:
    """In the folder of the target's resources, if it says no other one."""
    if kind.name not in {"dashboards", "alerts"} or parent is None or value.get("parent_path") is not None:
        return value
    return value.with_field("parent_path", Value(parent, value.at))


def _changed(kind: Kind, value: Value, presets: Presets) -> Value:
    label = value.get(kind.label)
    if presets.prefix and kind.prefix is not None and label is not None and isinstance(label.data, str):
        value = value.with_field(kind.label, Value(_prefixed(kind, label.data, presets.prefix), label.at))
    if kind.name == "jobs":
        value = _job(value, presets)
    if kind.name == "pipelines" and presets.pipelines_development is not None and value.get("development") is None:
        value = value.with_field("development", Value(presets.pipelines_development, value.at))
    in_file = kind.name == "alerts" and value.get("file_path") is not None
    scheduled = kind.name in {"quality_monitors", "alerts"} and (in_file or value.get("schedule") is not None)
    if scheduled and presets.pause_status == "PAUSED":
        value = value.set(("schedule", "pause_status"), Value("PAUSED", value.at))
    if presets.tags:
        value = _tagged(kind, value, presets.tags)
    return value


def _prefixed(kind: Kind, name: str, prefix: str) -> str:
    if kind.prefix == "plain":
        plain = _PLAIN.sub("_", prefix).strip("_")
        return f"{plain}_{name}" if plain else name
    if kind.prefix == "path":
        above, slash, last = name.rpartition("/")
        return f"{above}{slash}{prefix}{last}"
    return f"{prefix}{name}"


def _job(value: Value, presets: Presets) -> Value:
    if presets.concurrent_runs is not None and value.get("max_concurrent_runs") is None and value.get("continuous") is None:
        value = value.with_field("max_concurrent_runs", Value(presets.concurrent_runs, value.at))
    if presets.cluster_id is not None:
        value = _on_cluster(value, presets.cluster_id)
    for trigger in ("schedule", "trigger", "continuous"):
        if presets.pause_status is not None and isinstance((value.get(trigger) or Value(None)).data, dict):
            own = value.get(trigger, "pause_status")
            if own is None or own.data is None:
                value = value.set((trigger, "pause_status"), Value(presets.pause_status, value.at))
    return value


def _on_cluster(job: Value, cluster_id: str) -> Value:
    """A job whose tasks that have a cluster all have this one."""
    tasks = job.get("tasks")
    if tasks is None:
        return job
    entries = [
        one.without("new_cluster", "job_cluster_key").with_field("existing_cluster_id", Value(cluster_id, one.at))
        if any(one.get(key) is not None for key in ("new_cluster", "job_cluster_key", "existing_cluster_id"))
        else one
        for one in tasks.entries
    ]
    return job.without("job_clusters").with_field("tasks", Value(entries, tasks.at))


def _tagged(kind: Kind, value: Value, tags: Mapping[str, str]) -> Value:
    if kind.name in {"jobs", "pipelines"}:
        own = value.get("tags") or Value({}, value.at)
        return value.with_field("tags", Value({**placed(dict(tags), value.at).fields, **own.fields}, own.at))
    if kind.name in {"experiments", "model_serving_endpoints", "models"}:
        own = value.get("tags") or Value([], value.at)
        named = {str(one.get("key") and one.fields["key"].data) for one in own.entries}
        more = [{"key": key, "value": text} for key, text in tags.items() if key not in named]
        return value.with_field("tags", Value([*own.entries, *placed(more, value.at).entries], own.at))
    return value


def _run_as(kind: Kind, value: Value, run_as: Value | None) -> Value:
    if run_as is None or run_as.data is None or kind.name not in {"jobs", "pipelines"} or value.get("run_as") is not None:
        return value
    return value.with_field("run_as", run_as)


def _permitted(value: Value, kind: Kind, everywhere: Sequence[Value], problems: Problems) -> Value:
    """With the bundle's permissions, where the resource has no entry for the same grantee."""
    own = value.get("permissions") or Value([], value.at)
    entries: list[Value] = []
    named: set[tuple[str, str]] = set()
    for one in own.entries:
        who = _grantee(one)
        if who is None:
            problems.error(one.at, f"an entry of permissions needs one of {', '.join(GRANTEES)}.")
            continue
        named.add(who)
        entries.append(one)
    if "permissions" not in kind.fields():
        return value
    for one in everywhere:
        who = _grantee(one)
        if who is None or who in named:
            continue
        level = str(one.fields["level"].data) if "level" in one.fields else ""
        entries.append(one.with_field("level", Value(kind.levels.get(level, level), one.at)))
        named.add(who)
    if not entries:
        return value.without("permissions")
    return value.with_field("permissions", Value(entries, own.at))


def _grantee(one: Value) -> tuple[str, str] | None:
    found = [(key, str(one.fields[key].data)) for key in GRANTEES if one.get(key) is not None and one.fields[key].data]
    return found[0] if len(found) == 1 else None
