"""Runs: the graph, conditions, iterations, values, retries, limits, repairs, queues."""

import json
from itertools import pairwise
from typing import Any

import pytest

from boathouse.errors import BoathouseError, InvalidState
from boathouse.jobs.errors import JobNotFound, JobPermissionMissing, RepairOutdated, RunNotFound, SettingsInvalid
from boathouse.jobs.graph import Result
from boathouse.jobs.models import JobRunRow
from boathouse.jobs.runs import RunService, Wanted
from boathouse.jobs.schemas import AccessBody, RunNowBody, SettingsBody
from tests.jobs.harness import SECONDS, Harness, act, results, until


def of(run: dict[str, Any], key: str) -> dict[str, Any]:
    return next(one for one in run["tasks"] if one["task_key"] == key)


@pytest.mark.parametrize(
    ("run_if", "after_one_of_each", "after_success", "after_failures"),
    [
        ("ALL_SUCCESS", "UPSTREAM_FAILED", "SUCCESS", "UPSTREAM_FAILED"),
        ("ALL_DONE", "SUCCESS", "SUCCESS", "SUCCESS"),
        ("NONE_FAILED", "UPSTREAM_FAILED", "SUCCESS", "UPSTREAM_FAILED"),
        ("AT_LEAST_ONE_SUCCESS", "SUCCESS", "SUCCESS", "UPSTREAM_FAILED"),
        ("ALL_FAILED", "EXCLUDED", "EXCLUDED", "SUCCESS"),
        ("AT_LEAST_ONE_FAILED", "SUCCESS", "EXCLUDED", "SUCCESS"),
    ],
)
def test_run_if(jobs: Harness, run_if: str, after_one_of_each: str, after_success: str, after_failures: str) -> None:
    run = jobs.run(
        act("good"),
        act("bad", error="it broke"),
        act("bad2", error="it broke"),
        act("each", "good", "bad", run_if=run_if),
        act("goods", "good", run_if=run_if),
        act("bads", "bad", "bad2", run_if=run_if),
        act("last", "goods"),
    )
    found = results(run)
    assert (found["each"], found["goods"], found["bads"]) == (after_one_of_each, after_success, after_failures)
    assert found["last"] == ("EXCLUDED" if after_success == "EXCLUDED" else "SUCCESS")
    failed = "UPSTREAM_FAILED" in {found["each"], found["goods"], found["bads"], found["last"]}
    assert run["state"]["result_state"] == ("FAILED" if failed else "SUCCESS_WITH_FAILURES")
    assert "Task bad has failed: it broke" in run["state"]["state_message"]
    assert of(run, "bad")["status"]["termination_details"] == {
        "code": "RUN_EXECUTION_ERROR",
        "type": "CLIENT_ERROR",
        "message": "it broke",
    }


