import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { get, path } from "../../api/client";
import { ago, time } from "../../api/format";
import { Badge, Empty, Head, Loaded, Snippet } from "../../ui/primitives";
import { isRunning, type Pipeline, tone, words } from "./types";

const FIRST = `from databricks.sdk import WorkspaceClient
from databricks.sdk.service.pipelines import PathPattern, PipelineLibrary

w = WorkspaceClient()
made = w.pipelines.create(
    name="shop", catalog="main", schema="shop",
    libraries=[PipelineLibrary(glob=PathPattern(include="/Volumes/main/shop/code/**"))],
)
w.pipelines.start_update(made.pipeline_id)`;

interface Page {
  statuses: Pipeline[];
  next_page_token?: string;
}

function Row({ pipeline }: { pipeline: Pipeline }) {
  const last = pipeline.latest_updates?.[0];
  const started = last ? Date.parse(last.creation_time) : null;
  return (
    <tr>
      <td className="wrap"><Link to={path("/pipelines", pipeline.pipeline_id)}>{pipeline.name}</Link></td>
      <td>{last ? <Badge tone={tone(last.state)}>{words(last.state)}</Badge> : <span className="faint">never run</span>}</td>
      <td className="soft nowrap" title={time(started)}>{started ? `${isRunning(last) ? "since " : ""}${ago(started)}` : "–"}</td>
      <td className="soft wrap">{pipeline.creator_user_name}{pipeline.run_as_user_name === pipeline.creator_user_name ? "" : `, runs as ${pipeline.run_as_user_name}`}</td>
    </tr>
  );
}

export function PipelinesPage() {
  const [params, setParams] = useSearchParams();
  const name = params.get("q") ?? "";
  const filter = name ? `&filter=${encodeURIComponent(`name LIKE '%${name.replaceAll("'", "''")}%'`)}` : "";
  const query = useInfiniteQuery({
    queryKey: ["pipelines", name],
    queryFn: ({ pageParam }) => get<Page>(`/api/2.0/pipelines?max_results=50${filter}${pageParam ? `&page_token=${pageParam}` : ""}`),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token,
    refetchInterval: 5000,
    placeholderData: (before) => before,
  });
  const pipelines = query.data?.pages.flatMap((page) => page.statuses);
  return (
    <>
      <Head title="Pipelines" sub="Tables that are declared, and kept up to date from what they read" />
      <Loaded query={{ data: pipelines, error: query.error }}>
        {(shown) => shown.length === 0 && !name ? (
          <section className="panel">
            <h2>No pipeline yet</h2>
            <p className="soft">A pipeline is a set of .py and .sql files that say what its tables are. Put them in a volume, and make it from any client:</p>
            <Snippet text={FIRST} />
            <p className="soft">The demo's step 1 makes one of real files: <code>boathouse demo</code>.</p>
          </section>
        ) : (
          <>
            <input type="search" className="field pick gap" placeholder="Find by name" aria-label="Find by name" maxLength={200} value={name} onChange={(event) => setParams(event.target.value ? { q: event.target.value } : {}, { replace: true })} />
            {shown.length === 0 ? <Empty title={`No pipeline has “${name}” in its name`} /> : (
              <section className="panel flush">
                <div className="scroll">
                  <table className="data list">
                    <thead><tr><th>Pipeline</th><th>Last update</th><th>Started</th><th>Creator</th></tr></thead>
                    <tbody>{shown.map((pipeline) => <Row key={pipeline.pipeline_id} pipeline={pipeline} />)}</tbody>
                  </table>
                </div>
                {query.hasNextPage ? <p className="foot"><button type="button" className="button quiet" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</button></p> : null}
              </section>
            )}
          </>
        )}
      </Loaded>
    </>
  );
}
