import { useQuery } from "@tanstack/react-query";
import { useContext, useDeferredValue } from "react";
import { get } from "../../api/client";
import { time } from "../../api/format";
import { DraftContext, Problems, Setting, Switch } from "./inputs";
import { at, STARTS, startOf, withStart } from "./settings";

/** When a schedule comes next, as the server reckons it. */
function Next({ expression, zone }: { expression: string; zone: string }) {
  const query = useQuery({
    queryKey: ["schedule", expression, zone],
    queryFn: () => get<{ times: number[] }>(`/api/boathouse/v1/job-schedules/next?quartz_cron_expression=${encodeURIComponent(expression)}&timezone_id=${encodeURIComponent(zone)}`),
    retry: false,
  });
  if (query.error) return <p className="problem" role="alert">{query.error.message}</p>;
  if (!query.data) return null;
  return <p className="soft" aria-label="Next times">{query.data.times.length === 0 ? "It never comes." : `Next at ${query.data.times.map(time).join(", ")} UTC`}</p>;
}

function Schedule() {
  const { settings } = useContext(DraftContext);
  const expression = useDeferredValue(String(at(settings, "schedule.quartz_cron_expression") ?? ""));
  const zone = useDeferredValue(String(at(settings, "schedule.timezone_id") ?? "UTC"));
  return (
    <>
      <div className="quality-fields">
        <Setting path="schedule.quartz_cron_expression" label="Quartz expression" hint="second minute hour day month weekday" />
        <Setting path="schedule.timezone_id" label="Time zone" hint="Europe/Vienna" />
      </div>
      {expression ? <Next expression={expression} zone={zone} /> : null}
    </>
  );
}

const FIELDS: Record<string, React.ReactNode> = {
  schedule: <Schedule />,
  "trigger.periodic": (
    <div className="quality-fields">
      <Setting path="trigger.periodic.interval" label="Every" shape="number" />
      <Setting path="trigger.periodic.unit" label="Unit" shape="choice" options={["MINUTES", "HOURS", "DAYS", "WEEKS"]} />
    </div>
  ),
  "trigger.file_arrival": <Setting path="trigger.file_arrival.url" label="Folder" hint="/Volumes/catalog/schema/volume/folder/" />,
  "trigger.table_update": <Setting path="trigger.table_update.table_names" label="Tables" shape="lines" hint="catalog.schema.table, one a line" />,
  "trigger.model": (
    <div className="quality-fields">
      <Setting path="trigger.model.condition" label="What happens" shape="choice" options={["MODEL_CREATED", "MODEL_VERSION_READY", "MODEL_ALIAS_SET"]} />
      <Setting path="trigger.model.securable_name" label="Of which model" hint="any, or catalog.schema.model" />
    </div>
  ),
  "trigger.boathouse_event": <Setting path="trigger.boathouse_event.name" label="Event" />,
};

/** What starts a job. */
export function StartForm() {
  const { settings, change } = useContext(DraftContext);
  const start = startOf(settings);
  const top = start.split(".")[0] ?? "";
  return (
    <section className="panel stack gap" aria-label="When it runs">
      <h2>When it runs</h2>
      <div>
        <label htmlFor="job-start">Starts</label>
        <select id="job-start" className="field pick" value={start} onChange={(event) => change(withStart(settings, event.target.value))}>
          {Object.entries(STARTS).map(([path, { label }]) => <option key={path} value={path}>{label}</option>)}
        </select>
      </div>
      <div key={start}>{FIELDS[start]}</div>
      {top ? <Switch path={`${top}.pause_status`} label="Paused" on="PAUSED" off="UNPAUSED" /> : null}
      {["schedule", "trigger", "continuous"].map((one) => <Problems key={one} path={one} />)}
      <div className="quality-fields">
        <Setting path="max_concurrent_runs" label="Most runs at once" shape="number" hint="1" />
        <Setting path="timeout_seconds" label="Most seconds of a run, 0 for no bound" shape="number" hint="0" />
      </div>
      <Switch path="queue.enabled" label="Runs wait while too many run" />
    </section>
  );
}
