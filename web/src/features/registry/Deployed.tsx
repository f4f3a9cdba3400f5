import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { call, get, path } from "../../api/client";
import { Badge, Failure } from "../../ui/primitives";
import type { Endpoint } from "../serving/types";
import { DEPLOYMENTS, instead, type Place, served } from "./deployment";

interface Back {
  from_version: number;
  to_version: number;
}

/** An endpoint serves another version of the model instead, with the same settings and the same share. */
async function serveInstead(model: string, place: Place, from: string, to: string): Promise<void> {
  const url = path("/api/2.0/serving-endpoints", place.endpoint);
  const body = instead((await get<Endpoint>(url)).config, model, place.served, to);
  await call("PUT", `${url}/config`, body);
  await call("POST", `${path(DEPLOYMENTS, model, "versions", from)}/evidence`, { step: "rollback", name: place.endpoint, verdict: "done", details: { to: Number(to) } });
}

/** Where a version is used, and the way back. */
export function Deployed({ model, version, aliases }: { model: string; version: string; aliases: string[] }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const endpoints = useQuery({ queryKey: ["endpoints"], queryFn: () => get<{ endpoints?: Endpoint[] }>("/api/2.0/serving-endpoints") });
  const places = served(endpoints.data?.endpoints ?? [], model, version);
  const back = useMutation({
    mutationFn: async (alias: string) => {
      const gone = await call<Back>("POST", `${path(DEPLOYMENTS, model)}/rollback`, { alias, reason });
      for (const place of places) await serveInstead(model, place, version, String(gone.to_version));
      return gone;
    },
    onSettled: () => queries.invalidateQueries(),
  });
  return (
    <section className="panel" aria-label="Deployed">
      <h2>Used as</h2>
      {aliases.length === 0 && places.length === 0 ? <p className="soft">No alias points here, and no endpoint serves it.</p> : (
        <dl className="facts">
          {aliases.length > 0 ? <><dt>Aliases</dt><dd>{aliases.map((alias) => <Badge key={alias} tone="accent">{alias}</Badge>)}</dd></> : null}
          {places.length > 0 ? <><dt>Endpoints</dt><dd>{places.map((place) => <div key={place.served}><Link to={path("/serving", place.endpoint)}>{place.endpoint}</Link> <span className="soft">{place.share} % of the requests</span></div>)}</dd></> : null}
        </dl>
      )}
      {aliases.length > 0 ? (
        <details className="gap">
          <summary>Roll back</summary>
          <form className="stack gap" onSubmit={(event) => event.preventDefault()}>
            <div>
              <label htmlFor="back">Reason</label>
              <input id="back" className="field" value={reason} placeholder="What is wrong with this version" onChange={(event) => setReason(event.target.value)} />
            </div>
            <div className="actions">
              {aliases.map((alias) => <button key={alias} type="button" className="button bad" disabled={back.isPending} onClick={() => back.mutate(alias)}>Roll {alias} back{places.length > 0 ? ", and the endpoints" : ""}</button>)}
            </div>
          </form>
        </details>
      ) : null}
      {back.error ? <div className="gap"><Failure error={back.error} /></div> : null}
      {back.data ? <p className="soft">Version {back.data.to_version} is used again.</p> : null}
    </section>
  );
}
