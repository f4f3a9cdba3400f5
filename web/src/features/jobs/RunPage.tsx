import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams, useSearchParams } from "react-router";
import { call, get, path } from "../../api/client";
import { duration, time } from "../../api/format";
import { Dag } from "../../ui/Dag";
import { Badge, Empty, Failure, Head, Loaded } from "../../ui/primitives";
import "./jobs.css";
import { TaskPanel } from "./TaskPanel";
import { commitText, isRunning, iterations, kindText, newest, nodes, type Run, stateOf, type TaskRun, tone, triggerText, words } from "./types";

/** What can be done with a run: stopped while it runs, its failed tasks done again afterwards. */
function Actions({ run }: { run: Run }) {
  const queries = useQueryClient();
  const act = useMutation({
    mutationFn: (repair: boolean) => call("POST", `/api/2.2/jobs/runs/${repair ? "repair" : "cancel"}`, { run_id: run.run_id, ...(repair ? { rerun_all_failed_tasks: true } : {}) }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["run", String(run.run_id)] }),
  });
  const running = isRunning(run);
  const failed = (run.tasks ?? []).some((task) => ["bad", "warning"].includes(tone(stateOf(task))));
  return (
    <>
      <div className="actions">
        {running ? <button type="button" className="button bad" disabled={act.isPending} onClick={() => act.mutate(false)}>Cancel</button> : null}
        {!running && failed ? <button type="button" className="button" disabled={act.isPending} title="Run the failed tasks and those that follow once more" onClick={() => act.mutate(true)}>Repair</button> : null}
      </div>
      {act.error ? <div className="gap"><Failure error={act.error} /></div> : null}
    </>
  );
}

const card = ({ name, task }: { name: string; task: TaskRun }) => {
  const state = stateOf(task);
  const took = task.execution_duration ? duration(task.execution_duration) : "";
  const facts = [iterations(task), task.attempt_number ? `attempt ${task.attempt_number + 1}` : "", took].filter(Boolean).join(" · ");
  return { name, kind: <>{kindText(task)}<i className={`dot ${tone(state)}`} />{words(state)}</>, facts, tone: tone(state) };
};

/** A run: the graph of its tasks, and what the one that is chosen gave. A task's own identifier leads here too. */
export function RunPage() {
  const { id = "", run: runId = "" } = useParams();
  const [params, setParams] = useSearchParams();
  const query = useQuery({
    queryKey: ["run", runId],
    queryFn: () => get<Run>(`/api/2.2/jobs/runs/get?run_id=${encodeURIComponent(runId)}&include_history=true`),
    refetchInterval: ({ state }) => (state.data && isRunning(state.data) ? 1500 : false),
  });
  return (
    <Loaded query={query}>
      {(run) => {
        const tasks = newest(run.tasks ?? []);
        const chosen = params.get("task") ?? (tasks.length === 1 ? tasks[0]?.task_key : undefined) ?? null;
        const task = tasks.find((one) => one.task_key === chosen);
        const choose = (name: string) => setParams(name === params.get("task") ? {} : { task: name }, { replace: true });
        const parameters = run.job_parameters ?? [];
        return (
          <>
            <Head title={run.run_name || `Run ${run.run_id}`} sub={
              <>
                {run.run_type === "JOB_RUN" ? <><Link to={path("/jobs", id)}>The job</Link>, run {run.number_in_job}. </> : null}
                Started {triggerText(run.trigger)} at {time(run.start_time)} UTC, with the rights of {run.run_as_user_name}{isRunning(run) ? "" : `; took ${duration(run.run_duration)}`}
                {run.git_source ? <div className="mono faint">{commitText(run)}</div> : null}
                {parameters.length > 0 ? <div className="mono faint">{parameters.map((one) => `${one.name} = ${one.value ?? one.default ?? ""}`).join(", ")}</div> : null}
              </>
            }>
              <Badge tone={tone(stateOf(run))}>{words(stateOf(run))}</Badge>
            </Head>
            <Actions run={run} />
            {run.state.state_message ? <div className={`note gap ${tone(stateOf(run)) === "bad" ? "bad" : ""}`}>{run.state.state_message}</div> : null}
            {tasks.length === 0 ? <Empty title="This run has no tasks" /> : (
              <section className="panel flush" aria-label="Graph">
                <Dag nodes={nodes(tasks)} card={card} chosen={chosen} onChoose={choose} />
              </section>
            )}
            {task ? <TaskPanel key={task.run_id} task={task} attempts={(run.tasks ?? []).filter((one) => one.task_key === task.task_key)} /> : tasks.length > 0 ? <p className="soft">Choose a task to see what it gave.</p> : null}
          </>
        );
      }}
    </Loaded>
  );
}
