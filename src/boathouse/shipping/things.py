"""What values are, as far as the code says it, and which calls read data, train or measure."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Role(StrEnum):
    """What a call does."""

    DATA = "data"
    TRAIN = "train"
    METRIC = "metric"


class Kind(Enum):
    """What a value is."""

    # Tables, columns, arrays.
    TABLE = "table"
    # Numbers, texts, lists and dicts of them.
    PLAIN = "plain"
    SPARK = "spark"
    MODEL = "model"
    # On the way to a table: a grouped one.
    GROUPED = "grouped"
    # What scikit-learn's data sets come in.
    BUNCH = "bunch"
    READER = "reader"
    SESSION = "session"
    MODULE = "module"
    FUNCTION = "function"
    TUPLE = "tuple"
    # Several of one thing, however many.
    MANY = "many"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Thing:
    """A value.

    Attributes:
        kind: What it is.
        what: In words; of a module its name, of a model its class, of a function its name.
        parts: Of a tuple its elements, of several the one that all are like.
        text: A text that is known.
    """

    kind: Kind
    what: str = ""
    parts: "tuple[Thing, ...]" = ()
    text: str | None = None


@dataclass(frozen=True)
class Found:
    """A call that tells what a cell is for.

    Attributes:
        role: What for.
        what: The call, in words.
        path: What a reading call reads, if its text is known.
    """

    role: Role
    what: str
    path: str | None = None


TABLE = Thing(Kind.TABLE, "a table")
ARRAY = Thing(Kind.TABLE, "an array")
PLAIN = Thing(Kind.PLAIN, "numbers or texts")
COLUMNS = Thing(Kind.TABLE, "the names of columns")
SPARK = Thing(Kind.SPARK, "a Spark DataFrame")


def unknown(what: str) -> Thing:
    """A value that nothing is known of but how it was made."""
    return Thing(Kind.UNKNOWN, what)


def joined(left: Thing, right: Thing) -> Thing:
    """What is one or the other."""
    if left.kind is right.kind and left.kind is not Kind.TUPLE:
        return left if left == right or left.kind is not Kind.MODEL else Thing(Kind.MODEL, "sklearn")
    if {left.kind, right.kind} == {Kind.TABLE, Kind.PLAIN}:
        return TABLE
    return left if left == right else unknown(f"{left.what} or {right.what}")


_MODEL_ROOTS = frozenset({"sklearn", "xgboost", "lightgbm", "catboost", "imblearn"})
_PREPARING = tuple(
    f"sklearn.{name}."
    for name in (
        "preprocessing",
        "impute",
        "decomposition",
        "feature_extraction",
        "feature_selection",
        "compose",
        "random_projection",
        "kernel_approximation",
    )
)
_TRAINERS = frozenset({"xgboost.train", "lightgbm.train", "xgboost.cv", "lightgbm.cv"})
_CROSS = frozenset(
    f"sklearn.model_selection.{name}" for name in ("cross_val_score", "cross_validate", "cross_val_predict", "learning_curve")
)
_MADE_MODELS = frozenset(
    {
        "sklearn.pipeline.make_pipeline",
        "sklearn.pipeline.make_union",
        "sklearn.compose.make_column_transformer",
        "sklearn.base.clone",
        "imblearn.pipeline.make_pipeline",
    }
)
_NUMPY_PLAIN = frozenset(
    {"mean", "sum", "std", "var", "min", "max", "median", "average", "percentile", "quantile", "argmax", "argmin", "sqrt"}
)
_NUMPY_READS = frozenset({"numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile"})
_OTHER_READS = frozenset(
    {"seaborn.load_dataset", "datasets.load_dataset", "pyarrow.parquet.read_table", "pyarrow.csv.read_csv", "joblib.load"}
)
_FRAMES = ("polars", "dask.dataframe", "geopandas", "pandas")


def is_preparing(model: Thing) -> bool:
    """Whether an estimator prepares data and predicts nothing."""
    return model.what.startswith(_PREPARING)


def role_of_function(name: str) -> Role | None:
    """What a function of a library is for."""
    root, _, last = name.rpartition(".")
    if (root in _FRAMES and last.startswith(("read_", "scan_"))) or name in _NUMPY_READS | _OTHER_READS:
        return Role.DATA
    if root == "sklearn.datasets" and last.startswith(("load_", "fetch_", "make_")):
        return Role.DATA
    if name in _TRAINERS | _CROSS:
        return Role.TRAIN
    if name.startswith("sklearn.metrics.") or name in {"mlflow.evaluate", "mlflow.models.evaluate"}:
        return Role.METRIC
    return Role.METRIC if root == "mlflow" and last in {"log_metric", "log_metrics"} else None


def result_of_function(name: str, arguments: list[Thing], keywords: dict[str, Thing]) -> Thing:  # noqa: C901, PLR0912 - a table of rules
    """What a function of a library gives."""
    root, _, last = name.partition(".")
    last = name.rpartition(".")[2]
    if name == "sklearn.model_selection.train_test_split":
        return Thing(Kind.TUPLE, "the parts of a split", tuple(one for one in arguments for _ in range(2)))
    if name.startswith("sklearn.datasets."):
        is_pair = last.startswith("make_") or keywords.get("return_X_y", PLAIN).text == "True"
        return (
            Thing(Kind.TUPLE, "data and target", (TABLE, TABLE)) if is_pair else Thing(Kind.BUNCH, "a data set of scikit-learn")
        )
    if name.startswith("sklearn.metrics."):
        return PLAIN if not last[0].isupper() else unknown(f"a {last}")
    if name in _CROSS:
        return ARRAY
    if name in {"xgboost.train", "lightgbm.train"}:
        return Thing(Kind.MODEL, f"{root}.Booster")
    if name in _MADE_MODELS:
        return Thing(Kind.MODEL, name)
    if root in _MODEL_ROOTS and last[:1].isupper() and not last.endswith(("Fold", "Split", "DMatrix", "Dataset", "Pool")):
        return Thing(Kind.MODEL, name)
    if root == "pandas":
        return TABLE if last not in {"ExcelFile", "ExcelWriter", "HDFStore", "set_option"} else unknown(f"a {name}")
    if root == "numpy":
        if last in {"default_rng", "RandomState", "Generator"}:
            return unknown("a random generator")
        return PLAIN if last in _NUMPY_PLAIN and not any(one.kind is Kind.TABLE for one in arguments[1:]) else ARRAY
    if name.startswith("scipy.sparse."):
        return Thing(Kind.TABLE, "a sparse matrix")
    if name.startswith("mlflow.") and last == "load_model":
        return Thing(Kind.MODEL, name.removeprefix("mlflow."))
    if name == "seaborn.load_dataset":
        return TABLE
    if name.startswith(("pathlib.", "os.path.", "os.environ", "os.getenv")) and name != "os.path":
        return Thing(Kind.PLAIN, "a path") if not name.startswith("pathlib.") else unknown("a path")
    return unknown(f"what {name} gives")


_TABLE_OTHERS = frozenset({"plot", "hist", "boxplot", "items", "iterrows", "itertuples", "pipe", "style"})
_GROUPING = frozenset({"groupby", "groupBy", "rolling", "resample", "expanding", "ewm", "rollup", "cube"})
_SPARK_VALUES = frozenset({"count", "columns", "dtypes", "isEmpty"})
_SPARK_OTHERS = frozenset(
    {"collect", "take", "first", "head", "tail", "write", "writeStream", "rdd", "schema", "show", "printSchema"}
)
_LOADING = frozenset({"csv", "json", "parquet", "orc", "text", "table", "load", "jdbc", "delta"})


def attribute_of(value: Thing, name: str) -> Thing:  # noqa: C901, PLR0912 - a table of rules
    """What an attribute is, or a method gives that is no function of its own here."""
    match value.kind:
        case Kind.MODULE:
            return Thing(Kind.MODULE, f"{value.what}.{name}")
        case Kind.TABLE:
            if name in _GROUPING:
                return Thing(Kind.GROUPED, "a grouped table", (TABLE,))
            if name in _TABLE_OTHERS:
                return unknown(f"the {name} of a table")
            if name in {"columns", "feature_names_in_"}:
                return COLUMNS
            return PLAIN if name in {"shape", "size", "ndim", "to_dict", "tolist", "to_list", "item", "empty"} else TABLE
        case Kind.GROUPED:
            return value.parts[0]
        case Kind.BUNCH:
            return TABLE
        case Kind.SPARK:
            if name in _GROUPING:
                return Thing(Kind.GROUPED, "a grouped Spark DataFrame", (SPARK,))
            if name in {"toPandas", "toArrow"}:
                return TABLE
            if name == "randomSplit":
                return Thing(Kind.MANY, "the parts of a split", (SPARK,))
            if name in _SPARK_OTHERS:
                return unknown(f"the {name} of a Spark DataFrame")
            return PLAIN if name in _SPARK_VALUES else SPARK
        case Kind.SESSION:
            return Thing(Kind.READER, "a reader") if name in {"read", "readStream"} else SPARK
        case Kind.READER:
            return SPARK if name in _LOADING else value
        case Kind.MODEL:
            if name in {"fit", "partial_fit", "best_estimator_", "named_steps", "set_params", "set_output"}:
                return value
            return PLAIN if name in {"score", "best_params_", "best_score_", "get_params", "n_features_in_"} else ARRAY
        case Kind.PLAIN:
            return PLAIN if name not in {"items", "keys", "values"} else unknown(f"the {name} of a dict")
        case _:
            return unknown(value.what or f"an object's {name}")


def role_of_method(value: Thing, name: str) -> Role | None:
    """What a method is for."""
    if value.kind in {Kind.SESSION, Kind.READER}:
        return Role.DATA if name in _LOADING | {"sql"} else None
    if value.kind is Kind.MODEL:
        if name == "score":
            return Role.METRIC
        return Role.TRAIN if name in {"fit", "partial_fit", "fit_predict"} and not is_preparing(value) else None
    if value.kind is Kind.UNKNOWN:
        # An object of a library that is not known here, as Keras': the names are the same everywhere.
        return {"fit": Role.TRAIN, "score": Role.METRIC, "evaluate": Role.METRIC, "optimize": Role.TRAIN}.get(name)
    return None
