import { useQuery } from "@tanstack/react-query";
import { ArrowRight } from "lucide-react";
import { Link, useSearchParams } from "react-router";
import { get, type Schemas, tableHref } from "../../api/client";
import { Loaded } from "../../ui/primitives";
import { Lineage } from "./Lineage";
import { type ColumnEnd, columnsOf } from "./lineage";
import type { Table } from "./table";

const LINEAGE = "/api/2.0/lineage-tracking";

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

/** Where a table comes from and goes to, and the same of a column that the URL names. */
export function LineageView({ table }: { table: Table }) {
  const [params, setParams] = useSearchParams();
  const column = table.columns.find((one) => one.name === params.get("column"))?.name ?? "";
  const choose = (name: string) => {
    const next = new URLSearchParams(params);
    if (name) next.set("column", name);
    else next.delete("column");
    setParams(next, { replace: true });
  };
  return (
    <>
      <Lineage type="table" name={table.full_name} />
      <section className="panel gap-above" aria-label="Columns">
        <label htmlFor="column">Column</label>
        <select id="column" className="field pick" value={column} onChange={(event) => choose(event.target.value)}>
          <option value="">Choose one to see where it comes from</option>
          {table.columns.map((one) => <option key={one.name} value={one.name}>{one.name}</option>)}
        </select>
        {column ? <div style={{ marginTop: 14 }}><Columns table={table} column={column} /></div> : null}
      </section>
    </>
  );
}
