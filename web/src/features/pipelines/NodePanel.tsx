import { X } from "lucide-react";
import { Link } from "react-router";
import { tableHref } from "../../api/client";
import { count, duration } from "../../api/format";
import { Badge, Failure, Name } from "../../ui/primitives";
import { TableHealth } from "../monitoring/TableHealth";
import { useUpdates } from "./Actions";
import { hasTable, kindText, type Level, type Node, refusal, share, tone, words } from "./types";

const ACTIONS: Record<string, string> = { warn: "count", drop: "drop the row", fail: "fail the update" };

function Expectations({ node }: { node: Node }) {
  if (node.expectations.length === 0) return null;
  return (
    <>
      <h2 className="gap-above">Expectations</h2>
      <div className="scroll">
        <table className="data list" aria-label="Expectations">
          <thead><tr><th>Name</th><th>What rows have to be like</th><th>If not</th><th className="num">Met</th><th className="num">Not met</th><th className="num">Share met</th></tr></thead>
          <tbody>
            {node.expectations.map((one) => (
              <tr key={one.name}>
                <td className="name"><Name text={one.name} /></td>
                <td className="mono soft wrap">{one.constraint}</td>
                <td className="soft nowrap">{ACTIONS[one.action] ?? one.action}</td>
                <td className="num">{count(one.passed)}</td>
                <td className="num">{one.failed ? <Badge tone={one.action === "warn" ? "warning" : "bad"}>{count(one.failed)}</Badge> : count(one.failed)}</td>
                <td className="num">{share(one.passed, one.failed)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** Bring one table up to date, or make it anew, alone. */
function OneTable({ id, node, level, busy }: { id: string; node: Node; level: Level; busy: boolean }) {
  const act = useUpdates(id);
  const why = refusal(level) ?? (busy ? "An update is running." : undefined);
  return (
    <>
      <div className="actions gap-above">
        <button type="button" className="button quiet" disabled={why !== undefined || act.isPending} title={why} onClick={() => act.mutate({ refresh_selection: [node.name] })}>Refresh this table alone</button>
        <button type="button" className="button quiet" disabled={why !== undefined || act.isPending} title={why ?? "Empty it and read everything anew"} onClick={() => act.mutate({ full_refresh_selection: [node.name] })}>Full refresh of it</button>
      </div>
      {act.error ? <Failure error={act.error} /> : null}
    </>
  );
}

/** All that is known of a dataset of the graph. */
export function NodePanel({ id, node, level, busy, onClose }: { id: string; node: Node; level: Level; busy: boolean; onClose: () => void }) {
  const isTable = node.kind === "STREAMING_TABLE" || node.kind === "MATERIALIZED_VIEW";
  const kind = node.is_private ? `${kindText(node.kind)}, private to this pipeline` : kindText(node.kind);
  const facts: [string, React.ReactNode][] = [
    ["Kind", kind],
    ["Declared in", node.location ? <span className="mono">{node.location}</span> : null],
    ["Reads", node.inputs.length ? node.inputs.join(", ") : null],
    ["Rows written", node.rows === null || node.rows === undefined ? null : count(node.rows)],
    ["Rows dropped", node.dropped ? count(node.dropped) : null],
    ["Took", node.duration_ms === null || node.duration_ms === undefined ? null : duration(node.duration_ms)],
    ["Columns", node.columns.length ? <span className="mono soft">{node.columns.map((one) => `${one.name} ${one.type}`).join(", ")}</span> : null],
  ];
  return (
    <section className="panel gap-above" aria-label={`Dataset ${node.name}`}>
      <div className="panel-head">
        <h2 className="wrap">{hasTable(node) ? <Link to={tableHref(node.name)}><Name text={node.name} /></Link> : <Name text={node.name} />} {node.status ? <Badge tone={tone(node.status)}>{words(node.status)}</Badge> : null}</h2>
        <button type="button" className="icon" aria-label="Close" onClick={onClose}><X size={16} /></button>
      </div>
      {node.comment ? <p className="soft wrap">{node.comment}</p> : null}
      {isTable && hasTable(node) && node.status ? <TableHealth name={node.name} /> : null}
      <dl className="facts">
        {facts.filter(([, value]) => value !== null).map(([term, value]) => (
          <div key={term} style={{ display: "contents" }}><dt>{term}</dt><dd className="wrap">{value}</dd></div>
        ))}
        {node.flows.map((flow) => (
          <div key={flow.name} style={{ display: "contents" }}>
            <dt>{node.flows.length > 1 ? <span className="wrap">Flow {flow.name}</span> : "Flow"}</dt>
            <dd className="wrap">
              {words(flow.kind)}{flow.once ? ", once" : ""}{flow.status ? `, ${words(flow.status)}` : ""}
              {node.flows.length > 1 && flow.rows !== null && flow.rows !== undefined ? `, ${count(flow.rows)} rows` : ""}
              {flow.planned ? <div className="faint">{flow.planned}</div> : null}
              {flow.error ? <div className="note bad message">{flow.error}</div> : null}
            </dd>
          </div>
        ))}
      </dl>
      {isTable ? <OneTable id={id} node={node} level={level} busy={busy} /> : null}
      <Expectations node={node} />
    </section>
  );
}