def test_values_conditions_and_iterations(jobs: Harness) -> None:
    nested = act("one", say="{{input.name}} {{tasks.first.values.label}} {{task.name}}", failures=1, task={"max_retries": 1})
    del nested["depends_on"]
    condition = {"op": "GREATER_THAN", "left": "{{tasks.first.values.count}}", "right": "{{job.parameters.least}}"}
    job_id = jobs.create(
        act("first", values={"count": 12, "label": "a b", "items": [{"name": "x"}, {"name": "y"}, {"name": "z"}]}),
        {"task_key": "many", "depends_on": [{"task_key": "first"}], "condition_task": condition},
        act("yes", "many=true", say="{{job.id}}|{{job.run_id}}|{{job.start_time.iso_date}}|{{other}}|{{start_time}}"),
        act("no", "many=false"),
        act("joined", "yes", "no", say="{{tasks.yes.result_state}} {{tasks.no.result_state}}"),
        {
            "task_key": "all",
            "depends_on": [{"task_key": "first"}],
            "for_each_task": {"inputs": "{{tasks.first.values.items}}", "concurrency": 2, "task": nested},
        },
        parameters=[{"name": "least", "default": "9"}],
    )
    run_id = jobs.start(job_id)
    run = jobs.ended(run_id, resolved=True)
    assert results(run) == {
        "first": "SUCCESS",
        "many": "SUCCESS",
        "yes": "SUCCESS",
        "no": "EXCLUDED",
        "joined": "SUCCESS",
        "all": "SUCCESS",
    }
    assert of(run, "many")["condition_task"] == {**condition, "outcome": "true"}
    assert of(run, "many")["resolved_values"] == {"condition_task": {"left": "12", "right": "9"}}
    said = {key: spec["say"] for key, _, spec in jobs.act.began if key in {"yes", "joined"}}
    assert said["joined"] == "success excluded"
    date, moment = said["yes"].split("|")[2], said["yes"].split("|")[4]
    assert said["yes"] == f"{job_id}|{run_id}|{date}|{{{{other}}}}|{moment}"
    assert len(date) == 10
    assert moment.isdecimal()
    whole = jobs.view(of(run, "all")["run_id"])
    assert [(one["attempt_number"], one["state"]["result_state"]) for one in whole["iterations"]] == [(1, "SUCCESS")] * 3
    begun = [spec["say"] for key, attempt, spec in jobs.act.began if key == "one" and attempt == 1]
    assert sorted(begun) == ["x a b one", "y a b one", "z a b one"]
    stats = of(run, "all")["for_each_task"]["stats"]["task_run_stats"]
    assert stats == {
        "total_iterations": 3,
        "scheduled_iterations": 3,
        "active_iterations": 0,
        "completed_iterations": 3,
        "failed_iterations": 0,
        "succeeded_iterations": 3,
    }
    # Other values of the parameters take the other way.
    other = jobs.ended(jobs.start(job_id, job_parameters={"least": "100"}))
    assert (results(other)["yes"], results(other)["no"]) == ("EXCLUDED", "SUCCESS")
    assert other["job_parameters"] == [{"name": "least", "default": "9", "value": "100"}]


def test_iterations_that_fail_and_their_number_at_once(jobs: Harness) -> None:
    jobs.act.most_at_once = 0
    nested = {"task_key": "step", "act_task": {"pause": 0.05, "error": "no {{input}}"}}
    run = jobs.run(
        {"task_key": "each", "for_each_task": {"inputs": json.dumps(["a", 2, None, True]), "concurrency": 3, "task": nested}},
        {"task_key": "none", "for_each_task": {"inputs": "[]", "task": nested}},
    )
    assert results(run) == {"each": "FAILED", "none": "SUCCESS"}
    assert jobs.act.most_at_once == 3
    assert "4 of 4 iterations have not succeeded. The first: no a" in of(run, "each")["state"]["state_message"]
    assert of(run, "each")["for_each_task"]["stats"]["error_message_stats"][0]["count"] == 1
    wrong = jobs.run({"task_key": "each", "for_each_task": {"inputs": "{{job.name}}", "task": nested}}, name="no array")
    assert of(wrong, "each")["state"]["state_message"].startswith("for_each_task.inputs is no JSON")


def test_retries_and_time_limits(jobs: Harness) -> None:
    run_id = jobs.start(
        jobs.create(
            act("recovers", failures=2, task={"max_retries": 2, "min_retry_interval_millis": 20}),
            act("gives up", failures=5, task={"max_retries": 1}) | {"task_key": "gives_up"},
            act("slow", pause=30, task={"timeout_seconds": 1}),
            act("twice", pause=30, task={"timeout_seconds": 1, "max_retries": 1, "retry_on_timeout": True}),
            act("off", task={"disabled": True}),
            act("after_off", "off"),
        )
    )
    run = jobs.ended(run_id, history=True)
    found = [(one["task_key"], one["attempt_number"], one["state"]["result_state"]) for one in run["tasks"]]
    assert sorted(found) == [
        ("after_off", 0, "SUCCESS"),
        ("gives_up", 0, "FAILED"),
        ("gives_up", 1, "FAILED"),
        ("off", 0, "DISABLED"),
        ("recovers", 0, "FAILED"),
        ("recovers", 1, "FAILED"),
        ("recovers", 2, "SUCCESS"),
        ("slow", 0, "TIMEDOUT"),
        ("twice", 0, "TIMEDOUT"),
        ("twice", 1, "TIMEDOUT"),
    ]
    second = next(one for one in run["tasks"] if (one["task_key"], one["attempt_number"]) == ("recovers", 1))
    first = next(one for one in run["tasks"] if (one["task_key"], one["attempt_number"]) == ("recovers", 0))
    assert second["start_time"] + second["queue_duration"] >= first["end_time"] + 20
    whole = jobs.ended(jobs.start(jobs.create(act("slow", pause=30), act("next", "slow"), timeout_seconds=1)))
    assert (whole["state"]["result_state"], results(whole)) == ("TIMEDOUT", {"slow": "TIMEDOUT", "next": "TIMEDOUT"})


