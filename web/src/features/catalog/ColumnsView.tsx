import { Clock, EyeOff, KeyRound } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { tableHref } from "../../api/client";
import { Badge, Empty } from "../../ui/primitives";
import { hrefOf } from "./names";
import { argumentsText, type Keys, keysOf, type Securable, type Table } from "./table";
import { Facts } from "./Facts";
import { Tags } from "./Tags";

function FunctionLink({ name }: { name: string }) {
  return <Link className="mono" to={hrefOf("function", name) ?? ""}>{name}</Link>;
}

function Marks({ name, keys, known, partitioned }: { name: string; keys: Keys; known: string | undefined; partitioned: boolean }) {
  const foreign = keys.foreign.filter((key) => key.columns.includes(name));
  return (
    <>
      {keys.primary?.columns.includes(name) ? <Badge tone="accent"><KeyRound size={11} aria-hidden /> primary key</Badge> : null}
      {keys.primary?.times.includes(name) ? <Badge tone="accent"><Clock size={11} aria-hidden /> time of the features</Badge> : null}
      {known === name ? <Badge tone="accent"><Clock size={11} aria-hidden /> available at</Badge> : null}
      {foreign.map((key) => <span key={key.name} className="badge" title={`Foreign key ${key.name}`}>→ <Link to={tableHref(key.table)}>{key.table.split(".").at(-1)}.{key.parents[key.columns.indexOf(name)]}</Link></span>)}
      {partitioned ? <Badge>partition</Badge> : null}
    </>
  );
}

/** What holds for the table as a whole: its row filter, keys and checks. */
function Rules({ table, keys }: { table: Table; keys: Keys }) {
  const filter = table.row_filter;
  if (!filter && !keys.primary && !keys.foreign.length && !keys.checks.length) return null;
  return (
    <section className="panel gap">
      <dl className="facts">
        <Facts
          facts={[
            ["Row filter", filter ? <><FunctionLink name={filter.function_name} /><span className="mono"> ({argumentsText(filter.input_arguments)})</span><div className="soft">A reader gets the rows that this function says yes to.</div></> : null],
            ["Primary key", keys.primary ? <><span className="mono">{keys.primary.columns.join(", ")}</span> <span className="faint">{keys.primary.name}</span></> : null],
            ...keys.foreign.map((key): [string, ReactNode] => [`Foreign key ${key.name}`, <><span className="mono">{key.columns.join(", ")}</span> → <Link to={tableHref(key.table)}>{key.table}</Link> <span className="mono">({key.parents.join(", ")})</span></>]),
            ...keys.checks.map(([name, condition]): [string, ReactNode] => [`Check ${name}`, <span className="mono">{condition}</span>]),
          ]}
        />
      </dl>
    </section>
  );
}

export function ColumnsView({ table, securable }: { table: Table; securable: Securable | undefined }) {
  const keys = keysOf(table);
  const tagged = securable?.column_tags ?? {};
  if (!table.columns.length) return <Empty title="No columns are recorded yet">They are known once something was written.</Empty>;
  return (
    <>
      <Rules table={table} keys={keys} />
      <section className="panel flush">
        <div className="scroll">
          <table className="data columns">
            <thead><tr><th>Name</th><th>Type</th><th>Nullable</th><th>Comment</th></tr></thead>
            <tbody>
              {table.columns.map((column) => (
                <tr key={column.name}>
                  <td>
                    <span className="mono">{column.name}</span>
                    <div className="marks">
                      <Marks name={column.name} keys={keys} known={table.properties.available_at} partitioned={column.partition_index !== null && column.partition_index !== undefined} />
                      <Tags tags={tagged[column.name]} />
                    </div>
                    {column.mask ? <div className="soft"><EyeOff size={12} aria-hidden /> masked by <FunctionLink name={column.mask.function_name} /><span className="mono"> ({argumentsText(column.mask.using_arguments, column.name)})</span></div> : null}
                  </td>
                  <td className="mono soft" title={column.type_text ?? ""}>{column.type_text}</td>
                  <td className="soft">{column.nullable === false ? "no" : "yes"}</td>
                  <td>{column.comment}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </>
  );
}
