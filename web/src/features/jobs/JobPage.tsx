import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { call, get, path } from "../../api/client";
import { Dag } from "../../ui/Dag";
import { Empty, Failure, Head, Loaded, Snippet, Tabs } from "../../ui/primitives";
import "./jobs.css";
import { RunsTable, useRuns } from "./RunsTable";
import { type Job, kindText, nodes, type Task, when } from "./types";

const TABS = ["Runs", "Tasks", "Settings"];

const given = (task: Task): string => (task.depends_on ?? []).map((one) => (one.outcome ? `if ${one.task_key} is ${one.outcome}` : "")).filter(Boolean).join(", ");

/** Change it, make another like it, or delete it, which is asked for twice. */
function Manage({ job }: { job: Job }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [asked, setAsked] = useState(false);
  const id = String(job.job_id);
  const remove = useMutation({
    mutationFn: () => call("POST", "/api/2.2/jobs/delete", { job_id: job.job_id }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["jobs"] });
      await navigate("/jobs");
    },
  });
  return (
    <div>
      <div className="actions">
        <Link className="button quiet" to={`${path("/jobs", id)}/edit`}>Edit</Link>
        <Link className="button quiet" to={`/jobs/new?from=${encodeURIComponent(id)}`}>Clone</Link>
        {asked ? (
          <>
            <button type="button" className="button bad" disabled={remove.isPending} onClick={() => remove.mutate()}>Delete {job.settings.name || `job ${id}`} and cancel its runs</button>
            <button type="button" className="button quiet" onClick={() => setAsked(false)}>Keep it</button>
          </>
        ) : <button type="button" className="button quiet" onClick={() => setAsked(true)}>Delete</button>}
      </div>
      {remove.error ? <div className="gap"><Failure error={remove.error} title="It was not deleted" /></div> : null}
    </div>
  );
}

/** Start a run; its parameters can be changed before. */
function RunNow({ job }: { job: Job }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const defaults = job.settings.parameters ?? [];
  const [values, setValues] = useState<Record<string, string> | null>(null);
  const start = useMutation({
    mutationFn: () => call<{ run_id: number }>("POST", "/api/2.2/jobs/run-now", { job_id: job.job_id, ...(values ? { job_parameters: values } : {}) }),
    onSuccess: async ({ run_id }) => {
      await queries.invalidateQueries({ queryKey: ["runs"] });
      await navigate(path("/jobs", String(job.job_id), "runs", String(run_id)));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    start.mutate();
  };
  return (
    <>
      <div className="actions">
        <button type="button" className="button" disabled={start.isPending} onClick={() => start.mutate()}>Run now</button>
        {defaults.length > 0 ? <button type="button" className="button quiet" aria-expanded={values !== null} onClick={() => setValues(values ? null : Object.fromEntries(defaults.map((one) => [one.name, one.default])))}>Run with other parameters</button> : null}
      </div>
      {values ? (
        <form className="panel stack gap parameters" onSubmit={submit} aria-label="Parameters of the run">
          {defaults.map(({ name }) => (
            <div key={name}>
              <label htmlFor={`parameter-${name}`}>{name}</label>
              <input id={`parameter-${name}`} className="field" value={values[name] ?? ""} onChange={(event) => setValues({ ...values, [name]: event.target.value })} />
            </div>
          ))}
          <div><button type="submit" className="button" disabled={start.isPending}>Run with these</button></div>
        </form>
      ) : null}
      {start.error ? <div className="gap"><Failure error={start.error} title="It was not started" /></div> : null}
    </>
  );
}

function Runs({ id }: { id: string }) {
  return <RunsTable query={useRuns(id)} empty="Run now starts the first." />;
}

/** A job: its runs, its tasks, its settings. */
export function JobPage() {
  const { id = "" } = useParams();
  const [params, setParams] = useSearchParams();
  const tab = TABS.map((one) => one.toLowerCase()).find((one) => one === params.get("tab")) ?? "runs";
  const chosen = params.get("task");
  const query = useQuery({ queryKey: ["job", id], queryFn: () => get<Job>(`/api/2.2/jobs/get?job_id=${encodeURIComponent(id)}`) });
  const choose = (name: string) => {
    const next = new URLSearchParams(params);
    if (name === chosen) next.delete("task");
    else next.set("task", name);
    setParams(next, { replace: true });
  };
  return (
    <Loaded query={query}>
      {(job) => {
        const { settings } = job;
        const tasks = settings.tasks ?? [];
        const task = tasks.find((one) => one.task_key === chosen);
        return (
          <>
            <Head title={settings.name || `Job ${job.job_id}`} sub={<>{settings.description ? <>{settings.description}<br /></> : null}{when(settings) ? `Runs ${when(settings)}` : "Runs when it is started"}, with the rights of {job.run_as_user_name}</>}>
              <Manage job={job} />
            </Head>
            <RunNow job={job} />
            <Tabs tabs={TABS} current={tab} />
            {tab === "runs" && <Runs id={id} />}
            {tab === "tasks" && (tasks.length === 0 ? <Empty title="This job has no tasks" /> : (
              <>
                <section className="panel flush" aria-label="Graph">
                  <Dag nodes={nodes(tasks)} card={(node) => ({ name: node.name, kind: kindText(node.task), facts: given(node.task), tone: "" })} chosen={chosen} onChoose={choose} />
                </section>
                {task ? <section className="panel gap-above"><h2>{task.task_key}</h2><Snippet text={JSON.stringify(task, null, 2)} /></section> : null}
              </>
            ))}
            {tab === "settings" && <Snippet text={JSON.stringify(settings, null, 2)} />}
          </>
        );
      }}
    </Loaded>
  );
}
