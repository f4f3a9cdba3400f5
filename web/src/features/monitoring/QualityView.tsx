import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { ApiError, call, get, path, tableHref } from "../../api/client";
import { ago, time } from "../../api/format";
import { Badge, Empty, Failure, Loaded, Name } from "../../ui/primitives";
import type { Table } from "../catalog/table";
import { MetricLine } from "./MetricLine";
import { NewMonitor } from "./NewMonitor";
import { type Drift, drifted, type Figures, isCompared, KINDS, kindOf, type Monitor, type Refresh, verdict } from "./quality";

const TONES: Record<string, string> = { SUCCESS: "good", FAILED: "bad", RUNNING: "accent", PENDING: "accent" };
const isActive = (refresh: Refresh | undefined) => refresh?.state === "RUNNING" || refresh?.state === "PENDING";

function DriftTable({ drift }: { drift: Drift[] }) {
  return (
    <div className="quality-drift">
      <table className="data">
        <thead><tr><th>Column</th><th>Compared with</th><th>Verdict</th><th className="num">PSI</th><th className="num">Wasserstein</th><th className="num">Jensen-Shannon</th></tr></thead>
        <tbody>
          {drift.map((one) => (
            <tr key={`${one.column_name} ${one.drift_type}`} className={one.has_drifted ? "has-drifted" : ""}>
              <td className="mono wrap" title={one.column_name}><Name text={one.column_name} /><span className="type">{one.data_type}</span></td>
              <td>{one.drift_type === "BASELINE" ? "baseline" : "window before"}</td>
              <td>{one.has_drifted ? <Badge tone="bad">{verdict(one)}</Badge> : one.reason ? <Badge tone="warning">{verdict(one)}</Badge> : <span className="faint">{isCompared(one) ? "as before" : "not compared"}</span>}</td>
              {(["population_stability_index", "wasserstein_distance", "js_distance"] as const).map((name) => <td key={name} className="num">{drifted(one.figures[name])}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function FiguresView({ name, monitor, seen }: { name: string; monitor: Monitor; seen: number | undefined }) {
  const [params, setParams] = useSearchParams();
  const granularity = params.get("granularity") ?? "";
  const asked = granularity ? `?granularity=${encodeURIComponent(granularity)}` : "";
  const query = useQuery({
    queryKey: ["monitor", name, "figures", granularity, seen],
    queryFn: () => get<Figures>(`${path("/api/boathouse/v1/quality-monitors", name)}/figures${asked}`),
    placeholderData: (before) => before,
  });
  const choose = (key: string, value: string) => {
    const next = new URLSearchParams(params);
    next.set(key, value);
    setParams(next, { replace: true });
  };
  return (
    <Loaded query={query}>
      {(figures) => {
        const standard = figures.metrics.includes("root_mean_squared_error") ? "root_mean_squared_error" : figures.metrics.includes("accuracy_score") ? "accuracy_score" : "count";
        const metric = figures.metrics.find((one) => one === params.get("metric")) ?? standard;
        if (figures.windows.length === 0) return <Empty title="No figures yet">The first refresh has not ended, or the table has no rows of the last 30 days.</Empty>;
        return (
          <>
            <section className="panel gap" aria-label="Over the windows">
              <h2>Over the windows</h2>
              <div className="quality-fields">
                <div>
                  <label htmlFor="quality-metric">Metric</label>
                  <select id="quality-metric" className="field pick" value={metric} onChange={(event) => choose("metric", event.target.value)}>
                    {figures.metrics.map((one) => <option key={one} value={one}>{one}</option>)}
                  </select>
                </div>
                {figures.granularities.length > 1 ? (
                  <div>
                    <label htmlFor="quality-granularity">Windows of</label>
                    <select id="quality-granularity" className="field pick" value={figures.granularity ?? ""} onChange={(event) => choose("granularity", event.target.value)}>
                      {figures.granularities.map((one) => <option key={one} value={one}>{one}</option>)}
                    </select>
                  </div>
                ) : null}
              </div>
              <MetricLine windows={figures.windows} metric={metric} />
            </section>
            <section className="panel" aria-label="Drift">
              <h2>Drift in the newest window</h2>
              {figures.drift.length ? <DriftTable drift={figures.drift} /> : <p className="faint">{monitor.baseline_table_name ? "There is nothing to compare yet." : "There is nothing to compare yet: no window follows another one, and the monitor has no baseline table."}</p>}
            </section>
          </>
        );
      }}
    </Loaded>
  );
}

function MonitorView({ table, monitor, url, mayManage }: { table: Table; monitor: Monitor; url: string; mayManage: boolean }) {
  const client = useQueryClient();
  const name = table.full_name;
  const refreshes = useQuery({
    queryKey: ["monitor", name, "refreshes"],
    queryFn: () => get<{ refreshes: Refresh[] }>(`${url}/refreshes`),
    refetchInterval: (query) => (isActive(query.state.data?.refreshes[0]) ? 1000 : false),
  });
  const newest = refreshes.data?.refreshes[0];
  const act = useMutation({
    mutationFn: (what: "refresh" | "cancel" | "delete") => {
      if (what === "delete") return call<unknown>("DELETE", url);
      return call<unknown>("POST", what === "cancel" ? `${url}/refreshes/${newest?.refresh_id}/cancel` : `${url}/refreshes`);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["monitor", name] }),
  });
  const why = mayManage ? undefined : "It needs MANAGE on this table.";
  const button = (what: "refresh" | "cancel" | "delete", text: string) => (
    <button type="button" className="button quiet" disabled={why !== undefined || act.isPending} title={why} onClick={() => { if (what !== "delete" || confirm("Delete the monitor? Its metric tables stay.")) act.mutate(what); }}>{text}</button>
  );
  return (
    <>
      <section className="panel gap" aria-label="Monitor">
        <h2>{KINDS[kindOf(monitor)]} monitor</h2>
        {newest ? (
          <p className="soft wrap">
            <Badge tone={TONES[newest.state] ?? ""}>{newest.state.toLowerCase()}</Badge>{" "}
            {isActive(newest) ? "A refresh is under way." : <>Refreshed <span title={time(newest.end_time_ms)}>{ago(newest.end_time_ms)}</span>. {newest.message}</>}
          </p>
        ) : null}
        <p className="soft wrap">
          Its figures are in <Link to={tableHref(monitor.profile_metrics_table_name)}><Name text={monitor.profile_metrics_table_name} /></Link> and{" "}
          <Link to={tableHref(monitor.drift_metrics_table_name)}><Name text={monitor.drift_metrics_table_name} /></Link>.
          {monitor.baseline_table_name ? <> The baseline is <Name text={monitor.baseline_table_name} />.</> : null}
          {monitor.schedule ? ` Refreshed by the schedule ${monitor.schedule.quartz_cron_expression} (${monitor.schedule.timezone_id}).` : " It has no schedule."}
          {monitor.slicing_exprs?.length ? ` Slices: ${monitor.slicing_exprs.join(", ")}.` : ""}
        </p>
        <div className="actions">{isActive(newest) ? button("cancel", "Cancel refresh") : button("refresh", "Refresh now")}{button("delete", "Delete monitor")}</div>
        {act.error ? <Failure error={act.error} /> : null}
      </section>
      <FiguresView name={name} monitor={monitor} seen={newest?.end_time_ms ?? undefined} />
    </>
  );
}

/** The monitor of a table: what it is, how the last refresh ended, its figures; or the form that makes one. */
export function QualityView({ table, mayManage }: { table: Table; mayManage: boolean }) {
  const url = `${path("/api/2.1/unity-catalog/tables", table.full_name)}/monitor`;
  const query = useQuery({
    queryKey: ["monitor", table.full_name],
    queryFn: async () => {
      try {
        return { monitor: await get<Monitor>(url) };
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return { monitor: null };
        throw error;
      }
    },
  });
  return (
    <Loaded query={query}>
      {({ monitor }) => {
        if (monitor) return <MonitorView table={table} monitor={monitor} url={url} mayManage={mayManage} />;
        return mayManage ? <NewMonitor table={table} url={url} /> : <Empty title="This table has no monitor">Who manages the table can make one, which writes what its columns hold and how that drifts.</Empty>;
      }}
    </Loaded>
  );
}
