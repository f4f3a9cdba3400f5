import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { call, get, path, type Schemas } from "../../api/client";
import { Badge, Failure } from "../../ui/primitives";
import type { Endpoint } from "../serving/types";
import { DEPLOYMENTS, served } from "./deployment";

/** Where a version is used, and the way back. */
export function Deployed({ model, version, aliases, mayManage }: { model: string; version: string; aliases: string[]; mayManage: boolean }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const endpoints = useQuery({ queryKey: ["endpoints"], queryFn: () => get<{ endpoints?: Endpoint[] }>("/api/2.0/serving-endpoints") });
  const places = served(endpoints.data?.endpoints ?? [], model, version);
  const back = useMutation({
    mutationFn: (alias: string) => call<Schemas["RollbackAnswer"]>("POST", `${path(DEPLOYMENTS, model)}/rollback`, { alias, reason, endpoints: places.length > 0 }),
    onSettled: () => queries.invalidateQueries(),
  });
  return (
    <section className="panel" aria-label="Deployed">
      <h2>Used as</h2>
      {aliases.length === 0 && places.length === 0 ? <p className="soft">No alias points here, and no endpoint serves it.</p> : (
        <dl className="facts">
          {aliases.length > 0 ? <><dt>Aliases</dt><dd><span className="marks">{aliases.map((alias) => <Badge key={alias} tone="accent long">{alias}</Badge>)}</span></dd></> : null}
          {places.length > 0 ? <><dt>Endpoints</dt><dd>{places.map((place) => <div key={place.served}><Link to={path("/serving", place.endpoint)}>{place.endpoint}</Link> <span className="soft">{place.share} % of the requests</span></div>)}</dd></> : null}
        </dl>
      )}
      {aliases.length > 0 && mayManage ? (
        <details className="gap">
          <summary>Roll back</summary>
          <form className="stack gap" onSubmit={(event) => event.preventDefault()}>
            <div>
              <label htmlFor="back">Reason</label>
              <input id="back" className="field" value={reason} placeholder="What is wrong with this version" onChange={(event) => setReason(event.target.value)} />
            </div>
            <div className="actions">
              {aliases.map((alias) => <button key={alias} type="button" className="button bad anywhere" disabled={back.isPending} onClick={() => back.mutate(alias)}>Roll {alias} back{places.length > 0 ? ", and the endpoints" : ""}</button>)}
            </div>
          </form>
        </details>
      ) : null}
      {back.error ? <div className="gap"><Failure error={back.error} /></div> : null}
      {back.data ? <p className="soft">Version {back.data.to_version} is used again.</p> : null}
      {back.data?.endpoints?.filter(({ problem }) => problem).map(({ endpoint, problem }) => <p key={endpoint} role="alert" className="bad">Endpoint {endpoint} still serves version {back.data?.from_version}: {problem}</p>)}
    </section>
  );
}
