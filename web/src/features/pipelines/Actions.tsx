import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { call, path } from "../../api/client";
import { Failure } from "../../ui/primitives";
import { type Graph, isRunning, refusal } from "./types";

const PIPELINES = "/api/2.0/pipelines";

/** Start and stop updates of a pipeline; afterwards the page shows the newest. */
export function useUpdates(id: string) {
  const queries = useQueryClient();
  const [params, setParams] = useSearchParams();
  return useMutation({
    mutationFn: ({ stop, ...body }: { stop?: boolean; full_refresh?: boolean; validate_only?: boolean; refresh_selection?: string[]; full_refresh_selection?: string[] }) =>
      stop ? call("POST", `${path(PIPELINES, id)}/stop`, {}) : call("POST", `${path(PIPELINES, id)}/updates`, { ...body, cause: "USER_ACTION" }),
    onSuccess: async () => {
      if (params.has("update")) {
        const next = new URLSearchParams(params);
        next.delete("update");
        setParams(next, { replace: true });
      }
      await queries.invalidateQueries({ queryKey: ["pipeline", id] });
    },
  });
}

/** The buttons of a pipeline; where one cannot be used, it says why. */
export function Actions({ id, graph, newest }: { id: string; graph: Graph; newest: { state: string } | null }) {
  const act = useUpdates(id);
  const [sure, setSure] = useState(false);
  const refused = refusal(graph.level);
  const running = isRunning(newest);
  const why = refused ?? (running ? "An update is running. Stop it first." : undefined);
  const start = (body: Parameters<typeof act.mutate>[0]) => {
    setSure(false);
    act.mutate(body);
  };
  return (
    <>
      <div className="actions">
        <button type="button" className="button" disabled={why !== undefined || act.isPending} title={why} onClick={() => start({})}>Start</button>
        <button type="button" className="button quiet" disabled={why !== undefined || act.isPending} title={why ?? "Plan it and change nothing"} onClick={() => start({ validate_only: true })}>Validate</button>
        <button type="button" className="button quiet" disabled={why !== undefined || act.isPending} title={why} onClick={() => setSure(true)}>Full refresh</button>
        <button type="button" className="button quiet" disabled={refused !== null || !running || newest?.state === "STOPPING" || act.isPending} title={refused ?? (running ? undefined : "No update is running.")} onClick={() => act.mutate({ stop: true })}>Stop</button>
      </div>
      {refused === null ? null : <p className="soft actions-why">{refused}</p>}
      {sure ? (
        <div className="note actions-why" role="alertdialog" aria-label="Full refresh">
          <strong>Empty all streaming tables and read everything anew?</strong>
          Rows whose source files are gone do not come back. Tables with pipelines.reset.allowed = false stay as they are.
          <div className="actions">
            <button type="button" className="button bad" onClick={() => start({ full_refresh: true })}>Refresh all</button>
            <button type="button" className="button quiet" onClick={() => setSure(false)}>Cancel</button>
          </div>
        </div>
      ) : null}
      {act.error ? <div className="actions-why"><Failure error={act.error} /></div> : null}
    </>
  );
}