def test_a_task_that_takes_long_to_end_is_canceled_once(jobs: Harness) -> None:
    """Its worker looks for what is to end again and again; a second time would break off the record of how it has ended."""
    run_id = jobs.submit(act("ends_slowly", pause=SECONDS, ends_in=0.5))
    until(lambda: any(key == "ends_slowly" for key, *_ in jobs.act.began), "the task")
    for _ in range(80):
        # Each wakes the worker.
        jobs.cancel(run_id)
    assert jobs.ended(run_id)["state"]["result_state"] == "CANCELED"
    assert jobs.act.canceled.count("ends_slowly") == 1


def test_run_job_cancel_and_permissions(jobs: Harness) -> None:
    inner = jobs.create(act("inside", say="{{job.parameters.x}}"), parameters=[{"name": "x", "default": "0"}])
    steer = {"task_key": "call", "run_job_task": {"job_id": inner, "job_parameters": {"x": "{{job.run_id}}"}}}
    run_id = jobs.start(outer := jobs.create(steer, act("then", "call")))
    run = jobs.ended(run_id)
    assert results(run) == {"call": "SUCCESS", "then": "SUCCESS"}
    assert [spec["say"] for key, _, spec in jobs.act.began if key == "inside"] == [str(run_id)]
    started = jobs.details(of(run, "call")["run_id"]).task
    assert started is not None
    inner_run = jobs.view(started.output["run_job_output"]["run_id"])
    assert (inner_run["job_id"], inner_run["trigger"]) == (inner, "RUN_JOB_TASK")

    # Canceling a run cancels what it has started; tasks that have not begun end with it.
    waiting = jobs.create(act("waits", pause=60))
    body = {"task_key": "call", "run_job_task": {"job_id": waiting}}
    run_id = jobs.start(jobs.create(body, act("after", "call")))
    until(lambda: any(key == "waits" for key, _, _ in jobs.act.began), "the inner run did not begin")
    jobs.cancel(run_id)
    run = jobs.ended(run_id)
    assert (run["state"]["result_state"], results(run)) == ("CANCELED", {"call": "CANCELED", "after": "CANCELED"})
    assert jobs.act.canceled[-1] == "waits"

    # Circles end, and a run may only start what its principal may.
    both = jobs.create(act("one"))
    again = jobs.create({"task_key": "call", "run_job_task": {"job_id": both}})
    circle = {"task_key": "one", "run_job_task": {"job_id": again}}
    jobs.do(
        jobs.jobs.manage(jobs.admin, lambda service: service.update(both, SettingsBody.model_validate({"tasks": [circle]}), []))
    )
    ended = jobs.ended(jobs.start(both))
    assert ended["state"]["result_state"] == "FAILED"
    mine = jobs.user("mine@example.com")
    refused = jobs.start(jobs.create({"task_key": "call", "run_job_task": {"job_id": outer}}, by=mine), by=mine)
    assert f"Job {outer} does not exist." in of(jobs.ended(refused), "call")["state"]["state_message"]
    check_permissions(jobs, outer)


