import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { call, get, path, type Schemas } from "../../api/client";
import { Failure } from "../../ui/primitives";

const MONITORS = "/api/data-quality/v1/monitors";
const key = ["quality-monitors"];

/** Whether the tables of a schema are looked at; who manages it can enable it, check now, and disable it. */
export function SchemaMonitor({ id, mayManage }: { id: string; mayManage: boolean }) {
  const client = useQueryClient();
  const query = useQuery({ queryKey: key, queryFn: () => get<Schemas["MonitorList"]>(`${MONITORS}?page_size=1000`) });
  const one = path(`${MONITORS}/schema`, id);
  const act = useMutation({
    mutationFn: async (what: "enable" | "check" | "disable") => {
      if (what === "disable") return call("DELETE", one);
      if (what === "enable") await call("POST", MONITORS, { object_type: "schema", object_id: id, anomaly_detection_config: {} });
      return call("POST", `${one}/refreshes`);
    },
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: key }), client.invalidateQueries({ queryKey: ["health"] })]),
  });
  if (!query.data) return null;
  const monitor = query.data.monitors.find((found) => found.object_id === id);
  const left = monitor?.anomaly_detection_config?.excluded_table_full_names ?? [];
  const why = mayManage ? undefined : "It needs MANAGE on this schema.";
  const button = (what: "enable" | "check" | "disable", text: string) => (
    <button type="button" className="button quiet" disabled={why !== undefined || act.isPending} title={why} onClick={() => act.mutate(what)}>{text}</button>
  );
  return (
    <section className="panel gap-above" aria-label="Freshness and rows">
      <h2>Freshness and rows</h2>
      <p className="soft">
        {monitor ? "Every hour the logs of these tables are looked at: whether data comes when it used to, and as many rows as used to come. Each table's page says how it is." : "Monitoring checks every hour, by their logs, whether the tables of this schema get their data in time and whole. It is off."}
        {left.length ? ` Left out: ${left.join(", ")}.` : ""}
      </p>
      <div className="actions">{monitor ? <>{button("check", "Check now")}{button("disable", "Disable monitoring")}</> : button("enable", "Enable monitoring")}</div>
      {act.error ? <Failure error={act.error} /> : null}
    </section>
  );
}
