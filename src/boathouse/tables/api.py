"""What other slices use of tables."""

from boathouse.tables.alter import (
    ColumnChange,
    Edit,
    NewColumn,
    add_columns,
    change_columns,
    drop_columns,
    rename_column,
    set_description,
    set_properties,
    setting,
    unset_properties,
)
from boathouse.tables.arrivals import Arrival, arrivals
from boathouse.tables.bounds import without_float_bounds
from boathouse.tables.changes import Bound, change_range, changes, write_changes
from boathouse.tables.check import broken_commit, repair, require_sound
from boathouse.tables.clone import Cloned, clone
from boathouse.tables.clustering import cluster, clustering_columns, set_clustering
from boathouse.tables.constraints import add_check, drop_check
from boathouse.tables.convert import convert
from boathouse.tables.creating import make_empty, publish_first, put_in_order, set_order
from boathouse.tables.delta import Commit, Detail, Sample, append, detail, history, query, replace_rows, row_count, sample
from boathouse.tables.errors import (
    CommitLost,
    DeltaRefused,
    TableUnreadable,
    TruncatedLog,
    VersionNotFound,
    VersionUnavailable,
)
from boathouse.tables.features import drop_feature
from boathouse.tables.fields import new_field, physical_name, primitive_types
from boathouse.tables.files import data_path, quoted, vector_path
from boathouse.tables.holding import hold_log, is_readable, release_log
from boathouse.tables.identity import sync_identity
from boathouse.tables.log import (
    Action,
    Operation,
    State,
    actions_of,
    change,
    commit_info,
    commit_time,
    commits,
    info_action,
    is_table,
    noting,
    removal,
    replay,
    require_removable,
    write_commit,
)
from boathouse.tables.optimize import Optimized, optimize
from boathouse.tables.properties import CHANGE_FEED, FEED_SINCE, MAPPING_MODE, check_names, check_new, shown
from boathouse.tables.repair import generate_manifest, missing_files, remove_missing
from boathouse.tables.replace_columns import replace_columns
from boathouse.tables.replacing import replace_by
from boathouse.tables.restore import Restored, restore, truncate
from boathouse.tables.vacuum import STAGING, Vacuumed, vacuum
from boathouse.tables.versions import (
    Entry,
    entries,
    forget_checkpoint_hint,
    last_version,
    names_at,
    parse_moment,
    require_version,
    version_at,
)

__all__ = [
    "CHANGE_FEED",
    "FEED_SINCE",
    "MAPPING_MODE",
    "STAGING",
    "Action",
    "Arrival",
    "Bound",
    "Cloned",
    "ColumnChange",
    "Commit",
    "CommitLost",
    "DeltaRefused",
    "Detail",
    "Edit",
    "Entry",
    "NewColumn",
    "Operation",
    "Optimized",
    "Restored",
    "Sample",
    "State",
    "TableUnreadable",
    "TruncatedLog",
    "Vacuumed",
    "VersionNotFound",
    "VersionUnavailable",
    "actions_of",
    "add_check",
    "add_columns",
    "append",
    "arrivals",
    "broken_commit",
    "change",
    "change_columns",
    "change_range",
    "changes",
    "check_names",
    "check_new",
    "clone",
    "cluster",
    "clustering_columns",
    "commit_info",
    "commit_time",
    "commits",
    "convert",
    "data_path",
    "detail",
    "drop_check",
    "drop_columns",
    "drop_feature",
    "entries",
    "forget_checkpoint_hint",
    "generate_manifest",
    "history",
    "hold_log",
    "info_action",
    "is_readable",
    "is_table",
    "last_version",
    "make_empty",
    "missing_files",
    "names_at",
    "new_field",
    "noting",
    "optimize",
    "parse_moment",
    "physical_name",
    "primitive_types",
    "publish_first",
    "put_in_order",
    "query",
    "quoted",
    "release_log",
    "removal",
    "remove_missing",
    "rename_column",
    "repair",
    "replace_by",
    "replace_columns",
    "replace_rows",
    "replay",
    "require_removable",
    "require_sound",
    "require_version",
    "restore",
    "row_count",
    "sample",
    "set_clustering",
    "set_description",
    "set_order",
    "set_properties",
    "setting",
    "shown",
    "sync_identity",
    "truncate",
    "unset_properties",
    "vacuum",
    "vector_path",
    "version_at",
    "without_float_bounds",
    "write_changes",
    "write_commit",
]
