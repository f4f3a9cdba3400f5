import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get } from "../../api/client";
import { time } from "../../api/format";
import { Badge, Empty, Head, Loaded } from "../../ui/primitives";
import { type Endpoint, entityTitle, readiness } from "./types";

export function EndpointsPage() {
  const query = useQuery({ queryKey: ["endpoints"], queryFn: () => get<{ endpoints?: Endpoint[] }>("/api/2.0/serving-endpoints"), refetchInterval: 5000 });
  return (
    <>
      <Head title="Serving" sub="Endpoints that answer with a model" />
      <Loaded query={query}>
        {({ endpoints = [] }) => endpoints.length === 0 ? (
          <Empty title="No endpoint yet that you may see">Make one with <code>WorkspaceClient().serving_endpoints.create_and_wait(…)</code>; the demo's step 6 shows how.</Empty>
        ) : (
          <section className="panel flush">
            <table className="data">
              <thead><tr><th>Endpoint</th><th>State</th><th>Serves</th><th>Created (UTC)</th></tr></thead>
              <tbody>
                {endpoints.map((endpoint) => {
                  const { text, tone } = readiness(endpoint);
                  return (
                    <tr key={endpoint.name}>
                      <td className="wrap"><Link to={`/serving/${encodeURIComponent(endpoint.name)}`}>{endpoint.name}</Link></td>
                      <td><Badge tone={tone}>{text}</Badge></td>
                      <td className="soft wrap">{(endpoint.config?.served_entities ?? []).map(entityTitle).join(", ")}</td>
                      <td className="soft nowrap">{time(endpoint.creation_timestamp)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </section>
        )}
      </Loaded>
    </>
  );
}