def check_permissions(jobs: Harness, job_id: int) -> None:
    other = jobs.user("other@example.com")
    for refused in (lambda: jobs.start(job_id, by=other), lambda: jobs.do(jobs.jobs.manage(other, lambda s: s.get(job_id)))):
        with pytest.raises(JobNotFound):
            refused()
    assert jobs.do(jobs.jobs.manage(other, lambda s: s.listed(None, 10, None, 0))) == []
    view = AccessBody(user_name="other@example.com", permission_level="CAN_VIEW")
    jobs.do(jobs.jobs.manage(jobs.admin, lambda s: s.set_access(job_id, [view], replace=False)))
    assert [one.id for one in jobs.do(jobs.jobs.manage(other, lambda s: s.listed(None, 10, None, 0)))] == [job_id]
    with pytest.raises(JobPermissionMissing, match="CAN_MANAGE_RUN"):
        jobs.start(job_id, by=other)
    runs = jobs.do(
        jobs.jobs.manage_runs(other, lambda s: s.listed(Wanted(job_id=job_id), 10, None, 0, with_tasks=False), write=False)
    )
    assert runs
    with pytest.raises(JobPermissionMissing, match="CAN_MANAGE "):
        jobs.do(jobs.jobs.manage_runs(other, lambda s: s.delete(runs[0].run.id)))
    run_too = view.model_copy(update={"permission_level": "CAN_MANAGE_RUN"})
    jobs.do(jobs.jobs.manage(jobs.admin, lambda s: s.set_access(job_id, [run_too], replace=True)))
    jobs.ended(jobs.start(job_id, by=other))
    with pytest.raises(JobPermissionMissing, match="CAN_MANAGE"):
        jobs.do(jobs.jobs.manage(other, lambda s: s.delete(job_id)))


def test_a_repair_does_what_failed_and_what_follows(jobs: Harness) -> None:
    job_id = jobs.create(
        act("good"), act("bad", "good", failures=1), act("after", "bad"), act("apart", "good"), parameters=[{"name": "p"}]
    )
    run_id = jobs.start(job_id)
    assert results(jobs.ended(run_id)) == {"good": "SUCCESS", "bad": "FAILED", "after": "UPSTREAM_FAILED", "apart": "SUCCESS"}
    for asked, told in (({}, "none are named"), ({"rerun_tasks": ["nope"]}, "no task of the run")):
        with pytest.raises(SettingsInvalid, match=told):
            jobs.repair(run_id, **asked)
    repair_id = jobs.repair(run_id, rerun_all_failed_tasks=True, job_parameters={"p": "2"})
    run = jobs.ended(run_id, history=True)
    assert run["state"]["result_state"] == "SUCCESS"
    assert sorted((one["task_key"], one["attempt_number"]) for one in run["tasks"]) == [
        ("after", 0),
        ("after", 1),
        ("apart", 0),
        ("bad", 0),
        ("bad", 1),
        ("good", 0),
    ]
    original, repair = run["repair_history"]
    assert (original["type"], original["state"]["result_state"], len(original["task_run_ids"])) == ("ORIGINAL", "FAILED", 4)
    assert (repair["type"], repair["id"], repair["state"]["result_state"]) == ("REPAIR", repair_id, "SUCCESS")
    assert len(repair["task_run_ids"]) == 2
    with pytest.raises(RepairOutdated):
        jobs.repair(run_id, rerun_tasks=["good"])
    with pytest.raises(SettingsInvalid, match="no task of the run has failed"):
        jobs.repair(run_id, rerun_all_failed_tasks=True, latest_repair_id=repair_id)
    jobs.repair(run_id, rerun_tasks=["good"], rerun_dependent_tasks=True, latest_repair_id=repair_id)
    again = jobs.ended(run_id)
    assert {one["task_key"]: one["attempt_number"] for one in again["tasks"]} == {"good": 1, "bad": 2, "after": 2, "apart": 1}


