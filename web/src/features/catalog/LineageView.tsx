import { useQuery } from "@tanstack/react-query";
import { ArrowRight } from "lucide-react";
import { Link, useSearchParams } from "react-router";
import { get, type Schemas, tableHref } from "../../api/client";
import { Empty, Loaded, Name } from "../../ui/primitives";
import { type ColumnEnd, columnsOf, type Node, nodesOf } from "./lineage";
import type { Table } from "./table";

const LINEAGE = "/api/2.0/lineage-tracking";

function Card({ node }: { node: Node }) {
  return (
    <li className="node">
      {node.table ? <Link to={`${tableHref(node.table)}?tab=lineage`} className="wrap"><Name text={node.label} /></Link> : <span className="wrap soft"><Name text={node.label} /></span>}
      <div className="faint">{[node.note, node.time ? `${node.time} UTC` : ""].filter(Boolean).join(" · ")}</div>
      {node.causes.length ? <div className="soft wrap">by {node.causes.join(", ")}</div> : null}
    </li>
  );
}

function Side({ title, nodes, none }: { title: string; nodes: Node[]; none: string }) {
  return (
    <section className="side-of" aria-label={title}>
      <h2>{title} <span className="faint">{nodes.length || ""}</span></h2>
      {nodes.length ? <ul>{nodes.map((node) => <Card key={node.key} node={node} />)}</ul> : <p className="faint">{none}</p>}
    </section>
  );
}

function Ends({ title, ends, none }: { title: string; ends: ColumnEnd[]; none: string }) {
  return (
    <section className="side-of" aria-label={title}>
      <h2>{title}</h2>
      {ends.length ? (
        <ul>
          {ends.map((end) => (
            <li key={end.key} className="node">
              {end.column ? <div className="mono wrap">{end.table ? <Link to={`${tableHref(end.table)}?tab=lineage&column=${encodeURIComponent(end.column)}`}>{end.column}</Link> : end.column}</div> : null}
              <div className="soft wrap">{end.label}</div>
            </li>
          ))}
        </ul>
      ) : <p className="faint">{none}</p>}
    </section>
  );
}

function Columns({ table, column }: { table: Table; column: string }) {
  const asked = `table_name=${encodeURIComponent(table.full_name)}&column_name=${encodeURIComponent(column)}`;
  const query = useQuery({ queryKey: ["column-lineage", asked], queryFn: () => get<Schemas["ColumnLineage"]>(`${LINEAGE}/column-lineage?${asked}`) });
  return (
    <Loaded query={query}>
      {(found) => (
        <div className="graph">
          <Ends title="Made of" ends={columnsOf(found.upstream_cols)} none="No column is known." />
          <ArrowRight className="arrow" aria-hidden />
          <div className="node this mono wrap">{column}</div>
          <ArrowRight className="arrow" aria-hidden />
          <Ends title="Goes into" ends={columnsOf(found.downstream_cols)} none="No column is known." />
        </div>
      )}
    </Loaded>
  );
}

/** Where a table comes from and goes to, one step each way, and the same of a column that the URL names. */
export function LineageView({ table }: { table: Table }) {
  const [params, setParams] = useSearchParams();
  const column = table.columns.find((one) => one.name === params.get("column"))?.name ?? "";
  const asked = `table_name=${encodeURIComponent(table.full_name)}&include_entity_lineage=true`;
  const query = useQuery({ queryKey: ["lineage", asked], queryFn: () => get<Schemas["TableLineage"]>(`${LINEAGE}/table-lineage?${asked}`) });
  const choose = (name: string) => {
    const next = new URLSearchParams(params);
    if (name) next.set("column", name);
    else next.delete("column");
    setParams(next, { replace: true });
  };
  return (
    <Loaded query={query}>
      {({ upstreams, downstreams }) => upstreams.length + downstreams.length === 0 ? (
        <Empty title="No lineage is recorded yet">It is recorded with every query that reads one table and writes another, and every reading by a job, notebook or pipeline.</Empty>
      ) : (
        <>
          <section className="panel gap graph" aria-label="Tables">
            <Side title="Comes from" nodes={nodesOf(upstreams)} none="No table is known." />
            <ArrowRight className="arrow" aria-hidden />
            <div className="node this wrap"><Name text={table.full_name} /></div>
            <ArrowRight className="arrow" aria-hidden />
            <Side title="Goes to" nodes={nodesOf(downstreams)} none="No table is known." />
          </section>
          <section className="panel" aria-label="Columns">
            <label htmlFor="column">Column</label>
            <select id="column" className="field pick" value={column} onChange={(event) => choose(event.target.value)}>
              <option value="">Choose one to see where it comes from</option>
              {table.columns.map((one) => <option key={one.name} value={one.name}>{one.name}</option>)}
            </select>
            {column ? <div style={{ marginTop: 14 }}><Columns table={table} column={column} /></div> : null}
          </section>
        </>
      )}
    </Loaded>
  );
}
