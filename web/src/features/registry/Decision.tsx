import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call, path } from "../../api/client";
import { Failure } from "../../ui/primitives";
import { decisions, DEPLOYMENTS, type VersionDeployment } from "./deployment";

/** Approve or reject, and why. */
export function Decision({ model, version, record }: { model: string; version: string; record: VersionDeployment }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const task = record.run?.tasks.find((one) => one.key.toLowerCase().startsWith("approval"))?.key;
  const rejected = decisions(record.events).filter(({ verdict }) => verdict === "rejected");
  const decide = useMutation({
    mutationFn: (verdict: "approved" | "rejected") =>
      call<{ problem: string | null }>("POST", `${path(DEPLOYMENTS, model, "versions", version)}/decision`, { verdict, reason, ...(task ? { task } : {}) }),
    onSuccess: async () => {
      setReason("");
      await queries.invalidateQueries({ queryKey: ["deployment", model] });
    },
  });
  return (
    <section className="panel" aria-label="Decision">
      <h2>{record.approved ? "Approved" : rejected.length ? "Rejected" : "Approve this version?"}</h2>
      {rejected.map((event) => <p key={event.id} className="bad">{event.name} was rejected by {event.principal}{event.reason ? `: ${event.reason}` : "."}</p>)}
      <form className="stack" onSubmit={(event) => { event.preventDefault(); decide.mutate("approved"); }}>
        <div>
          <label htmlFor="reason">Reason</label>
          <input id="reason" className="field" value={reason} placeholder="What you looked at" onChange={(event) => setReason(event.target.value)} />
        </div>
        <div className="actions">
          <button type="submit" className="button" disabled={decide.isPending || record.may_not_decide !== null}>Approve</button>
          <button type="button" className="button bad" disabled={decide.isPending || !record.may_reject} onClick={() => decide.mutate("rejected")}>Reject</button>
        </div>
      </form>
      {record.may_not_decide ? <p className="soft">It cannot be approved{record.may_reject ? "" : " or rejected"} by {record.may_not_decide}.</p> : null}
      {decide.error ? <div className="gap"><Failure error={decide.error} /></div> : null}
      {decide.data?.problem ? <div className="note bad gap"><strong>The run did not go on</strong>{decide.data.problem}</div> : null}
    </section>
  );
}