def test_many_runs_at_once_wait_or_are_skipped(jobs: Harness) -> None:
    jobs.act.gate.clear()
    task = act("held", wait=True)
    skipping, waiting = jobs.create(task, max_concurrent_runs=1), jobs.create(task, queue={"enabled": True})
    first, second = jobs.start(skipping), jobs.start(skipping)
    skipped = jobs.ended(second)
    assert (skipped["state"]["life_cycle_state"], skipped["state"]["result_state"]) == (
        "SKIPPED",
        "MAXIMUM_CONCURRENT_RUNS_REACHED",
    )
    queue = [jobs.start(waiting) for _ in range(4)]
    until(lambda: jobs.view(queue[0])["state"]["life_cycle_state"] == "RUNNING", "the first did not run")
    assert [jobs.view(one)["state"]["life_cycle_state"] for one in queue[1:]] == ["QUEUED"] * 3
    jobs.cancel(queue[3])
    assert jobs.ended(queue[3])["state"]["result_state"] == "CANCELED"
    with pytest.raises(InvalidState, match="is active"):
        jobs.do(jobs.jobs.manage_runs(jobs.admin, lambda service: service.delete(first)))
    jobs.act.gate.set()
    ends = [jobs.ended(one) for one in (first, *queue[:3])]
    assert {one["state"]["result_state"] for one in ends} == {"SUCCESS"}
    for earlier, later in pairwise(ends[1:]):
        assert later["start_time"] + later["queue_duration"] >= earlier["end_time"]
    # The same token is the same run, and one that is forgotten is gone.
    once = jobs.start(waiting, idempotency_token="t")
    assert jobs.start(waiting, idempotency_token="t") == once
    jobs.ended(once)
    jobs.do(jobs.jobs.manage_runs(jobs.admin, lambda service: service.delete(once)))
    with pytest.raises(RunNotFound):
        jobs.view(once)
    submitted = jobs.submit(act("a", say="x"), run_name="sent", idempotency_token="s")
    assert jobs.submit(act("b"), idempotency_token="s") == submitted
    assert (jobs.ended(submitted)["run_name"], jobs.view(submitted)["run_type"]) == ("sent", "SUBMIT_RUN")


def test_a_tasks_token_acts_for_its_run_and_ends_with_it(jobs: Harness) -> None:
    jobs.act.gate.clear()
    run_id = jobs.start(jobs.create(act("asks", token=True, wait=True)))
    try:
        until(lambda: jobs.act.tokens, "no token")
        token = jobs.act.tokens.pop()
        principal = jobs.authenticator.authenticate(token)
        assert (principal.name, principal.job_run) == ("admin", (str(jobs.view(run_id)["job_id"]), str(run_id)))
        assert not principal.is_internal
    finally:
        jobs.act.gate.set()
    jobs.ended(run_id)
    with pytest.raises(BoathouseError):
        jobs.authenticator.authenticate(token)
    assert Result(str(jobs.details(run_id).run.result)) is Result.SUCCESS


def test_runs_that_are_taken_on_together_do_not_share_their_ends(jobs: Harness) -> None:
    """One whose message PostgreSQL cannot keep as it is, and one that the scheduler cannot take on at all."""
    bad = jobs.create(act("a", error="no\0thing"), max_concurrent_runs=10)
    good = jobs.create(act("a", say="x"), act("b", "a"), max_concurrent_runs=10)
    with jobs.database.session(write=True) as session:
        # All are looked at in one transaction, as none is before this one has ended.
        begun = [
            RunService(session, jobs.admin, jobs.jobs.kinds).run_now(RunNowBody(job_id=one)).id
            for one in (good, bad, good, good)
        ]
        broken = session.get_one(JobRunRow, begun[2])
        session.flush()
        broken.settings = {**broken.settings, "timeout_seconds": "soon"}
    ends = [jobs.ended(one) for one in (begun[0], begun[1], begun[3])]
    assert [one["state"]["result_state"] for one in ends] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert ends[1]["tasks"][0]["state"]["state_message"] == "no\N{REPLACEMENT CHARACTER}thing"
    assert jobs.view(begun[2])["state"]["life_cycle_state"] in {"PENDING", "RUNNING"}
    with jobs.database.session(write=True) as session:
        broken = session.get_one(JobRunRow, begun[2])
        broken.settings, broken.wake_at = {**broken.settings, "timeout_seconds": 0}, 1
    assert jobs.ended(begun[2])["state"]["result_state"] == "SUCCESS"
