import { useLayoutEffect, useMemo, useRef, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { compact, count, duration, time } from "../../api/format";
import { Badge, Empty } from "../../ui/primitives";
import { Errors } from "./Errors";
import { HEIGHT, picture, type Place, WIDTH } from "./layout";
import { NodePanel } from "./NodePanel";
import { asked, type Graph, isRunning, kindText, type Node, shortName, tone, unmet, words } from "./types";

/** A graph that would be drawn smaller than this to fit is scrolled instead, until somebody wants to see all of it. */
const READABLE = 0.85;

/** The figures of a dataset on one line. */
function facts(node: Node): string {
  const bad = unmet(node);
  return [
    node.rows === null || node.rows === undefined ? "" : `${compact(node.rows)} ${node.rows === 1 ? "row" : "rows"}`,
    node.dropped ? `${compact(node.dropped)} dropped` : "",
    node.expectations.length === 0 ? "" : bad ? `${bad}/${node.expectations.length} unmet` : `${node.expectations.length} ${node.expectations.some((one) => one.passed !== null && one.passed !== undefined) ? "met" : "expected"}`,
  ].filter(Boolean).join(" · ");
}

function Card({ place: { node, x, y }, chosen, onChoose }: { place: Place; chosen: boolean; onChoose: () => void }) {
  return (
    <button type="button" className={`dag-node ${node.kind === "SOURCE" ? "outside" : ""}`} style={{ left: x, top: y, width: WIDTH, height: HEIGHT }} aria-pressed={chosen} data-status={node.status ?? ""} title={node.name} onClick={onChoose}>
      <span className="dag-name">{shortName(node.name)}</span>
      <span className="dag-kind">{kindText(node.kind)}{node.status ? <i className={`dot ${tone(node.status)}`} /> : null}{node.status ? words(node.status) : ""}</span>
      <span className="dag-facts">{facts(node)}</span>
    </button>
  );
}

function Drawing({ nodes, chosen, onChoose }: { nodes: Node[]; chosen: string | null; onChoose: (name: string) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(0);
  const [whole, setWhole] = useState(false);
  // What a refetch leaves as it was need not be laid out again: places depend on names and inputs alone.
  const shape = JSON.stringify(nodes.map((node) => [node.name, node.inputs]));
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const laid = useMemo(() => picture(nodes), [shape]);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  useLayoutEffect(() => {
    if (!box.current) return;
    const watch = new ResizeObserver(([entry]) => setRoom(entry?.contentRect.width ?? 0));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const fitting = room > 0 ? Math.min(1, room / laid.width) : 1;
  const scale = whole ? fitting : Math.max(fitting, READABLE);
  return (
    <>
      {fitting < READABLE ? <p className="dag-fit"><button type="button" className="button quiet" onClick={() => setWhole(!whole)}>{whole ? "Readable size" : "Fit to width"}</button></p> : null}
      <div className="dag" ref={box}>
        <div style={{ width: laid.width * scale, height: laid.height * scale, margin: "0 auto" }}>
          <div className="dag-sheet" style={{ width: laid.width, height: laid.height, transform: `scale(${scale})` }}>
            <svg width={laid.width} height={laid.height} aria-hidden>
              {laid.edges.map((edge) => <path key={`${edge.from} ${edge.to}`} d={edge.path} className={chosen !== null && (edge.from === chosen || edge.to === chosen) ? "near" : ""} />)}
            </svg>
            {laid.places.map((place) => <Card key={place.node.name} place={{ ...place, node: byName.get(place.node.name) ?? place.node }} chosen={place.node.name === chosen} onChoose={() => onChoose(place.node.name)} />)}
          </div>
        </div>
      </div>
    </>
  );
}

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
          <section className="panel flush dag-panel" aria-label="Graph"><Drawing nodes={graph.nodes} chosen={chosen} onChoose={choose} /></section>
          {node ? <NodePanel id={id} node={node} level={graph.level} busy={isRunning(newest)} onClose={() => choose(node.name)} /> : null}
          <Datasets nodes={graph.nodes} onChoose={choose} />
        </>
      )}
    </>
  );
}
