import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Exchange, exchange, get, path } from "../../api/client";
import { Badge, Snippet } from "../../ui/primitives";
import { example, type Logged, type OpenApi } from "./example";

/** Send the endpoint a request and see its answer. */
export function TryIt({ name, payload, mayQuery }: { name: string; payload: string | null; mayQuery: boolean }) {
  const openapi = useQuery({ queryKey: ["openapi", name], queryFn: () => get<OpenApi>(path("/api/2.0/serving-endpoints", name, "openapi")), staleTime: Infinity, retry: false });
  const sample = useQuery({
    queryKey: ["payload", payload],
    queryFn: () => get<Logged>(`${path("/api/boathouse/v1/tables", payload ?? "", "sample")}?limit=50`),
    enabled: payload !== null,
    staleTime: Infinity,
    retry: false,
  });
  const [edited, setEdited] = useState<string | null>(null);
  const [answer, setAnswer] = useState<Exchange | null>(null);
  const [sending, setSending] = useState(false);
  // What is typed before the example is there would be mixed with it.
  const waits = edited === null && (openapi.isPending || (payload !== null && sample.isPending));
  const body = edited ?? (waits ? "" : JSON.stringify(example(openapi.data, sample.data), null, 2));
  const url = `/serving-endpoints/${encodeURIComponent(name)}/invocations`;

  const send = async () => {
    setSending(true);
    setAnswer(await exchange(url, body));
    setSending(false);
  };

  const quoted = body.replaceAll("'", "'\\''");
  return (
    <section className="panel">
      <h2>Try it</h2>
      <textarea className="field" aria-label="Request" spellCheck={false} value={body} readOnly={waits} placeholder={waits ? "An example comes…" : ""} onChange={(event) => setEdited(event.target.value)} />
      <div style={{ display: "flex", gap: 10, alignItems: "center", margin: "10px 0 14px" }}>
        <button type="button" className="button" onClick={() => void send()} disabled={sending || body === "" || !mayQuery}>{sending ? "Sending…" : "Send"}</button>
        {mayQuery ? null : <span className="soft">You may look at this endpoint, and not query it: its creator or an admin gives CAN_QUERY.</span>}
        {answer && (
          <>
            <Badge tone={answer.status === 200 ? "good" : "bad"}>{answer.status || "no answer"}</Badge>
            {answer.status ? <span className="soft">{answer.ms.toFixed(0)} ms</span> : null}
          </>
        )}
      </div>
      {answer && <Snippet text={answer.text} />}
      <details>
        <summary className="soft">The same with curl</summary>
        <div style={{ marginTop: 8 }}>
          <Snippet text={`curl -X POST ${location.origin}${url} \\\n  -H "Authorization: Bearer $(boathouse token)" -H "Content-Type: application/json" \\\n  -d '${quoted}'`} />
        </div>
      </details>
    </section>
  );
}
