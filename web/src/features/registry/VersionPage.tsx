import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { call, get, path } from "../../api/client";
import { duration, time } from "../../api/format";
import { Badge, Failure, Head, Loaded } from "../../ui/primitives";
import { Lineage } from "../catalog/Lineage";
import { About } from "./About";
import { Decision } from "./Decision";
import { Deployed } from "./Deployed";
import { type Deployment, DEPLOYMENTS, evidence, history, tone, type VersionDeployment, words } from "./deployment";
import { Evidence } from "./Evidence";
import { Held } from "./Held";
import { History } from "./History";
import { Stage } from "./Stage";

interface Version {
  created_by?: string;
  created_at?: number;
  comment?: string | null;
  aliases?: { alias_name: string }[];
  run_id?: string;
}

type Run = NonNullable<VersionDeployment["run"]>;

/** The tasks of the job's run, as steps. */
function Steps({ run, current }: { run: Run; current: string }) {
  return (
    <section className="strip" aria-label="Steps" style={{ gridTemplateColumns: `repeat(auto-fit, minmax(150px, 1fr))`, marginBottom: 16 }}>
      {run.tasks.map((task) => {
        const waits = run.ended_at !== null && task.key === current && current.toLowerCase().startsWith("approval");
        const state = waits ? "APPROVAL" : (task.result ?? task.state);
        return (
          <Link key={task.key} className="stage" to={`${path("/jobs", String(run.job_id), "runs", String(run.run_id))}?task=${encodeURIComponent(task.key)}`}>
            <div className="label">{task.key}</div>
            <div style={{ margin: "4px 0" }}><Badge tone={tone(state)}>{words(state)}</Badge></div>
            <div className="detail">{task.attempt > 0 ? `attempt ${task.attempt + 1}` : ""} {task.started_at && task.ended_at ? duration(task.ended_at - task.started_at) : ""}</div>
          </Link>
        );
      })}
    </section>
  );
}

/** Starts the deployment job for this version. */
function Start({ model, version, again }: { model: string; version: string; again: boolean }) {
  const queries = useQueryClient();
  const start = useMutation({
    mutationFn: () => call("POST", `${path(DEPLOYMENTS, model, "versions", version)}/run`),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["deployment", model] }),
  });
  return (
    <>
      <button type="button" className="button quiet" disabled={start.isPending} onClick={() => start.mutate()}>{again ? "Run the job again" : "Start the deployment job"}</button>
      {start.error ? <Failure error={start.error} /> : null}
    </>
  );
}

/** A model's version on its way to production. */
export function VersionPage() {
  const { name = "", version = "" } = useParams();
  const known = useQuery({ queryKey: ["version", name, version], queryFn: () => get<Version>(path("/api/2.1/unity-catalog/models", name, "versions", version)) });
  const model = useQuery({ queryKey: ["deployment", name, "model"], queryFn: () => get<Deployment>(path(DEPLOYMENTS, name)) });
  const record = useQuery({
    queryKey: ["deployment", name, version],
    queryFn: () => get<VersionDeployment>(path(DEPLOYMENTS, name, "versions", version)),
    refetchInterval: ({ state }) => (["RUNNING", "PENDING"].includes(state.data?.run_state ?? "") ? 1500 : false),
  });
  const aliases = (known.data?.aliases ?? []).map((one) => one.alias_name);
  return (
    <Loaded query={record}>
      {(found) => (
        <>
          <Head title={`${name} ${version}`} sub={<><Link to={path("/models", name)}>The model</Link>. Registered by {known.data?.created_by ?? "–"} at {time(known.data?.created_at)} UTC{known.data?.comment ? <div>{known.data.comment}</div> : null}</>}>
            {found.run_state ? <Badge tone={tone(found.run_state)}>{words(found.run_state)}</Badge> : null}
            {found.may_manage && model.data?.deployment_job_id && !["RUNNING", "PENDING"].includes(found.run_state ?? "") ? <Start model={name} version={version} again={found.run !== null} /> : null}
          </Head>
          {found.problem ? <div className="note bad" style={{ marginBottom: 16 }}><strong>The deployment job did not start</strong>{found.problem}</div> : null}
          {found.run ? <Steps run={found.run} current={found.current_task} /> : null}
          <Evidence events={evidence(found.events)} />
          <div className="grid2">
            <Decision model={name} version={version} record={found} />
            <Deployed model={name} version={version} aliases={aliases} mayManage={found.may_manage} />
          </div>
          <About model={name} version={version} run={known.data?.run_id} />
          <Stage model={name} version={version} />
          <Held model={name} version={version} />
          <Lineage type="model_version" name={`${name}/${version}`} title="Lineage" />
          <History events={history(found.events)} />
        </>
      )}
    </Loaded>
  );
}
