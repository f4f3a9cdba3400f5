import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { get, path } from "../../api/client";
import { ago, time } from "../../api/format";
import { Empty, Head, Loaded, Snippet, Tabs } from "../../ui/primitives";
import { RunsTable, useRuns } from "./RunsTable";
import { type Job, when } from "./types";

const FIRST = `from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import PipelineTask, Task

w = WorkspaceClient()
job = w.jobs.create(name="nightly", tasks=[Task(task_key="load", pipeline_task=PipelineTask(pipeline_id="..."))])
w.jobs.run_now(job.job_id)`;
const TABS = ["Jobs", "Runs"];

interface Page {
  jobs?: Job[];
  next_page_token?: string;
}

function Jobs() {
  const [params, setParams] = useSearchParams();
  const name = params.get("q") ?? "";
  const query = useInfiniteQuery({
    queryKey: ["jobs", name],
    queryFn: ({ pageParam }) => get<Page>(`/api/2.2/jobs/list?limit=50${name ? `&name=${encodeURIComponent(name)}` : ""}${pageParam ? `&page_token=${encodeURIComponent(pageParam)}` : ""}`),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token,
    refetchInterval: 10_000,
    placeholderData: (before) => before,
  });
  const jobs = query.data?.pages.flatMap((page) => page.jobs ?? []);
  return (
    <Loaded query={{ data: jobs, error: query.error }}>
      {(shown) => shown.length === 0 && !name ? (
        <section className="panel">
          <h2>No job yet</h2>
          <p className="soft">A job is a graph of tasks that run in their order, by hand, by the clock or from another job. Make one from any client:</p>
          <Snippet text={FIRST} />
        </section>
      ) : (
        <>
          <input type="search" className="field pick gap" placeholder="Find by its whole name" aria-label="Find by its whole name" maxLength={200} value={name} onChange={(event) => setParams(event.target.value ? { q: event.target.value } : {}, { replace: true })} />
          {shown.length === 0 ? <Empty title={`No job has the name “${name}”`} /> : (
            <section className="panel flush">
              <div className="scroll">
                <table className="data list">
                  <thead><tr><th>Job</th><th>Runs by itself</th><th>Made</th><th>Creator</th></tr></thead>
                  <tbody>
                    {shown.map((job) => (
                      <tr key={job.job_id}>
                        <td className="wrap"><Link to={path("/jobs", String(job.job_id))}>{job.settings.name || `Job ${job.job_id}`}</Link></td>
                        <td className="soft wrap">{when(job.settings) || "–"}</td>
                        <td className="soft nowrap" title={time(job.created_time)}>{ago(job.created_time)}</td>
                        <td className="soft wrap">{job.creator_user_name}{job.run_as_user_name === job.creator_user_name ? "" : `, runs as ${job.run_as_user_name}`}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              {query.hasNextPage ? <p className="foot"><button type="button" className="button quiet" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</button></p> : null}
            </section>
          )}
        </>
      )}
    </Loaded>
  );
}

function Runs() {
  const query = useRuns(null);
  return <RunsTable query={query} named empty="A run appears here as soon as a job is started, or tasks are submitted." />;
}

/** All jobs, and all runs. */
export function JobsPage() {
  const [params] = useSearchParams();
  const tab = params.get("tab") === "runs" ? "runs" : "jobs";
  return (
    <>
      <Head title="Jobs" sub="Tasks that run in their order, by hand, by the clock or when something happens">
        <Link className="button" to="/jobs/new">New job</Link>
      </Head>
      <Tabs tabs={TABS} current={tab} />
      {tab === "runs" ? <Runs /> : <Jobs />}
    </>
  );
}
