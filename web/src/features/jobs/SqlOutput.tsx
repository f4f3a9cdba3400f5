import { Badge } from "../../ui/primitives";
import type { SqlStatement } from "./types";

const shown = (value: unknown): string => (value === null ? "null" : typeof value === "string" ? value : JSON.stringify(value));

/** What the statements of a SQL task gave, one after the other. */
export function SqlOutput({ statements }: { statements: SqlStatement[] }) {
  return (
    <>
      {statements.map((one, index) => {
        const columns = one.columns ?? [];
        const rows = one.rows ?? [];
        return (
          <section key={one.lookup_key ?? index} className="gap-above" aria-label={`Statement ${index + 1}`}>
            <h3>Statement {index + 1} <Badge tone={one.status === "FINISHED" ? "good" : "bad"}>{one.status.toLowerCase()}</Badge></h3>
            {one.status === "FINISHED" && columns.length === 0 ? <p className="soft">It gave no rows.</p> : null}
            {columns.length > 0 ? (
              <div className="scroll statement">
                <table className="data list">
                  <thead><tr>{columns.map((column) => <th key={column.name} title={column.type}>{column.name}</th>)}</tr></thead>
                  <tbody>{rows.map((row, at) => <tr key={at}>{row.map((value, place) => <td key={place} className={value === null ? "faint" : "wrap"}>{shown(value)}</td>)}</tr>)}</tbody>
                </table>
                <p className="faint">{rows.length} {rows.length === 1 ? "row" : "rows"}{one.truncated ? ", of more" : ""}</p>
              </div>
            ) : null}
          </section>
        );
      })}
    </>
  );
}
