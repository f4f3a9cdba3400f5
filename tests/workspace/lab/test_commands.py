"""``/api/1.2`` by databricks-sdk: contexts, commands in them, and whose they are."""

import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service.compute import CommandStatus, CommandStatusResponse, ContextStatus, Language, ResultType

from tests.conftest import Server
from tests.workspace.runtime.conftest import Person


@pytest.fixture(scope="module")
def ann(server: Server) -> Person:
    name = f"u{uuid.uuid4().hex[:8]}@example.com"
    token = server.new_principal(name)
    return Person(name, token, WorkspaceClient(host=server.url, token=token, auth_type="pat"))


@pytest.fixture(scope="module")
def cluster(ann: Person) -> str:
    return next(iter(ann.client.clusters.list())).cluster_id or ""


@pytest.fixture(scope="module")
def context(ann: Person, cluster: str) -> Iterator[str]:
    made = ann.client.command_execution.create(cluster_id=cluster, language=Language.PYTHON).result()
    assert made.status is ContextStatus.RUNNING
    yield made.id or ""
    ann.client.command_execution.destroy(cluster, made.id or "")
    with pytest.raises(errors.BadRequest, match="ContextNotFound"):
        ann.client.command_execution.context_status(cluster, made.id or "")


def ended(client: WorkspaceClient, cluster: str, context: str, command: str) -> CommandStatusResponse:
    """A command's status once it has ended; the SDK's own waiting begins with a second."""
    for _ in range(1200):
        told = client.command_execution.command_status(cluster, context, command)
        if told.status in {CommandStatus.FINISHED, CommandStatus.CANCELLED, CommandStatus.ERROR}:
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def run(ann: Person, cluster: str, context: str, code: str, language: Language = Language.PYTHON) -> CommandStatusResponse:
    begun = ann.client.command_execution.execute(cluster_id=cluster, context_id=context, command=code, language=language)
    return ended(ann.client, cluster, context, begun.command_id)


def test_text_and_state(ann: Person, cluster: str, context: str) -> None:
    run(ann, cluster, context, "x = spark.sql('SELECT current_user() AS me').collect()[0].me")
    told = run(ann, cluster, context, "print(x)\n1 + 1")
    assert told.status is CommandStatus.FINISHED
    assert told.results is not None
    assert (told.results.result_type, told.results.data) == (ResultType.TEXT, f"{ann.name}\n2")


def test_a_table_has_values_and_types(ann: Person, cluster: str, context: str) -> None:
    query = "SELECT 1 AS n, 'a' AS t, CAST(NULL AS DOUBLE) AS d, DATE'2026-01-31' AS at"
    for told in (
        run(ann, cluster, context, query, Language.SQL),
        run(ann, cluster, context, f'display(spark.sql("{query}"))'),
    ):
        assert told.results is not None
        assert told.results.result_type is ResultType.TABLE
        assert told.results.data == [[1, "a", None, "2026-01-31"]]
        assert [(one["name"], one["type"]) for one in told.results.schema or []] == [
            ("n", '"integer"'),
            ("t", '"string"'),
            ("d", '"double"'),
            ("at", '"date"'),
        ]
        assert told.results.truncated is False


def test_a_failure_is_told_with_its_cause(ann: Person, cluster: str, context: str) -> None:
    told = run(ann, cluster, context, "print('before')\ndef f(): return 1 / 0\nf()")
    assert told.status is CommandStatus.FINISHED
    assert told.results is not None
    assert told.results.result_type is ResultType.ERROR
    assert told.results.summary == "ZeroDivisionError: division by zero"
    assert "in f()" in (told.results.cause or "")
    refused = run(ann, cluster, context, "SELECT * FROM nowhere.at.all", Language.SQL)
    assert refused.results is not None
    assert "nowhere" in (refused.results.summary or "")


def test_cancelling(ann: Person, cluster: str, context: str) -> None:
    execution = ann.client.command_execution
    begun = execution.execute(
        cluster_id=cluster, context_id=context, command="import time\nprint('in')\ntime.sleep(100)"
    ).command_id
    waits = execution.execute(cluster_id=cluster, context_id=context, command="print('never')").command_id
    execution.cancel(cluster_id=cluster, context_id=context, command_id=waits)
    assert ended(ann.client, cluster, context, waits).status is CommandStatus.CANCELLED
    while execution.command_status(cluster, context, begun).status is CommandStatus.QUEUED:
        time.sleep(0.02)
    execution.cancel(cluster_id=cluster, context_id=context, command_id=begun)
    assert ended(ann.client, cluster, context, begun).status is CommandStatus.CANCELLED
    after = run(ann, cluster, context, "print('goes on')")
    assert after.results is not None
    assert after.results.data == "goes on"


def test_cancelling_what_has_just_begun(ann: Person, cluster: str, context: str) -> None:
    execution = ann.client.command_execution
    for _ in range(10):
        begun = execution.execute(cluster_id=cluster, context_id=context, command="import time\ntime.sleep(100)").command_id
        execution.cancel(cluster_id=cluster, context_id=context, command_id=begun)
        assert ended(ann.client, cluster, context, begun).status is CommandStatus.CANCELLED


INTERRUPTS_THE_NEXT = """
import os, signal
seen = 'not run'
def interrupt(info):
    get_ipython().events.unregister('pre_run_cell', interrupt)
    os.kill(os.getpid(), signal.SIGINT)
get_ipython().events.register('pre_run_cell', interrupt)
"""


def test_an_interrupt_before_the_code_is_not_lost(ann: Person, cluster: str, context: str) -> None:
    run(ann, cluster, context, INTERRUPTS_THE_NEXT)
    told = run(ann, cluster, context, "seen = 'run'")
    assert told.results is not None
    assert told.results.summary == "KeyboardInterrupt: "
    shown = run(ann, cluster, context, "print(seen)")
    assert shown.results is not None
    assert shown.results.data == "not run"


def test_whose_it_is(server: Server, ann: Person, person: Callable[[], Person], cluster: str, context: str) -> None:
    bob = person()
    for client in (bob.client, WorkspaceClient(host=server.url, token=server.token, auth_type="pat")):
        with pytest.raises(errors.BadRequest, match="ContextNotFound"):
            client.command_execution.context_status(cluster, context)
        with pytest.raises(errors.BadRequest, match="ContextNotFound"):
            client.command_execution.execute(cluster_id=cluster, context_id=context, command="1")
        with pytest.raises(errors.DatabricksError):
            client.command_execution.create(cluster_id=cluster, language=Language.PYTHON)
    with pytest.raises(errors.BadRequest, match="CommandNotFound"):
        ann.client.command_execution.command_status(cluster, context, "nothing")


def test_a_process_that_ends_is_told(ann: Person, cluster: str) -> None:
    made = ann.client.command_execution.create(cluster_id=cluster, language=Language.SQL).result()
    context = made.id or ""
    begun = ann.client.command_execution.execute(
        cluster_id=cluster, context_id=context, command="import os\nos._exit(3)", language=Language.PYTHON
    )
    told = ended(ann.client, cluster, context, begun.command_id)
    assert told.status is CommandStatus.ERROR
    assert told.results is not None
    assert "exit status 3" in (told.results.summary or "")
    assert ann.client.command_execution.context_status(cluster, context).status is ContextStatus.ERROR
    with pytest.raises(errors.BadRequest, match="ContextNotRunning"):
        ann.client.command_execution.execute(cluster_id=cluster, context_id=context, command="1")
    ann.client.command_execution.destroy(cluster, context)
