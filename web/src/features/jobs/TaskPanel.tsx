import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get } from "../../api/client";
import { duration } from "../../api/format";
import { Badge, Loaded, Snippet } from "../../ui/primitives";
import { SqlOutput } from "./SqlOutput";
import { isRunning, kindKey, kindText, type Output, stateOf, type TaskRun, tone, words } from "./types";

interface Views {
  views: { content: string; name: string; type: string }[];
}

/** A notebook with what its cells gave, as the run left it; its scripts do not run. */
function Result({ runId }: { runId: number }) {
  const query = useQuery({ queryKey: ["run", "export", runId], queryFn: () => get<Views>(`/api/2.2/jobs/runs/export?run_id=${runId}&views_to_export=CODE`) });
  return (
    <Loaded query={query}>
      {({ views }) => views.map((view) => <iframe key={view.name} className="result" title={`Result of ${view.name}`} sandbox="" srcDoc={view.content} />)}
    </Loaded>
  );
}

/** What an attempt of a task gave: its result, its error, its log. */
export function TaskPanel({ task, attempts }: { task: TaskRun; attempts: TaskRun[] }) {
  const [attempt, setAttempt] = useState<number>(task.run_id);
  const shown = attempts.find((one) => one.run_id === attempt) ?? task;
  const running = isRunning(shown);
  const query = useQuery({
    queryKey: ["run", "output", shown.run_id, running],
    queryFn: () => get<Output>(`/api/2.2/jobs/runs/get-output?run_id=${shown.run_id}`),
    refetchInterval: running ? 1500 : false,
  });
  return (
    <section className="panel gap-above" aria-label={`Task ${task.task_key}`}>
      <div className="panel-head">
        <h2>{task.task_key} <Badge tone={tone(stateOf(shown))}>{words(stateOf(shown))}</Badge></h2>
        <span className="soft">{kindText(task)}{shown.execution_duration ? `, ${running ? "since" : "took"} ${duration(shown.execution_duration)}` : ""}</span>
      </div>
      {attempts.length > 1 ? (
        <div className="chips" role="group" aria-label="Attempts">
          {attempts.map((one) => <button key={one.run_id} type="button" className="chip" aria-pressed={one.run_id === shown.run_id} onClick={() => setAttempt(one.run_id)}>Attempt {one.attempt_number + 1}</button>)}
        </div>
      ) : null}
      <Loaded query={query}>
        {(output) => (
          <>
            {shown.state.state_message && shown.state.state_message !== output.error ? <p className="soft message">{shown.state.state_message}</p> : null}
            {output.error ? <div className="note bad message" role="alert"><strong>Error</strong>{output.error}</div> : null}
            {output.error_trace ? <details className="gap-above"><summary>Where it happened</summary><Snippet text={output.error_trace} /></details> : null}
            {output.notebook_output?.result ? <><h3>It gave</h3><Snippet text={output.notebook_output.result} /></> : null}
            {output.sql_output?.query_output?.sql_statements ? <SqlOutput statements={output.sql_output.query_output.sql_statements} /> : null}
            {output.dbt_output?.artifacts_link ? <p><a href={new URL(output.dbt_output.artifacts_link).pathname} download>Download what dbt has made</a></p> : null}
            {kindKey(task) === "notebook_task" && !running ? <Result runId={shown.run_id} /> : null}
            {output.logs ? <><h3>Log{output.logs_truncated ? ", its end" : ""}</h3><Snippet text={output.logs} /></> : null}
            <details className="gap-above"><summary>Its settings</summary><Snippet text={JSON.stringify({ [kindKey(task)]: task[kindKey(task)], run_if: task.run_if }, null, 2)} /></details>
          </>
        )}
      </Loaded>
    </section>
  );
}
