"""What a task asks with its token is told as its run's."""

import json
import uuid

from pyspark.sql import SparkSession

from boathouse.db import Database
from boathouse.db.database import sqlite_url
from boathouse.iam.api import Authenticator, IamService
from tests.conftest import Server
from tests.engine.conftest import Connect, admin_session, connect, schema, spark
from tests.jobs.harness import until

__all__ = ["admin_session", "connect", "schema", "spark"]


def test_a_query_is_its_runs(server: Server, spark: SparkSession, connect: Connect, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.a USING delta AS SELECT 1 AS id")
    database = Database(sqlite_url(server.root / "metadata.db"))
    with database.session() as session:
        admin = IamService(session).get_principal(server.client().get("/api/2.0/preview/scim/v2/Me").json()["userName"])
    job_id, run_id = uuid.uuid4().int % 10**12, uuid.uuid4().int % 10**12
    token = Authenticator(database).issue_internal_token(admin, f"job:{job_id}:{run_id}", 600)
    database.dispose()
    connect(token).sql(f"CREATE TABLE {schema}.b USING delta AS SELECT * FROM {schema}.a").collect()

    def told() -> bool:
        answer = server.client().get(
            "/api/2.0/lineage-tracking/table-lineage", params={"table_name": f"{schema}.b", "include_entity_lineage": "true"}
        )
        return str(job_id) in json.dumps(answer.json())

    until(told, "lineage does not say which job it was")
    sources = spark.sql(
        f"SELECT query_source FROM system.query.history WHERE statement_text LIKE '%{schema}.b USING%'"
    ).collect()
    assert [(row.query_source.job_info.job_id, row.query_source.job_info.job_run_id) for row in sources] == [
        (str(job_id), str(run_id))
    ]
