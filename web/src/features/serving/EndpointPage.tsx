import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { get, path, tableHref } from "../../api/client";
import { time } from "../../api/format";
import { Badge, Head, Loaded } from "../../ui/primitives";
import { TryIt } from "./TryIt";
import { type Endpoint, payloadTable, readiness } from "./types";

function Facts({ endpoint }: { endpoint: Endpoint }) {
  const payload = payloadTable(endpoint);
  const routes = endpoint.config?.traffic_config?.routes ?? [];
  const share = (name: string) => routes.find((route) => (route.served_entity_name ?? route.served_model_name) === name)?.traffic_percentage;
  return (
    <section className="panel">
      <h2>What it serves</h2>
      <dl className="facts">
        {(endpoint.config?.served_entities ?? []).map((entity) => (
          <div key={entity.name} style={{ display: "contents" }}>
            <dt className="wrap">{entity.name}</dt>
            <dd>
              <Link to={`/models/${encodeURIComponent(entity.entity_name)}`}>{entity.entity_name}</Link> version {entity.entity_version}
              {share(entity.name) === undefined ? "" : `, ${share(entity.name)} % of the traffic`}
              {entity.state?.deployment_state_message ? <div className="soft">{entity.state.deployment_state_message}</div> : null}
            </dd>
          </div>
        ))}
        <dt>Inference table</dt>
        <dd>
          {payload ? <Link to={`${tableHref(payload)}?tab=sample`}>{payload}</Link> : "none"}
        </dd>
        <dt>Creator</dt><dd>{endpoint.creator ?? "–"}</dd>
        <dt>Created</dt><dd>{time(endpoint.creation_timestamp)}</dd>
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
            <div className="grid2">
              <TryIt name={endpoint.name} payload={payloadTable(endpoint)} />
              <Facts endpoint={endpoint} />
            </div>
          </>
        );
      }}
    </Loaded>
  );
}
