import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { Loaded, Name } from "../../ui/primitives";
import { entityTitle, type Endpoint } from "../serving/types";

/** Models that were trained on a table, feature specs with it, and the endpoints that serve them. */
export function UsesView({ name }: { name: string }) {
  const query = useQuery({ queryKey: ["feature-uses", name], queryFn: () => get<Schemas["UsesBody"]>(`${path("/api/boathouse/v1/features", name)}/uses`) });
  const serving = useQuery({ queryKey: ["endpoints"], queryFn: () => get<{ endpoints?: Endpoint[] }>("/api/2.0/serving-endpoints") });
  return (
    <Loaded query={query}>
      {({ models, hidden_models: hidden, feature_specs: specs }) => {
        const used = new Set([...models.map((one) => `${one.model} version ${one.version}`), ...specs.map((one) => `feature spec ${one}`)]);
        const endpoints = (serving.data?.endpoints ?? []).flatMap((one) => (one.config?.served_entities ?? []).filter((entity) => used.has(entityTitle(entity))).map((entity) => ({ name: one.name, what: entityTitle(entity) })));
        return (
          <div className="grid2">
            <section className="panel">
              <h2>Models</h2>
              {models.length === 0 && hidden === 0 ? <p className="faint">No registered model was trained on it.</p> : (
                <ul className="feed">
                  {models.map((one) => <li key={`${one.model} ${one.version}`} className="wrap"><Link to={`/models/${encodeURIComponent(one.model)}/versions/${one.version}`}><Name text={one.model} /> version {one.version}</Link><div className="meta">on version {one.table_version} of the table</div></li>)}
                  {hidden ? <li className="faint">{hidden} that you may not see</li> : null}
                </ul>
              )}
            </section>
            <section className="panel">
              <h2>Feature specs</h2>
              {specs.length === 0 ? <p className="faint">None looks up in it.</p> : <ul className="feed">{specs.map((one) => <li key={one} className="wrap"><Name text={one} /></li>)}</ul>}
              <h2 className="gap-above">Endpoints</h2>
              {endpoints.length === 0 ? <p className="faint">None serves what uses it.</p> : <ul className="feed">{endpoints.map((one) => <li key={`${one.name} ${one.what}`} className="wrap"><Link to={`/serving/${encodeURIComponent(one.name)}`}>{one.name}</Link><div className="meta">{one.what}</div></li>)}</ul>}
            </section>
          </div>
        );
      }}
    </Loaded>
  );
}
