import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { get, path } from "../../api/client";
import { figure, time } from "../../api/format";
import { Badge, Empty, Head, Loaded } from "../../ui/primitives";
import { PermissionsView } from "../catalog/PermissionsView";
import { useSecurable } from "../catalog/securable";
import { Tags } from "../catalog/Tags";
import { stageTone } from "./activities";
import { type Deployment, DEPLOYMENTS, history, tagsOf, tone, words } from "./deployment";
import { History } from "./History";
import { RunLink, useRun } from "./RunLink";
import type { ModelVersion, RegisteredModel } from "./types";

const SHOWN_METRICS = 6;

function Metrics({ id }: { id: string }) {
  const metrics = useRun(id).data?.run.data?.metrics ?? [];
  if (!metrics.length) return <span className="faint">–</span>;
  return (
    <>
      {metrics.slice(0, SHOWN_METRICS).map(({ key, value }) => <div key={key}><span className="mono">{key}</span> {figure(Number(value))}</div>)}
      {metrics.length > SHOWN_METRICS ? <div className="faint">and {metrics.length - SHOWN_METRICS} more in the run</div> : null}
    </>
  );
}

/** The model's deployment job, and what its policy asks for. */
function Policy({ deployment }: { deployment: Deployment }) {
  const { policy } = deployment;
  const asks = [
    policy.four_eyes ? "four eyes" : "", policy.reason_required ? "a reason" : "", policy.automatic ? "approval where all evaluations pass" : "",
    policy.protected_aliases?.length ? `an approval before ${policy.protected_aliases.join(", ")}` : "",
  ].filter(Boolean);
  const { deployment_job_id: job, deployment_job_state: state } = deployment;
  return (
    <p className="soft">
      {job ? <>New versions start <Link to={path("/jobs", job)}>a deployment job</Link>{state === "CONNECTED" ? "" : `, which cannot start: ${words(state)}`}. </> : "No deployment job is connected. "}
      {asks.length > 0 ? `The policy asks for ${asks.join(", ")}.` : ""}
    </p>
  );
}

function Version({ model, version, aliases }: { model: string; version: ModelVersion; aliases: string[] }) {
  const { approvals, others } = tagsOf(version.tags);
  return (
    <tr>
      <td className="num"><Link to={path("/models", model, "versions", version.version)}>{version.version}</Link></td>
      <td className="wrap"><span className="marks">{aliases.map((alias) => <Badge key={alias} tone="accent long">{alias}</Badge>)}</span></td>
      <td>{version.current_stage && version.current_stage !== "None" ? <Badge tone={stageTone(version.current_stage)}>{version.current_stage}</Badge> : <span className="faint">–</span>}</td>
      <td>{version.deployment_job_state?.run_state ? <Badge tone={tone(version.deployment_job_state.run_state)}>{words(version.deployment_job_state.run_state)}</Badge> : <span className="faint">–</span>}</td>
      <td className="wrap">{approvals.length === 0 ? <span className="faint">–</span> : approvals.map(([key, value]) => <div key={key}><Badge tone={tone(value)}>{value}</Badge>{key === "approval" ? "" : <span className="soft"> {key}</span>}</div>)}</td>
      <td className="nowrap">{time(version.creation_timestamp)}</td>
      <td>{version.run_id ? <RunLink id={version.run_id} /> : "–"}</td>
      <td className="soft wrap">{version.run_id ? <Metrics id={version.run_id} /> : "–"}</td>
      <td className="soft wrap">{Object.entries(others).map(([key, value]) => <div key={key}><span className="mono">{key}</span> {value}</div>)}</td>
    </tr>
  );
}

export function ModelPage() {
  const { name = "" } = useParams();
  const model = useQuery({ queryKey: ["model", name], queryFn: () => get<RegisteredModel>(`${path("/api/2.1/unity-catalog/models", name)}?include_aliases=true`) });
  const tagged = useQuery({ queryKey: ["model tags", name], queryFn: () => get<{ registered_model: { tags?: { key: string; value: string }[] } }>(`/api/2.0/mlflow/registered-models/get?name=${encodeURIComponent(name)}`) });
  const securable = useSecurable("registered_model", name);
  const filter = encodeURIComponent(`name = '${name.replaceAll("'", "")}'`);
  const versions = useQuery({ queryKey: ["versions", name], queryFn: () => get<{ model_versions?: ModelVersion[] }>(`/api/2.0/mlflow/model-versions/search?filter=${filter}&max_results=200`) });
  const deployment = useQuery({ queryKey: ["deployment", name, "model"], queryFn: () => get<Deployment>(path(DEPLOYMENTS, name)) });
  return (
    <Loaded query={model}>
      {(found) => (
        <>
          <Head title={found.full_name} sub={<>{found.comment ? <div>{found.comment}</div> : null}Owner: {found.owner ?? "–"}<div><Tags tags={{ ...securable.data?.tags, ...tagsOf(tagged.data?.registered_model.tags).others }} /></div></>}>
            <a className="button quiet" href={`/mlflow/#/models/${encodeURIComponent(name)}`}>Open in MLflow</a>
          </Head>
          {deployment.data ? <Policy deployment={deployment.data} /> : null}
          <Loaded query={versions}>
            {({ model_versions: rows = [] }) => rows.length === 0 ? <Empty title="No version yet" /> : (
              <section className="panel flush">
                <div className="scroll whole">
                  <table className="data">
                    <thead><tr><th className="num">Version</th><th>Aliases</th><th>Stage</th><th>Deployment</th><th>Approval</th><th>Created (UTC)</th><th>Run</th><th>Metrics of the run</th><th>Tags</th></tr></thead>
                    <tbody>
                      {[...rows].sort((a, b) => Number(b.version) - Number(a.version)).map((version) => (
                        <Version key={version.version} model={name} version={version} aliases={(found.aliases ?? []).filter((alias) => String(alias.version_num) === version.version).map((alias) => alias.alias_name)} />
                      ))}
                    </tbody>
                  </table>
                </div>
              </section>
            )}
          </Loaded>
          <section className="gap-above" aria-label="Permissions">
            <h2>Permissions</h2>
            <PermissionsView kind="registered_model" name={name} owner={found.owner ?? "–"} />
          </section>
          {deployment.data ? <History model={name} events={history([...deployment.data.events].reverse())} /> : null}
        </>
      )}
    </Loaded>
  );
}
