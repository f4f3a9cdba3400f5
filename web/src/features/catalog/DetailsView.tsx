import { useQuery } from "@tanstack/react-query";
import { get, path, type Schemas } from "../../api/client";
import { bytes, count, time } from "../../api/format";
import { Loading } from "../../ui/primitives";
import { Facts } from "./Facts";
import { isDelta, type Table } from "./table";
import { Unreadable } from "./Unreadable";

/** What a table's log knows of it. */
function Files({ table, mayRead }: { table: Table; mayRead: boolean }) {
  const query = useQuery({ queryKey: ["detail", table.full_name], queryFn: () => get<Schemas["DetailBody"]>(`${path("/api/boathouse/v1/tables", table.full_name)}/detail`) });
  if (query.data === undefined) {
    return <div className="gap">{query.error ? <Unreadable table={table} mayRead={mayRead} error={query.error} /> : <Loading lines={3} />}</div>;
  }
  const detail = query.data;
  return (
    <section className="panel gap">
      <h2>Files</h2>
      <dl className="facts">
        <Facts facts={[["Rows", count(detail.rows)], ["Files", `${count(detail.files)}, ${bytes(detail.size_bytes)}`], ["Version", detail.version], ["Last changed", time(detail.updated_at)], ["Partitioned by", detail.partition_columns.join(", ") || "nothing"]]} />
      </dl>
    </section>
  );
}

export function DetailsView({ table, mayRead }: { table: Table; mayRead: boolean }) {
  const properties = Object.entries(table.properties);
  return (
    <>
      <section className="panel gap">
        <dl className="facts">
          <Facts
            facts={[
              ["Type", [table.table_type, table.data_source_format].filter(Boolean).join(" ")],
              ["Owner", table.owner],
              ["Created", `${time(table.created_at)} by ${table.created_by}`],
              ["Changed", `${time(table.updated_at)} by ${table.updated_by}`],
              ["Identifier", table.table_id],
              ["Location", table.storage_location ?? null],
            ]}
          />
        </dl>
      </section>
      {isDelta(table) ? <Files table={table} mayRead={mayRead} /> : null}
      {properties.length ? <section className="panel"><h2>Properties</h2><dl className="facts"><Facts mono facts={properties} /></dl></section> : null}
    </>
  );
}
