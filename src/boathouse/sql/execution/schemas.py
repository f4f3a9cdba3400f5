"""HTTP in and out of statements, as databricks-sdk's ``w.statement_execution`` has them."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from boathouse.engine.api import Raw, Value, literal
from boathouse.sql.errors import ObjectInvalid

State = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"]
Disposition = Literal["INLINE", "EXTERNAL_LINKS"]
Format = Literal["JSON_ARRAY", "ARROW_STREAM", "CSV"]

MOST_PARAMETERS = 1000
_TYPE = re.compile(
    r"(?:BIGINT|BOOLEAN|DATE|DOUBLE|FLOAT|INT|INTEGER|LONG|REAL|SHORT|SMALLINT|BYTE|STRING|TIMESTAMP|TIMESTAMP_NTZ|TINYINT|VOID"
    r"|(?:DEC|DECIMAL|NUMERIC)(?:\s*\(\s*\d{1,2}\s*(?:,\s*\d{1,2}\s*)?\))?)",
    re.IGNORECASE,
)
_INT = re.compile(r"[+-]?\d{1,9}")


class StatementParameter(BaseModel):
    """What a ``:name`` in a statement stands for; without a value it is NULL."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    value: str | None = None
    type: str = "STRING"


class ExecuteStatement(BaseModel):
    """A statement, and how its result is wanted; times as ``10s``."""

    statement: Annotated[str, Field(max_length=16 * 1024**2)]
    warehouse_id: str
    catalog: Annotated[str | None, Field(max_length=255)] = None
    schema_: Annotated[str | None, Field(alias="schema", max_length=255)] = None
    parameters: Annotated[list[StatementParameter], Field(max_length=MOST_PARAMETERS)] = Field(
        default_factory=list[StatementParameter]
    )
    row_limit: Annotated[int | None, Field(gt=0, lt=2**31)] = None
    byte_limit: Annotated[int | None, Field(gt=0, lt=2**63)] = None
    disposition: Disposition = "INLINE"
    format: Format = "JSON_ARRAY"
    wait_timeout: str = "10s"
    on_wait_timeout: Literal["CONTINUE", "CANCEL"] = "CONTINUE"

    def seconds(self) -> int:
        """How long the answer may wait for the result.

        Raises:
            ObjectInvalid: If it is neither 0 nor 5 to 50 seconds.
        """
        found = re.fullmatch(r"(\d{1,3})s", self.wait_timeout.strip())
        seconds = int(found[1]) if found else -1
        if seconds != 0 and not 5 <= seconds <= 50:
            raise ObjectInvalid("wait_timeout", f"is '{self.wait_timeout}'. Valid: 0s, or 5s to 50s.")
        return seconds

    def check(self) -> None:
        """Go on only if the fields fit together.

        Raises:
            ObjectInvalid: If not.
        """
        if not self.statement.strip():
            raise ObjectInvalid("statement", "is empty: give the text of one statement.")
        if self.disposition == "INLINE" and self.format != "JSON_ARRAY":
            raise ObjectInvalid(
                "format", f"is {self.format}, which needs disposition EXTERNAL_LINKS. Valid with INLINE: JSON_ARRAY."
            )
        self.seconds()
        self.values()

    def values(self) -> dict[str, Value]:
        """What the parameters stand for in the text.

        Raises:
            ObjectInvalid: If a name comes twice, or a type is none.
        """
        found: dict[str, Value] = {}
        for number, one in enumerate(self.parameters):
            where = f"parameters[{number}]"
            if one.name in found:
                raise ObjectInvalid(f"{where}.name", f"is '{one.name}', as another one's already is.")
            kind = one.type.strip().upper()
            if _TYPE.fullmatch(kind) is None:
                valid = "BIGINT, BOOLEAN, DATE, DECIMAL(p,s), DOUBLE, FLOAT, INT, SMALLINT, STRING, TIMESTAMP, TIMESTAMP_NTZ, TINYINT"
                raise ObjectInvalid(f"{where}.type", f"is '{one.type}'. Valid: {valid}.")
            found[one.name] = _value(one.value, kind)
        return found


class StatementError(BaseModel):
    """Why a statement has failed."""

    error_code: str
    message: str


class StatementStatus(BaseModel):
    """How far a statement is."""

    state: State
    error: StatementError | None = None
    sql_state: str | None = None


class ResultColumn(BaseModel):
    """A column of a result."""

    name: str
    position: int
    type_name: str
    type_text: str
    type_precision: int | None = None
    type_scale: int | None = None


class ResultSchema(BaseModel):
    """The columns of a result."""

    column_count: int
    columns: list[ResultColumn]


class ResultChunk(BaseModel):
    """Which rows of a result a chunk has."""

    chunk_index: int
    row_offset: int
    row_count: int
    byte_count: int | None = None


class ResultManifest(BaseModel):
    """What a result is made of."""

    format: Format
    schema_: Annotated[ResultSchema, Field(serialization_alias="schema")]
    total_chunk_count: int
    chunks: list[ResultChunk]
    total_row_count: int
    total_byte_count: int | None = None
    truncated: bool


class ResultLink(ResultChunk):
    """Where a chunk can be fetched without a token, until ``expiration``."""

    external_link: str
    expiration: str
    next_chunk_index: int | None = None
    next_chunk_internal_link: str | None = None


class ResultData(BaseModel):
    """One chunk of a result: its rows, or where they are."""

    chunk_index: int | None = None
    row_offset: int | None = None
    row_count: int | None = None
    data_array: list[list[str | None]] | None = None
    external_links: list[ResultLink] | None = None
    next_chunk_index: int | None = None
    next_chunk_internal_link: str | None = None


class StatementResponse(BaseModel):
    """A statement, and its result once it has one."""

    statement_id: str
    status: StatementStatus
    manifest: ResultManifest | None = None
    result: ResultData | None = None


def _value(text: str | None, kind: str) -> Value:
    if text is None:
        return Raw("NULL" if kind == "VOID" else f"CAST(NULL AS {kind})")
    if kind == "STRING":
        return text
    if kind in {"INT", "INTEGER"} and _INT.fullmatch(text):
        # As a literal it can stand in LIMIT too.
        return int(text)
    return Raw(f"CAST({literal(text)} AS {kind})")
