import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { get, getText, path, tableHref } from "../../api/client";
import { compact, count, figure, time } from "../../api/format";
import { Badge, Head, Loaded } from "../../ui/primitives";
import { Lineage } from "../catalog/Lineage";
import { hrefOf } from "../catalog/names";
import { figures } from "./metrics";
import { TryIt } from "./TryIt";
import { type Endpoint, entityTitle, mayQuery, payloadTable, readiness } from "./types";

function latency(bound: number | null): string {
  return bound === null ? "–" : bound === Infinity ? "> 10 s" : `≤ ${figure(bound)} ms`;
}

/** Figures since the endpoint's server started; absent where they are not to be had. */
function Requests({ name }: { name: string }) {
  const query = useQuery({ queryKey: ["metrics", name], queryFn: () => getText(path("/api/2.0/serving-endpoints", name, "metrics")), refetchInterval: 5000, retry: false });
  if (query.data === undefined) return null;
  const { requests, errors, p50, p99 } = figures(query.data);
  const shown = [["Requests", compact(requests), count(requests)], ["Errors", compact(errors), count(errors)], ["Median", latency(p50), ""], ["99 %", latency(p99), ""]];
  return (
    <section className="panel" style={{ marginBottom: 16 }}>
      <h2>Requests since the server started</h2>
      <div className="figures">
        {shown.map(([term, text, title]) => (
          <div key={term}><div className="soft">{term}</div><div className="value" title={title}>{text}</div></div>
        ))}
      </div>
    </section>
  );
}

function Facts({ endpoint }: { endpoint: Endpoint }) {
  const payload = payloadTable(endpoint);
  const routes = endpoint.config?.traffic_config?.routes ?? [];
  const table = endpoint.config?.auto_capture_config?.state?.payload_table;
  const share = (name: string) => routes.find((route) => (route.served_entity_name ?? route.served_model_name) === name)?.traffic_percentage;
  return (
    <section className="panel">
      <h2>What it serves</h2>
      <dl className="facts">
        {(endpoint.config?.served_entities ?? []).map((entity) => (
          <div key={entity.name} style={{ display: "contents" }}>
            <dt className="wrap">{entity.name}</dt>
            <dd>
              <Link to={hrefOf(entity.entity_version ? "registered_model" : "function", entity.entity_name) ?? ""}>{entity.entity_name}</Link> {entity.entity_version ? `version ${entity.entity_version}` : "(feature spec)"}
              {share(entity.name) === undefined ? "" : `, ${share(entity.name)} % of the traffic`}
              {entity.state?.deployment_state_message ? <div className="soft">{entity.state.deployment_state_message}</div> : null}
            </dd>
          </div>
        ))}
        <dt>Inference table</dt>
        <dd>
          {payload ? <Link to={`${tableHref(payload)}?tab=sample`}>{payload}</Link> : "none"}
          {table?.status === "FAILED" ? <div className="note bad" role="alert"><strong>Requests are not being logged</strong>{table.status_message}</div> : null}
        </dd>
        <dt>Creator</dt><dd>{endpoint.creator ?? "–"}</dd>
        <dt>Created (UTC)</dt><dd>{time(endpoint.creation_timestamp)}</dd>
      </dl>
    </section>
  );
}

export function EndpointPage() {
  const { name = "" } = useParams();
  const query = useQuery({ queryKey: ["endpoint", name], queryFn: () => get<Endpoint>(path("/api/2.0/serving-endpoints", name)), refetchInterval: 5000 });
  return (
    <Loaded query={query}>
      {(endpoint) => {
        const { text, tone } = readiness(endpoint);
        return (
          <>
            <Head title={endpoint.name} sub={`POST ${location.origin}/serving-endpoints/${endpoint.name}/invocations`}>
              <Badge tone={tone}>{text}</Badge>
            </Head>
            {endpoint.state?.config_update === "UPDATE_FAILED" ? (
              <div className="note bad" role="alert"><strong>{endpoint.config ? "The last change failed; what served before serves on" : "It could not be started, and serves nothing yet"}</strong>{endpoint.state.config_update_message}</div>
            ) : null}
            {endpoint.pending_config?.served_entities?.length ? (
              <div className="note" role="status"><strong>Starting</strong>{endpoint.pending_config.served_entities.map((one) => `${entityTitle(one)}: ${one.state?.deployment_state_message ?? "waiting"}`).join("; ")}</div>
            ) : null}
            <div className="grid2">
              <TryIt name={endpoint.name} payload={payloadTable(endpoint)} mayQuery={mayQuery(endpoint)} />
              <div>
                <Requests name={endpoint.name} />
                <Facts endpoint={endpoint} />
              </div>
            </div>
            <Lineage type="endpoint" name={endpoint.name} title="Lineage" />
          </>
        );
      }}
    </Loaded>
  );
}
