import { useQuery } from "@tanstack/react-query";
import { Bell, GitCommitHorizontal } from "lucide-react";
import { Link } from "react-router";
import { get, type Schemas, tableHref } from "../../api/client";
import { ago, compact, count, time } from "../../api/format";
import { Badge, Empty, Head, Loaded, Snippet } from "../../ui/primitives";

type Home = Schemas["Home"];
type Stage = Schemas["Stage"];

function StageBox({ stage }: { stage: Stage }) {
  const shown = stage.rows ?? stage.items;
  const body = (
    <>
      <span className="label">{stage.label}</span>
      <div className="value" title={count(shown)}>{compact(shown)}</div>
      <div className="detail">
        {stage.rows === null || stage.rows === undefined ? stage.detail : `rows in ${stage.detail}`}
        {stage.updated_at ? <div>{ago(stage.updated_at)}</div> : null}
      </div>
    </>
  );
  const name = `stage${stage.items ? "" : " empty"}`;
  return stage.href ? (
    <Link to={stage.href} className={name} data-stage={stage.key}>{body}</Link>
  ) : (
    <div className={name} data-stage={stage.key}>{body}</div>
  );
}

function Alerts({ alerts }: { alerts: Home["alerts"] }) {
  return (
    <section className="panel">
      <h2><Bell size={14} style={{ verticalAlign: -2 }} /> Alerts</h2>
      {alerts.length === 0 ? (
        <p className="soft">None. A monitor raises one where drift or quality passes its threshold.</p>
      ) : (
        <ul className="feed">
          {alerts.map((alert) => (
            <li key={alert.name + alert.time + alert.message}>
              <Badge tone={alert.severity}>{alert.severity}</Badge> <span className="wrap">{alert.message}</span>
              <div className="meta" title={time(alert.time)}><Link to={tableHref(alert.table)}>{alert.table}</Link> · {ago(alert.time)}</div>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Activity({ activity }: { activity: Home["activity"] }) {
  return (
    <section className="panel">
      <h2><GitCommitHorizontal size={14} style={{ verticalAlign: -2 }} /> Latest commits</h2>
      <ul className="feed">
        {activity.map((one) => (
          <li key={`${one.table}@${one.version}`}>
            <Link to={`${tableHref(one.table)}?tab=history`} className="wrap">{one.table}</Link>{" "}
            <span className="faint">version {one.version}</span>
            <div className="meta" title={time(one.time)}>
              {one.operation.toLowerCase()}{one.rows === null ? "" : ` · ${count(one.rows)} ${one.rows === 1 ? "row" : "rows"}`} · {ago(one.time)}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function FirstSteps({ home }: { home: Home }) {
  const spark = `from pyspark.sql import SparkSession
spark = SparkSession.builder.remote("${home.spark_remote}/;token=<token>").getOrCreate()
spark.sql("CREATE TABLE main.default.first AS SELECT 1 AS id")`;
  const mlflow = `export MLFLOW_TRACKING_URI=${location.origin}
export MLFLOW_TRACKING_TOKEN=$(boathouse token)`;
  return (
    <section className="panel" style={{ marginTop: 16 }}>
      <h2>The lake is empty. Three ways to begin</h2>
      <p className="soft">See the whole way once, on every flight out of New York in 2013:</p>
      <Snippet text="boathouse demo" />
      <p className="soft">Make a table from any Spark Connect client:</p>
      <Snippet text={spark} />
      <p className="soft">Track runs with MLflow:</p>
      <Snippet text={mlflow} />
    </section>
  );
}

export function HomePage() {
  const query = useQuery({ queryKey: ["home"], queryFn: () => get<Home>("/api/boathouse/v1/home"), refetchInterval: 4000 });
  return (
    <>
      <Head title="Home" sub="The way of the data, as of now" />
      <Loaded query={query}>
        {(home) => {
          const empty = home.stages.every((stage) => stage.items === 0);
          return (
            <>
              <div className="strip">{home.stages.map((stage) => <StageBox key={stage.key} stage={stage} />)}</div>
              {empty && home.activity.length === 0 ? (
                <FirstSteps home={home} />
              ) : (
                <div className="grid2">
                  {home.activity.length ? <Activity activity={home.activity} /> : <Empty title="No commits yet" />}
                  <Alerts alerts={home.alerts} />
                </div>
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}
