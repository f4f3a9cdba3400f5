import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get, path } from "../../api/client";
import { duration, time } from "../../api/format";
import { Badge, Empty, Loaded } from "../../ui/primitives";
import { isRunning, type Run, stateOf, tone, triggerText, words } from "./types";

interface Page {
  runs?: Run[];
  next_page_token?: string;
}

/** Runs, the newest first: of one job, or of all. */
export function useRuns(job: string | null) {
  return useInfiniteQuery({
    queryKey: ["runs", job],
    queryFn: ({ pageParam }) => get<Page>(`/api/2.2/jobs/runs/list?limit=25${job === null ? "" : `&job_id=${job}`}${pageParam ? `&page_token=${encodeURIComponent(pageParam)}` : ""}`),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token,
    refetchInterval: ({ state }) => (state.data?.pages.some((page) => page.runs?.some(isRunning)) ? 1500 : 8000),
  });
}

export function RunsTable({ query, named, empty }: { query: ReturnType<typeof useRuns>; named?: boolean; empty: string }) {
  const runs = query.data?.pages.flatMap((page) => page.runs ?? []);
  return (
    <Loaded query={{ data: runs, error: query.error }}>
      {(shown) => shown.length === 0 ? <Empty title="No run yet">{empty}</Empty> : (
        <section className="panel flush">
          <div className="scroll">
            <table className="data list" aria-label="Runs">
              <thead><tr><th>Started (UTC)</th>{named ? <th>Job</th> : null}<th>State</th><th>Started</th><th className="num">Took</th><th>Runs as</th></tr></thead>
              <tbody>
                {shown.map((run) => (
                  <tr key={run.run_id}>
                    <td className="nowrap"><Link to={path("/jobs", String(run.job_id), "runs", String(run.run_id))}>{time(run.start_time)}</Link></td>
                    {named ? <td className="wrap">{run.run_name}</td> : null}
                    <td className="nowrap" title={run.state.state_message}><Badge tone={tone(stateOf(run))}>{words(stateOf(run))}</Badge></td>
                    <td className="soft nowrap">{triggerText(run.trigger)}</td>
                    <td className="num soft nowrap">{isRunning(run) ? `since ${duration(Date.now() - run.start_time)}` : duration(run.run_duration)}</td>
                    <td className="soft wrap">{run.run_as_user_name}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {query.hasNextPage ? <p className="foot"><button type="button" className="button quiet" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</button></p> : null}
        </section>
      )}
    </Loaded>
  );
}
