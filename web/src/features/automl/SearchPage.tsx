import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { ApiError, call, get } from "../../api/client";
import { duration, figure } from "../../api/format";
import { Badge, Empty, Failure, Head, Loaded, Name } from "../../ui/primitives";
import { isRunning, type Run, stateOf, tone, words } from "../jobs/types";
import { href } from "../workspace/paths";
import { type Experiment, type MlflowRun, tagsOf, type Trial, trialsOf } from "./automl";

interface Warning {
  kind: string;
  message: string;
}

const RUN_TONES: Record<string, string> = { FINISHED: "good", FAILED: "bad", KILLED: "warning", RUNNING: "accent" };

/** What is not there yet is null. */
async function perhaps<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** What the search itself says: its state, why it failed, and the way to stop it. */
function State({ run }: { run: Run }) {
  const queries = useQueryClient();
  const stop = useMutation({
    mutationFn: () => call("POST", "/api/2.2/jobs/runs/cancel", { run_id: run.run_id }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["run", String(run.run_id)] }),
  });
  const failed = tone(stateOf(run)) === "bad";
  return (
    <>
      <div className="actions">
        {isRunning(run) ? <button type="button" className="button bad" disabled={stop.isPending} onClick={() => stop.mutate()}>Stop</button> : null}
        <Link className="button quiet" to={`/jobs/${run.job_id}/runs/${run.run_id}`}>The run and its log</Link>
      </div>
      {stop.error ? <Failure error={stop.error} /> : null}
      {failed ? <ErrorOf run={run} /> : null}
    </>
  );
}

function ErrorOf({ run }: { run: Run }) {
  const task = run.tasks?.at(-1)?.run_id;
  const output = useQuery({ queryKey: ["automl-output", task], queryFn: () => get<{ error?: string }>(`/api/2.2/jobs/runs/get-output?run_id=${task}`), enabled: task !== undefined });
  return <Failure title="The search has failed" error={output.data?.error ?? run.state.state_message ?? "Its log says why."} />;
}

function Board({ trials, metric, experiment }: { trials: Trial[]; metric: string; experiment: string }) {
  const tested = trials.some((one) => one.test !== undefined);
  return (
    <section className="panel flush" aria-label="Leaderboard">
      <div className="scroll">
        <table className="data list">
          <thead><tr><th>Trial</th><th>Model</th><th className="num">{metric}</th>{tested ? <th className="num">{metric.replace(/^val_/, "test_")}</th> : null}<th>Took</th><th>State</th><th>Look</th></tr></thead>
          <tbody>{trials.map((one) => (
            <tr key={one.run}>
              <td>{one.number}</td>
              <td className="wrap">{one.model}</td>
              <td className="num">{one.score === undefined ? "" : figure(one.score)}</td>
              {tested ? <td className="num soft">{one.test === undefined ? "" : figure(one.test)}</td> : null}
              <td className="soft nowrap">{one.took === undefined ? "" : duration(one.took)}</td>
              <td><Badge tone={RUN_TONES[one.status] ?? ""}>{one.status.toLowerCase()}</Badge></td>
              <td className="nowrap">{one.notebook ? <><Link to={href(one.notebook)}>notebook</Link> · </> : null}<a href={`/mlflow/#/experiments/${experiment}/runs/${one.run}`}>run</a></td>
            </tr>
          ))}</tbody>
        </table>
      </div>
    </section>
  );
}

/** One search: how it goes, what was seen in the data, and the leaderboard. */
export function SearchPage() {
  const [params] = useSearchParams();
  const name = params.get("name") ?? "";
  const runId = params.get("run") ?? "";
  const run = useQuery({
    queryKey: ["run", runId],
    queryFn: () => perhaps(get<Run>(`/api/2.2/jobs/runs/get?run_id=${encodeURIComponent(runId)}`)),
    enabled: runId !== "",
    refetchInterval: ({ state }) => (state.data && isRunning(state.data) ? 2000 : false),
  });
  const running = run.data ? isRunning(run.data) : false;
  const experiment = useQuery({
    queryKey: ["automl-experiment", name],
    queryFn: () => perhaps(get<{ experiment: Experiment }>(`/api/2.0/mlflow/experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`)),
    refetchInterval: ({ state }) => (running && !state.data ? 2000 : false),
  });
  const found = experiment.data?.experiment;
  const tags = tagsOf(found?.tags);
  const runs = useQuery({
    queryKey: ["automl-runs", found?.experiment_id, running],
    queryFn: () => call<{ runs?: MlflowRun[] }>("POST", "/api/2.0/mlflow/runs/search", { experiment_ids: [found?.experiment_id], max_results: 1000 }),
    enabled: found !== undefined,
    refetchInterval: running ? 3000 : false,
    placeholderData: (before) => before,
  });
  const data = runs.data?.runs?.find((one) => "automl.target" in tagsOf(one.data.tags))?.info.run_id;
  const warnings = useQuery({
    queryKey: ["automl-warnings", data],
    queryFn: () => get<{ warnings: Warning[] }>(`/get-artifact?run_id=${data}&path=warnings.json`),
    enabled: data !== undefined && runs.data?.runs?.find((one) => one.info.run_id === data)?.info.status === "FINISHED",
  });
  const all = trialsOf(runs.data?.runs ?? [], tags["automl.metric"] ?? "", tags["automl.direction"] ?? "");
  // What a stopped search was at could not say its end.
  const trials = run.data && !running ? all.map((one) => (one.status === "RUNNING" ? { ...one, status: "STOPPED" } : one)) : all;
  return (
    <>
      <Head title={name.slice(name.lastIndexOf("/") + 1)} sub={
        <>
          <Link to="/automl">AutoML</Link>{tags["automl.dataset"] ? <>: {tags["automl.target"]} of <Name text={tags["automl.dataset"]} />, {tags["automl.minutes"]} minutes at most. </> : ". "}
          {found ? <a href={`/mlflow/#/experiments/${found.experiment_id}`}>The experiment</a> : null}
        </>
      }>
        {run.data ? <Badge tone={tone(stateOf(run.data))}>{words(stateOf(run.data))}</Badge> : null}
      </Head>
      {run.data ? <State run={run.data} /> : run.error ? <Failure error={run.error} /> : null}
      {warnings.data && warnings.data.warnings.length > 0 ? (
        <section className="panel gap" aria-label="Warnings">
          <h2>What to know of the data</h2>
          {warnings.data.warnings.map((one, index) => <p key={index}><Badge tone={one.kind === "leak" ? "bad" : "warning"}>{one.kind.replaceAll("_", " ")}</Badge> <Name text={one.message} /></p>)}
        </section>
      ) : null}
      <Loaded query={{ data: experiment.data === undefined ? undefined : { there: experiment.data !== null }, error: experiment.error }}>
        {({ there }) => !there && run.data && !running ? null : !there ? (
          <Empty title={running ? "The search begins" : "There is no such experiment"}>{running ? "The data is read and looked at first." : null}</Empty>
        ) : trials.length === 0 ? <Empty title={running ? "No trial has ended yet" : "No trial has ended"} /> : (
          <Board trials={trials} metric={tags["automl.metric"] ?? ""} experiment={found?.experiment_id ?? ""} />
        )}
      </Loaded>
    </>
  );
}
