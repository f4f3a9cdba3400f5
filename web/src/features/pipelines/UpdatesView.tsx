import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { duration, time } from "../../api/format";
import { Badge, Empty, Loaded } from "../../ui/primitives";
import { asked, tone, type Update, words } from "./types";

const CAUSES: Record<string, string> = {
  API_CALL: "the API", USER_ACTION: "this page", JOB_TASK: "a job", RETRY_ON_FAILURE: "a restart of the server", SCHEMA_CHANGE: "a change of a schema",
};

/** The updates of a pipeline; each leads to its graph and its events. */
export function UpdatesView({ id, running }: { id: string; running: boolean }) {
  const query = useInfiniteQuery({
    queryKey: ["pipeline", id, "updates"],
    queryFn: ({ pageParam }) => get<Schemas["UpdateList"]>(`${path("/api/boathouse/v1/pipelines", id)}/updates?offset=${pageParam}`),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next_offset,
    refetchInterval: running ? 1500 : 10_000,
  });
  const updates: Update[] | undefined = query.data?.pages.flatMap((page) => page.updates);
  return (
    <Loaded query={{ data: updates, error: query.error }}>
      {(shown) => shown.length === 0 ? <Empty title="No update yet">Start makes the tables of the pipeline.</Empty> : (
        <section className="panel flush">
          <div className="scroll">
            <table className="data">
              <thead><tr><th>Started (UTC)</th><th>State</th><th>What</th><th className="num">Took</th><th>Started by</th><th>Update</th></tr></thead>
              <tbody>
                {shown.map((update) => (
                  <tr key={update.update_id}>
                    <td><Link to={`?tab=graph&update=${update.update_id}`}>{time(update.started_at)}</Link></td>
                    <td><Badge tone={tone(update.state)}>{words(update.state)}</Badge></td>
                    <td title={asked(update)}>{asked(update)}</td>
                    <td className="num soft">{update.ended_at ? duration(update.ended_at - update.started_at) : "–"}</td>
                    <td className="soft">{CAUSES[update.cause] ?? words(update.cause)}</td>
                    <td className="mono soft"><Link to={`?tab=events&update=${update.update_id}`} title="Its events">{update.update_id.slice(0, 8)}</Link></td>
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
