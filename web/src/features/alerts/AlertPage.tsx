import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "react-router";
import { call, get, path } from "../../api/client";
import { ago, time } from "../../api/format";
import { Badge, Empty, Failure, Head, Loaded, Snippet } from "../../ui/primitives";
import { type Alert, condition, type Evaluation, told, TONES } from "./types";

interface History {
  evaluations: Evaluation[];
  permission_level: string | null;
}

function Evaluations({ found }: { found: Evaluation[] }) {
  if (found.length === 0) return <Empty title="Not evaluated yet">It is on its schedule, by a job's task, or by the button above.</Empty>;
  return (
    <div className="scroll">
      <table className="data list" aria-label="Evaluations">
        <thead><tr><th>When</th><th>State</th><th className="num">Value</th><th className="num">Threshold</th><th>Error</th></tr></thead>
        <tbody>{found.map((one, index) => (
          <tr key={index}>
            <td className="soft nowrap">{time(Date.parse(one.evaluated_at))}</td>
            <td className="nowrap"><Badge tone={TONES[one.state] ?? ""}>{one.state.toLowerCase()}</Badge></td>
            <td className="num wrap">{one.value ?? ""}</td>
            <td className="num wrap">{one.threshold ?? ""}</td>
            <td className="wrap">{one.error ?? ""}</td>
          </tr>
        ))}</tbody>
      </table>
    </div>
  );
}

/** An alert: what it compares, what it has found, and when it looks again. */
export function AlertPage() {
  const { id = "" } = useParams();
  const client = useQueryClient();
  const query = useQuery({ queryKey: ["alerts", id], queryFn: () => get<Alert>(path("/api/2.0/alerts", id)), refetchInterval: 3000 });
  const history = useQuery({ queryKey: ["alerts", id, "evaluations"], queryFn: () => get<History>(`${path("/api/boathouse/v1/alerts", id)}/evaluations`), refetchInterval: 3000 });
  const act = useMutation({
    mutationFn: ({ method, to, body }: { method: string; to: string; body?: unknown }) => call(method, to, body),
    onSuccess: () => client.invalidateQueries({ queryKey: ["alerts"] }),
  });
  const level = history.data?.permission_level;
  return (
    <Loaded query={query}>
      {(alert) => {
        const paused = alert.schedule.pause_status === "PAUSED";
        const edits = level === "CAN_EDIT" || level === "CAN_MANAGE";
        return (
          <>
            <Head title={alert.display_name} sub={<>
              <Badge tone={TONES[alert.evaluation.state ?? ""] ?? ""}>{(alert.evaluation.state ?? "UNKNOWN").toLowerCase()}</Badge>{" "}
              <span className="soft">{alert.evaluation.last_evaluated_at ? `evaluated ${ago(Date.parse(alert.evaluation.last_evaluated_at))}` : "not evaluated yet"}{alert.lifecycle_state === "DELETED" ? "; in the trash" : ""}</span>
            </>}>
              {alert.lifecycle_state === "DELETED" ? null : (
                <div className="actions">
                  {edits ? <button type="button" className="button quiet" disabled={act.isPending} onClick={() => act.mutate({ method: "PATCH", to: `${path("/api/2.0/alerts", id)}?update_mask=schedule.pause_status`, body: { schedule: { pause_status: paused ? "UNPAUSED" : "PAUSED" } } })}>{paused ? "Resume" : "Pause"}</button> : null}
                  {edits || level === "CAN_RUN" ? <button type="button" className="button" disabled={act.isPending} onClick={() => act.mutate({ method: "POST", to: `${path("/api/boathouse/v1/alerts", id)}/evaluate` })}>Evaluate now</button> : null}
                </div>
              )}
            </Head>
            {act.error ? <Failure error={act.error} /> : null}
            <div className="grid2">
              <section className="panel" aria-label="History">
                <h2>Evaluations</h2>
                <Loaded query={history}>{(found) => <Evaluations found={found.evaluations} />}</Loaded>
              </section>
              <section className="panel">
                <h2>Alert</h2>
                <dl className="facts">
                  <dt>Triggered when</dt><dd>{condition(alert.evaluation)}</dd>
                  <dt>Without rows</dt><dd>{(alert.evaluation.empty_result_state ?? "unknown").toLowerCase()}</dd>
                  <dt>Schedule</dt><dd>{alert.schedule.quartz_cron_schedule} ({alert.schedule.timezone_id}){paused ? ", paused" : ""}</dd>
                  <dt>Told</dt><dd>{told(alert.evaluation)}</dd>
                  <dt>Runs as</dt><dd>{alert.run_as_user_name}</dd>
                  <dt>Owner</dt><dd>{alert.owner_user_name}</dd>
                </dl>
                <div className="gap-above"><Snippet text={alert.query_text} /></div>
              </section>
            </div>
          </>
        );
      }}
    </Loaded>
  );
}
