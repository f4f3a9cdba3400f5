import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call, get, path, type Schemas } from "../../api/client";
import { time } from "../../api/format";
import { Badge, Failure, Loaded } from "../../ui/primitives";
import { Comments } from "./Comments";
import { type Activity, ACTIVE, done, open, STAGES, stageTone } from "./activities";

type Known = Schemas["VersionActivities"];

const OLDER = "/api/2.0/mlflow";

/** Does something about a version's stage, and looks at it anew. */
function useAct(model: string, version: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ method, to, body }: { method: string; to: string; body?: Record<string, unknown> }) =>
      call(method, `${OLDER}/${to}`, method === "DELETE" ? undefined : { name: model, version, ...body }),
    onSettled: () => Promise.all([["activities", model, version], ["versions", model]].map((queryKey) => queries.invalidateQueries({ queryKey }))),
  });
}

/** Whether the versions that are in the stage leave it. */
function Archive({ stage, checked, set }: { stage: string; checked: boolean; set: (value: boolean) => void }) {
  return <div className="checks"><label><input type="checkbox" checked={checked} onChange={(event) => set(event.target.checked)} /> Archive the versions that are in {stage} now</label></div>;
}

/** Somebody asks for a stage. */
function Request({ model, version, request }: { model: string; version: string; request: Activity }) {
  const [comment, setComment] = useState("");
  const [archive, setArchive] = useState(false);
  const act = useAct(model, version);
  const actions = request.available_actions ?? [];
  const decide = (verdict: "approve" | "reject") => act.mutate({ method: "POST", to: `transition-requests/${verdict}`, body: { stage: request.to_stage, comment, ...(verdict === "approve" ? { archive_existing_versions: archive } : {}) } });
  const cancel = () => act.mutate({ method: "DELETE", to: `transition-requests/delete?${new URLSearchParams({ name: model, version, stage: request.to_stage ?? "", creator: request.user_id, comment })}` });
  const field = `request-${request.id}`;
  return (
    <li>
      <div><strong>{request.user_id}</strong> asks for <Badge tone={stageTone(request.to_stage)}>{request.to_stage}</Badge> <span className="soft">{time(request.creation_timestamp)} UTC</span></div>
      {request.comment ? <p className="said">{request.comment}</p> : null}
      {actions.length > 0 ? (
        <form className="stack gap-above" onSubmit={(event) => event.preventDefault()}>
          <div>
            <label htmlFor={field}>Comment</label>
            <input id={field} className="field" value={comment} placeholder="Why" onChange={(event) => setComment(event.target.value)} />
          </div>
          {actions.includes("APPROVE_TRANSITION_REQUEST") && ACTIVE.includes(request.to_stage ?? "") ? <Archive stage={request.to_stage ?? ""} checked={archive} set={setArchive} /> : null}
          <div className="actions">
            {actions.includes("APPROVE_TRANSITION_REQUEST") ? <button type="button" className="button" disabled={act.isPending} onClick={() => decide("approve")}>Approve</button> : null}
            {actions.includes("REJECT_TRANSITION_REQUEST") ? <button type="button" className="button bad" disabled={act.isPending} onClick={() => decide("reject")}>Reject</button> : null}
            {actions.includes("CANCEL_TRANSITION_REQUEST") ? <button type="button" className="button quiet" disabled={act.isPending} onClick={cancel}>Take back</button> : null}
          </div>
        </form>
      ) : null}
      {act.error ? <div className="gap-above"><Failure error={act.error} /></div> : null}
    </li>
  );
}

/** Moves the version, or asks for it. */
function Move({ model, version, known }: { model: string; version: string; known: Known }) {
  const others = STAGES.filter((one) => one !== known.current_stage);
  const [chosen, setChosen] = useState("");
  const [comment, setComment] = useState("");
  const [archive, setArchive] = useState(false);
  const act = useAct(model, version);
  const stage = others.find((one) => one === chosen) ?? others[0] ?? "";
  const send = (to: string, body: Record<string, unknown>) => act.mutate({ method: "POST", to, body: { stage, comment, ...body } }, { onSuccess: () => setComment("") });
  return (
    <details className="gap-above">
      <summary>{known.may_move ? "Change the stage" : "Ask for a stage"}</summary>
      <form className="stack gap-above" onSubmit={(event) => event.preventDefault()}>
        <div>
          <label htmlFor="stage">Stage</label>
          <select id="stage" className="field" value={stage} onChange={(event) => setChosen(event.target.value)}>
            {others.map((one) => <option key={one} value={one}>{one}</option>)}
          </select>
        </div>
        <div>
          <label htmlFor="stage-comment">Comment</label>
          <input id="stage-comment" className="field" value={comment} placeholder="Why" onChange={(event) => setComment(event.target.value)} />
        </div>
        {known.may_move && ACTIVE.includes(stage) ? <Archive stage={stage} checked={archive} set={setArchive} /> : null}
        <div className="actions">
          {known.may_move ? <button type="button" className="button" disabled={act.isPending} onClick={() => send("databricks/model-versions/transition-stage", { archive_existing_versions: archive && ACTIVE.includes(stage) })}>Move to {stage}</button> : null}
          <button type="button" className="button quiet" disabled={act.isPending} onClick={() => send("transition-requests/create", {})}>Ask for {stage}</button>
        </div>
      </form>
      {act.error ? <div className="gap-above"><Failure error={act.error} /></div> : null}
    </details>
  );
}

/** What became of the stage, the newest first. */
function Past({ activities }: { activities: Activity[] }) {
  if (activities.length === 0) return null;
  return (
    <details className="gap-above">
      <summary>What became of its stage ({activities.length})</summary>
      <ul className="feed gap-above">
        {activities.map((one) => (
          <li key={one.id}>
            <div><strong>{one.user_id}</strong> {done(one)} <span className="soft">{time(one.creation_timestamp)} UTC</span></div>
            {one.comment ?? one.system_comment ? <p className="said soft">{one.comment ?? one.system_comment}</p> : null}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** A version's stage with what is asked for, and what people say of it. */
export function Stage({ model, version }: { model: string; version: string }) {
  const known = useQuery({ queryKey: ["activities", model, version], queryFn: () => get<Known>(`${path("/api/boathouse/v1/models", model, "versions", version)}/activities`) });
  return (
    <Loaded query={known}>
      {(found) => {
        const requests = open(found.activities);
        return (
          <div className="grid2 gap-above">
            <section className="panel" aria-label="Stage">
              <h2>Stage</h2>
              {found.current_stage === "None" ? <p className="soft">The version is in no stage.</p> : <Badge tone={stageTone(found.current_stage)}>{found.current_stage}</Badge>}
              {requests.length > 0 ? <ul className="feed gap-above" aria-label="Requests">{requests.map((one) => <Request key={one.id} model={model} version={version} request={one} />)}</ul> : null}
              <Move model={model} version={version} known={found} />
              <Past activities={found.activities.filter((one) => one.activity_type !== "NEW_COMMENT").reverse()} />
            </section>
            <Comments model={model} version={version} comments={found.activities.filter((one) => one.activity_type === "NEW_COMMENT")} />
          </div>
        );
      }}
    </Loaded>
  );
}
