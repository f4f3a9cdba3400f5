import { Link, useSearchParams } from "react-router";
import { compact, count, duration, time } from "../../api/format";
import { type Card, Dag } from "../../ui/Dag";
import { Badge, Empty } from "../../ui/primitives";
import { Errors } from "./Errors";
import { NodePanel } from "./NodePanel";
import { asked, type Graph, isRunning, kindText, type Node, shortName, tone, unmet, words } from "./types";

/** The figures of a dataset on one line. */
function facts(node: Node): string {
  const bad = unmet(node);
  return [
    node.rows === null || node.rows === undefined ? "" : `${compact(node.rows)} ${node.rows === 1 ? "row" : "rows"}`,
    node.dropped ? `${compact(node.dropped)} dropped` : "",
    node.expectations.length === 0 ? "" : bad ? `${bad}/${node.expectations.length} unmet` : `${node.expectations.length} ${node.expectations.some((one) => one.passed !== null && one.passed !== undefined) ? "met" : "expected"}`,
  ].filter(Boolean).join(" · ");
}

const card = (node: Node): Card => ({
  name: shortName(node.name),
  kind: <>{kindText(node.kind)}{node.status ? <i className={`dot ${tone(node.status)}`} /> : null}{node.status ? words(node.status) : ""}</>,
  facts: facts(node),
  tone: tone(node.status),
  outside: node.kind === "SOURCE",
});

function Datasets({ nodes, onChoose }: { nodes: Node[]; onChoose: (name: string) => void }) {
  return (
    <section className="panel flush gap-above" aria-label="Datasets">
      <div className="scroll">
        <table className="data">
          <thead><tr><th>Dataset</th><th>Kind</th><th>Status</th><th className="num">Rows written</th><th className="num">Dropped</th><th>Expectations</th><th className="num">Took</th></tr></thead>
          <tbody>
            {nodes.filter((node) => node.kind !== "SOURCE").map((node) => (
              <tr key={node.name}>
                <td title={node.name}><button type="button" className="plain" onClick={() => onChoose(node.name)}>{shortName(node.name)}</button></td>
                <td className="soft">{kindText(node.kind)}</td>
                <td>{node.status ? <Badge tone={tone(node.status)}>{words(node.status)}</Badge> : <span className="faint">–</span>}</td>
                <td className="num">{count(node.rows)}</td>
                <td className="num">{count(node.dropped)}</td>
                <td className="soft">{node.expectations.length ? (unmet(node) ? `${unmet(node)} of ${node.expectations.length} not met by some rows` : `${node.expectations.length}`) : "–"}</td>
                <td className="num soft">{duration(node.duration_ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Which update the figures are of, and what became of it. */
function OfUpdate({ id, graph }: { id: string; graph: Graph }) {
  const { update } = graph;
  if (!update) return null;
  const errors = update.state === "FAILED";
  return (
    <>
      <p className="soft">
        <Badge tone={tone(update.state)}>{words(update.state)}</Badge>{" "}
        <span title={update.update_id}>{asked(update)}</span>, {time(update.started_at)} UTC{update.ended_at ? `, took ${duration(update.ended_at - update.started_at)}` : ""}
        {" · "}<Link to={`?tab=events&update=${update.update_id}`}>its events</Link>
      </p>
      {errors ? <Errors id={id} update={update.update_id} /> : null}
      {graph.planned_by && graph.planned_by !== update.update_id ? <div className="note stale" role="status"><strong>The graph is of an update before</strong>This one {isRunning(update) ? "is not planned yet" : "was not planned to its end"}, so its datasets are not known.</div> : null}
    </>
  );
}

export function GraphView({ id, graph, newest }: { id: string; graph: Graph; newest: { state: string } | null }) {
  const [params, setParams] = useSearchParams();
  const chosen = params.get("dataset");
  const node = graph.nodes.find((one) => one.name === chosen);
  const choose = (name: string) => {
    const next = new URLSearchParams(params);
    if (name === chosen) next.delete("dataset");
    else next.set("dataset", name);
    setParams(next, { replace: true });
  };
  if (!graph.update) return <Empty title="This pipeline has never run">Validate shows its graph and changes nothing; Start makes its tables.</Empty>;
  return (
    <>
      <OfUpdate id={id} graph={graph} />
      {graph.nodes.length === 0 ? (
        isRunning(graph.update) ? <Empty title="It is being planned">The datasets appear here as soon as they are known.</Empty> : <Empty title="No dataset is known">No update was planned to its end. The errors above and the events say why.</Empty>
      ) : (
        <>
          <section className="panel flush dag-panel" aria-label="Graph"><Dag nodes={graph.nodes} card={card} chosen={chosen} onChoose={choose} /></section>
          {node ? <NodePanel id={id} node={node} level={graph.level} busy={isRunning(newest)} onClose={() => choose(node.name)} /> : null}
          <Datasets nodes={graph.nodes} onChoose={choose} />
        </>
      )}
    </>
  );
}
