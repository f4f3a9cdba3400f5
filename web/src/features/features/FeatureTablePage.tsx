import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearchParams } from "react-router";
import { get, path, type Schemas, tableHref } from "../../api/client";
import { ago, count, time } from "../../api/format";
import { Badge, Head, Loaded, Name, Tabs } from "../../ui/primitives";
import { LineageView } from "../catalog/LineageView";
import type { Table as CatalogTable } from "../catalog/table";
import { DistributionView } from "./DistributionView";
import { behind } from "./freshness";
import { PreviewView } from "./PreviewView";
import { UsesView } from "./UsesView";

type Table = Schemas["FeatureTableBody"];

const TABS = ["Features", "Uses", "Lineage", "Distribution", "Preview"];

function Lineage({ name }: { name: string }) {
  const query = useQuery({ queryKey: ["table", name], queryFn: () => get<CatalogTable>(path("/api/2.1/unity-catalog/tables", name)) });
  return <Loaded query={query}>{(table) => <LineageView table={table} />}</Loaded>;
}

function Features({ table }: { table: Table }) {
  return (
    <>
      <section className="panel flush">
        <table className="data columns" aria-label="Features">
          <thead><tr><th>Feature</th><th>Type</th><th>Comment</th></tr></thead>
          <tbody>{table.features.map((one) => <tr key={one.name}><td className="wrap"><Name text={one.name} /></td><td className="mono soft">{one.type}</td><td className="soft wrap">{one.comment ?? "–"}</td></tr>)}</tbody>
        </table>
      </section>
      <section className="panel flush gap-above">
        <h2>Online</h2>
        {table.online.length === 0 ? <p className="foot faint" style={{ border: 0 }}>Not published: endpoints cannot look it up. <span className="mono">fe.publish_table(...)</span> does that.</p> : (
          <table className="data" aria-label="Online tables">
            <thead><tr><th>Online table</th><th>Store</th><th>Mode</th><th className="num">Rows</th><th>Freshness</th></tr></thead>
            <tbody>{table.online.map((one) => <tr key={one.name}><td className="wrap"><Name text={one.name} /></td><td className="soft wrap">{one.store}</td><td className="soft">{one.publish_mode.toLowerCase()}</td><td className="num">{count(one.rows)}</td><td><Badge tone={behind(table, one) === "up to date" ? "good" : "warning"}>{behind(table, one)}</Badge> <span className="faint" title={time(one.updated_at)}>{ago(one.updated_at)}</span></td></tr>)}</tbody>
          </table>
        )}
      </section>
    </>
  );
}

/** One feature table: what is in it, what uses it, where it comes from, and what a look-up finds. */
export function FeatureTablePage() {
  const name = useParams().name ?? "";
  const [params] = useSearchParams();
  const tab = params.get("tab") ?? "features";
  const query = useQuery({ queryKey: ["feature-table", name], queryFn: () => get<Table>(path("/api/boathouse/v1/features", name)) });
  return (
    <>
      <Loaded query={query}>
        {(table) => (
          <>
            <Head title={table.full_name} sub={<>{table.comment ? <div>{table.comment}</div> : null}Keys {table.primary_keys.join(", ")}{table.timeseries_key ? `, as of ${table.timeseries_key}` : ""}{table.available_at ? `, known since ${table.available_at}` : ""} · owner {table.owner} · {table.updated_at === null ? "its log cannot be read" : <span title={time(table.updated_at)}>version {table.version}, written {ago(table.updated_at)}</span>}</>}>
              <Link className="button quiet" to={tableHref(table.full_name)}>Table</Link>
            </Head>
            <Tabs tabs={TABS} current={tab} />
            {tab === "uses" ? <UsesView name={table.full_name} /> : tab === "lineage" ? <Lineage name={table.full_name} /> : tab === "distribution" ? <DistributionView name={table.full_name} /> : tab === "preview" ? <PreviewView table={table} /> : <Features table={table} />}
          </>
        )}
      </Loaded>
    </>
  );
}
