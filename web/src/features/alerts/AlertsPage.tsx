import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get, path } from "../../api/client";
import { ago } from "../../api/format";
import { Badge, Head, Loaded, Name, Snippet } from "../../ui/primitives";
import { type Alert, condition, TONES } from "./types";

const FIRST = `from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import *

w = WorkspaceClient()
w.alerts_v2.create_alert(AlertV2(
    display_name="late flights",
    query_text="SELECT count(*) AS n FROM main.flights.gold WHERE delay > 120",
    warehouse_id=next(iter(w.warehouses.list())).id,
    evaluation=AlertV2Evaluation(
        source=AlertV2OperandColumn(name="n"),
        comparison_operator=ComparisonOperator.GREATER_THAN,
        threshold=AlertV2Operand(value=AlertV2OperandValue(double_value=500)),
    ),
    schedule=CronSchedule(quartz_cron_schedule="0 0 7 * * ?", timezone_id="UTC"),
))`;

/** All alerts that the asker may see. */
export function AlertsPage() {
  const query = useInfiniteQuery({
    queryKey: ["alerts"],
    queryFn: ({ pageParam }) => get<{ alerts?: Alert[]; next_page_token?: string }>(`/api/2.0/alerts?page_size=100${pageParam ? `&page_token=${encodeURIComponent(pageParam)}` : ""}`),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token,
    refetchInterval: 10_000,
  });
  const found = query.data?.pages.flatMap((page) => page.alerts ?? []);
  return (
    <>
      <Head title="Alerts" sub="Queries whose results are compared on a schedule." />
      <Loaded query={{ data: found, error: query.error }}>
        {(shown) => shown.length === 0 ? (
          <section className="panel">
            <h2>No alert yet</h2>
            <p className="soft">An alert executes a query, compares what it gives, and tells people when that is not as it should be. Make one from any client:</p>
            <Snippet text={FIRST} />
          </section>
        ) : (
          <section className="panel flush">
            <div className="scroll">
              <table className="data list">
                <thead><tr><th>Alert</th><th>State</th><th>Triggered when</th><th>Evaluated</th><th>Owner</th></tr></thead>
                <tbody>{shown.map((one) => (
                  <tr key={one.id}>
                    <td className="wrap"><Link to={path("/alerts", one.id)}><Name text={one.display_name} /></Link></td>
                    <td className="nowrap"><Badge tone={TONES[one.evaluation.state ?? ""] ?? ""}>{(one.evaluation.state ?? "UNKNOWN").toLowerCase()}</Badge></td>
                    <td className="wrap">{condition(one.evaluation)}</td>
                    <td className="soft nowrap">{one.evaluation.last_evaluated_at ? ago(Date.parse(one.evaluation.last_evaluated_at)) : "never"}</td>
                    <td className="soft wrap">{one.owner_user_name}</td>
                  </tr>
                ))}</tbody>
              </table>
            </div>
            {query.hasNextPage ? <p className="foot"><button type="button" className="button quiet" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</button></p> : null}
          </section>
        )}
      </Loaded>
    </>
  );
}
