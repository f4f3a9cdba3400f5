"""What an engine can do, where engines differ. The gateway asks for these, never for an engine's name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Capabilities:
    """One kind of engine.

    Attributes:
        name: What people call it.
        knows_catalogs: Whether the catalog's catalogs are catalogs of the engine, so that tables can be named to it. Else they
            are written by their paths.
        knows_principal: Whether ``current_user()`` is the principal. Else the gateway puts the name in its place.
        is_shared: Whether one engine serves all principals, so that what lies past the gateway must be refused.
        runs_relations: Whether a SQL command may be any relation. Else it has to be a SQL text.
        binds_everywhere: Whether references hold in the expressions of DataFrames. Else only in a SQL text, where they are
            temporary views of the session for as long as it is analysed.
        binds_parameters: Whether it puts parameters into a SQL text. Delta's parser for Spark does not.
        keeps_files: Whether it keeps files that clients send for their functions. Else the gateway has modules go with each function.
        keeps_frames: Whether it keeps frames that are asked to be cached, compares plans and lists a plan's files. Else the
            gateway answers.
        keeps_answers: Whether it keeps the answers of an operation for one whose connection broke, or says that it has not. Else
            its operations end with their connection.
        reads_all_forms: Whether it reads all forms of a query, and frames of days as such. Else the gateway writes QUALIFY and the
            like in forms that it reads.
        sets_in_sql: Whether SET and RESET change settings. Else the gateway sets them.
        completes_changes: Whether MERGE gives identity columns their values, and the commits of MERGE, UPDATE and DELETE have the
            session's note. Else the gateway has them made in a hidden table, and commits them itself.
        mixes_types: Whether values of different types become one as in Spark, in what it announces too. Else the gateway gives literals
            the right type.
        checks_overflow: Whether whole numbers that are added or multiplied past the ends of their type are an error. Else the gateway has
            such operations checked.
        runs_streams: Whether it has streaming queries of its own. Else the gateway runs them, in micro-batches.
        computes_sources_once: Whether MERGE computes its source once. Else the gateway has it computed before.
        observes: Whether it computes what DataFrames observe. Else the gateway has it computed before.
        filters_by_rules: Whether it makes filters of the rules of a table that is written, which may become one with a query's own.
        settings: Names of the session's settings that change what it or the gateway does; one that ends in a dot stands for all that
            begin so. None: its own answer counts.
        barrier: What stands before and after a query past which no predicate of the asker may be moved.
    """

    name: str
    knows_catalogs: bool
    knows_principal: bool
    is_shared: bool
    runs_relations: bool
    binds_everywhere: bool
    binds_parameters: bool
    keeps_files: bool
    keeps_frames: bool
    keeps_answers: bool
    reads_all_forms: bool
    sets_in_sql: bool
    completes_changes: bool
    mixes_types: bool
    checks_overflow: bool
    runs_streams: bool
    computes_sources_once: bool
    observes: bool
    filters_by_rules: bool
    settings: frozenset[str] | None
    barrier: tuple[str, str]


SAIL = Capabilities(
    name="Sail",
    knows_catalogs=True,
    knows_principal=True,
    is_shared=False,
    runs_relations=True,
    binds_everywhere=True,
    binds_parameters=True,
    keeps_files=False,
    keeps_frames=False,
    # The last 128, and those before are left out without a word.
    keeps_answers=False,
    reads_all_forms=False,
    sets_in_sql=False,
    completes_changes=False,
    mixes_types=False,
    checks_overflow=False,
    runs_streams=False,
    computes_sources_once=False,
    observes=False,
    filters_by_rules=True,
    settings=frozenset(
        {
            "spark.databricks.delta.",
            "spark.sql.ansi.enabled",
            "spark.sql.caseSensitive",
            "spark.sql.crossJoin.enabled",
            "spark.sql.execution.arrow.maxRecordsPerBatch",
            "spark.sql.execution.arrow.useLargeVarTypes",
            "spark.sql.mapKeyDedupPolicy",
            "spark.sql.session.timeZone",
            "spark.sql.sources.partitionOverwriteMode",
            "spark.sql.storeAssignmentPolicy",
            "spark.sql.streaming.checkpointLocation",
            "spark.sql.streaming.multipleWatermarkPolicy",
            "spark.sql.timestampType",
        }
    ),
    barrier=("", " LIMIT 9223372036854775807"),
)
SPARK = Capabilities(
    name="Apache Spark",
    knows_catalogs=False,
    knows_principal=False,
    is_shared=True,
    runs_relations=False,
    binds_everywhere=False,
    binds_parameters=False,
    keeps_files=True,
    keeps_frames=True,
    keeps_answers=True,
    reads_all_forms=True,
    sets_in_sql=True,
    completes_changes=True,
    mixes_types=True,
    checks_overflow=True,
    runs_streams=True,
    computes_sources_once=True,
    observes=True,
    filters_by_rules=False,
    settings=None,
    # A limit would be the end of parallel work. Spark moves nothing below a condition that is not deterministic; it has to
    # stand outside of the query, since a join that the policy's subquery becomes would else be put above it.
    barrier=("SELECT * FROM (", ") WHERE rand() >= 0"),
)
