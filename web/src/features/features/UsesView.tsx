import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { ago, time } from "../../api/format";
import { Loaded, Name } from "../../ui/primitives";

/** Models that were trained on a table, feature specs with it, the endpoints that serve them, and dashboards that read it. */
export function UsesView({ name }: { name: string }) {
  const query = useQuery({ queryKey: ["feature-uses", name], queryFn: () => get<Schemas["UsesBody"]>(`${path("/api/boathouse/v1/features", name)}/uses`) });
  return (
    <Loaded query={query}>
      {({ models, hidden_models: hidden, feature_specs: specs, endpoints, hidden_endpoints: hiddenEndpoints, dashboards }) => (
        <div className="grid2">
          <section className="panel">
            <h2>Models</h2>
            {models.length === 0 && hidden === 0 ? <p className="faint">No registered model was trained on it.</p> : (
              <ul className="feed">
                {models.map((one) => <li key={`${one.model} ${one.version}`} className="wrap"><Link to={`/models/${encodeURIComponent(one.model)}/versions/${one.version}`}><Name text={one.model} /> version {one.version}</Link><div className="meta">on version {one.table_version} of the table</div></li>)}
                {hidden ? <li className="faint">{hidden} that you may not see</li> : null}
              </ul>
            )}
            <h2 className="gap-above">Dashboards</h2>
            {dashboards.length === 0 ? <p className="faint">None that you may see has read it.</p> : <ul className="feed">{dashboards.map((one) => <li key={one.dashboard_id} className="wrap"><Link to={path("/dashboards", one.dashboard_id)}>{one.name}</Link><div className="meta" title={time(one.last_read_at)}>read it {ago(one.last_read_at)}</div></li>)}</ul>}
          </section>
          <section className="panel">
            <h2>Feature specs</h2>
            {specs.length === 0 ? <p className="faint">None looks up in it.</p> : <ul className="feed">{specs.map((one) => <li key={one} className="wrap"><Name text={one} /></li>)}</ul>}
            <h2 className="gap-above">Endpoints</h2>
            {endpoints.length === 0 && hiddenEndpoints === 0 ? <p className="faint">None serves what uses it.</p> : (
              <ul className="feed">
                {endpoints.map((one) => <li key={`${one.endpoint} ${one.entity_name} ${one.entity_version}`} className="wrap"><Link to={path("/serving", one.endpoint)}>{one.endpoint}</Link><div className="meta">{one.entity_version === null ? `feature spec ${one.entity_name}` : `${one.entity_name} version ${one.entity_version}`}</div></li>)}
                {hiddenEndpoints ? <li className="faint">{hiddenEndpoints} that you may not see</li> : null}
              </ul>
            )}
          </section>
        </div>
      )}
    </Loaded>
  );
}
