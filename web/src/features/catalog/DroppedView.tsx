import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { call, get, path, type Schemas, tableHref } from "../../api/client";
import { time } from "../../api/format";
import { Empty, Failure, Loaded } from "../../ui/primitives";

const DROPPED = "/api/boathouse/v1/dropped-tables";
type Dropped = Schemas["DroppedTableBody"];

/** The tables of a schema that were dropped and can come back. */
export function DroppedView({ schema }: { schema: string }) {
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ["dropped", schema], queryFn: () => get<Schemas["DroppedTableList"]>(`${DROPPED}?schema_name=${encodeURIComponent(schema)}`) });
  const undrop = useMutation({
    mutationFn: (table: Dropped) => call<Schemas["TableBody"]>("POST", `${path(DROPPED, table.id)}/undrop`),
    onSuccess: async () => {
      await Promise.all([["dropped", schema], ["tables", ...schema.split(".")]].map((queryKey) => queries.invalidateQueries({ queryKey })));
    },
  });
  return (
    <>
      {undrop.error ? <div className="gap"><Failure error={undrop.error} title="The table was not brought back" /></div> : null}
      {undrop.data ? <div className="note gap" role="status"><strong>The table is back</strong><Link to={tableHref(undrop.data.full_name)}>{undrop.data.full_name}</Link>, with its rows, grants, tags and keys.</div> : null}
      <Loaded query={query}>
        {({ tables }) => tables.length === 0 ? <Empty title="No dropped tables">A dropped table is kept for seven days. Here are those that you may bring back.</Empty> : (
          <section className="panel flush">
            <div className="scroll">
              <table className="data">
                <thead><tr><th>Name</th><th>Dropped (UTC)</th><th>By</th><th>Kept until</th><th /></tr></thead>
                <tbody>
                  {tables.map((table) => (
                    <tr key={table.id}>
                      <td title={table.full_name}>{table.full_name.split(".").at(-1)}</td>
                      <td>{time(table.dropped_at)}</td>
                      <td className="soft">{table.dropped_by}</td>
                      <td className="soft">{time(table.kept_until)}</td>
                      <td className="act"><button type="button" className="button quiet" disabled={undrop.isPending} onClick={() => undrop.mutate(table)} aria-label={`Undrop ${table.full_name}, dropped ${time(table.dropped_at)}`}>Undrop</button></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        )}
      </Loaded>
    </>
  );
}
