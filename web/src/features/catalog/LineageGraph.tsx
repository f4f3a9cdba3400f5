import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { get } from "../../api/client";
import { ago, count, time } from "../../api/format";
import { type Card, Dag } from "../../ui/Dag";
import { Empty, Failure, Loading, Name } from "../../ui/primitives";
import { causeOf, drawn, type Edge, type Graph, hrefOfNode, label, merged, MOST_DRAWN, type Node } from "./lineageGraph";

interface Asked {
  type: string;
  name: string;
  depth: number;
}

const STEPS = 12;
const FIRST = 150;

function ask({ type, name, depth }: Asked) {
  const query = `type=${encodeURIComponent(type)}&name=${encodeURIComponent(name)}&depth=${depth}&limit=${FIRST}`;
  return { queryKey: ["lineage-graph", query], queryFn: () => get<Graph>(`/api/boathouse/v1/lineage/graph?${query}`) };
}

const more = (node: Node): string => [node.more_upstream ? `${count(node.more_upstream)} more before it` : "", node.more_downstream ? `${count(node.more_downstream)} more after it` : ""].filter(Boolean).join(" · ");

/** One neighbour of the chosen node, with what made the edge. */
function Neighbour({ node, edge }: { node: Node | undefined; edge: Edge }) {
  const [href, text] = [node ? hrefOfNode(node) : null, node?.has_permission ? (node.title ?? "") : node ? label(node).name : edge.source];
  const causes = edge.causes.map(causeOf);
  return (
    <li className="node">
      {href ? <Link to={href} className="wrap"><Name text={text} /></Link> : <span className="wrap soft"><Name text={text} /></span>}
      <div className="faint">{[node ? label(node).kind.split(" in ")[0] : "", edge.table_version === null ? "" : `version ${edge.table_version}`, edge.times > 1 ? `${count(edge.times)} times` : ""].filter(Boolean).join(" · ")}{edge.times ? <span title={`${time(edge.last_at)} UTC`}> · last {ago(edge.last_at)}</span> : null}</div>
      {causes.length ? <div className="soft wrap">by {causes.map((one, index) => <span key={index}>{index ? ", " : ""}{one.href ? <Link to={one.href}>{one.text}</Link> : one.text}</span>)}</div> : null}
    </li>
  );
}

function Side({ title, edges, of, nodes }: { title: string; edges: Edge[]; of: "source" | "target"; nodes: Map<string, Node> }) {
  return (
    <section className="side-of" aria-label={title} style={{ alignSelf: "start" }}>
      <h2>{title} <span className="faint">{edges.length || ""}</span></h2>
      {edges.length ? <ul>{edges.map((edge) => <Neighbour key={edge[of]} node={nodes.get(edge[of])} edge={edge} />)}</ul> : <p className="faint">Nothing is known.</p>}
    </section>
  );
}

/** What a node is, what is around it, and the way to its page. */
function Chosen({ node, nodes, edges, onExpand }: { node: Node; nodes: Map<string, Node>; edges: Edge[]; onExpand: (() => void) | null }) {
  const href = hrefOfNode(node);
  const here = `${location.pathname}${location.search}`;
  return (
    <section className="panel gap" aria-label="Chosen">
      <h2 className="wrap"><Name text={node.title ?? label(node).name} /></h2>
      <p className="soft">
        {label(node).kind}{more(node) ? ` · ${more(node)}` : ""}{" "}
        {href && !here.startsWith(href.split("?")[0] ?? href) ? <Link className="button quiet" to={href}>Open</Link> : null}{" "}
        {onExpand ? <button type="button" className="button quiet" onClick={onExpand}>Show all around it</button> : null}
      </p>
      <div className="grid2">
        <Side title="Comes from" edges={edges.filter((edge) => edge.target === node.id)} of="source" nodes={nodes} />
        <Side title="Goes to" edges={edges.filter((edge) => edge.source === node.id)} of="target" nodes={nodes} />
      </div>
    </section>
  );
}

/** What something was made of, up to the raw files, and what was made of it; the chosen node is in the URL. */
export default function LineageGraph({ type, name }: { type: string; name: string }) {
  const [params, setParams] = useSearchParams();
  const [expanded, setExpanded] = useState<Asked[]>([]);
  const [first, ...others] = useQueries({ queries: [ask({ type, name, depth: STEPS }), ...expanded.map(ask)] });
  if (!first || first.isPending) return <Loading />;
  if (first.error) return <Failure error={first.error} />;
  const graphs = [first.data, ...others.flatMap((one) => (one.data ? [one.data] : []))];
  const { nodes, edges } = merged(graphs);
  const { root } = first.data;
  const chosen = nodes.get(params.get("node") ?? "") ?? nodes.get(root);
  if (edges.length === 0 || !chosen) return <Empty title="No lineage is recorded yet">It is recorded with every query that reads one thing and writes another, with every model that is registered, every endpoint that serves one, and every reading by a job, notebook or dashboard.</Empty>;
  const choose = (id: string) => {
    const next = new URLSearchParams(params);
    if (id === root) next.delete("node");
    else next.set("node", id);
    setParams(next, { replace: true });
  };
  const card = ({ name: id }: { name: string }): Card => {
    const node = nodes.get(id) as Node;
    return { ...label(node), facts: more(node), tone: id === root ? "accent" : "", outside: !node.has_permission };
  };
  const mayExpand = chosen.has_permission && chosen.type !== null && chosen.name !== null && !expanded.some((one) => one.type === chosen.type && one.name === chosen.name) && (chosen.id !== root || more(chosen) !== "");
  const failed = others.find((one) => one.error)?.error;
  return (
    <>
      {nodes.size > MOST_DRAWN ? <p className="soft">The first {MOST_DRAWN} of {count(nodes.size)} are drawn.</p> : null}
      <section className="panel flush dag-panel gap" aria-label="Lineage"><Dag nodes={drawn(nodes, edges)} card={card} chosen={chosen.id} onChoose={choose} first={root} /></section>
      {failed ? <Failure error={failed} /> : null}
      <Chosen node={chosen} nodes={nodes} edges={edges} onExpand={mayExpand ? () => setExpanded([...expanded, { type: chosen.type ?? "", name: chosen.name ?? "", depth: 1 }]) : null} />
    </>
  );
}
