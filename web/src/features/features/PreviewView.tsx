import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { call, path, type Schemas } from "../../api/client";
import { cell } from "../../api/format";
import { Badge, Empty, Failure } from "../../ui/primitives";
import { tone } from "./freshness";

type Table = Schemas["FeatureTableBody"];

function Rows({ rows }: { rows: Schemas["PreviewRows"]["rows"] }) {
  const first = rows[0];
  if (!first) return <Empty title="The entity has no row">A look-up gives nulls, or the defaults.</Empty>;
  const columns = Object.keys(first).filter((one) => one !== "as_of_status");
  return (
    <section className="panel flush">
      <div className="scroll">
        <table className="data" aria-label="Rows of the entity">
          <thead><tr><th>Look-up</th>{columns.map((one) => <th key={one}>{one}</th>)}</tr></thead>
          <tbody>
            {rows.map((row, line) => (
              <tr key={line}>
                <td><Badge tone={tone(String(row.as_of_status))}>{String(row.as_of_status)}</Badge></td>
                {columns.map((one) => <td key={one}>{row[one] === null ? <span className="null">null</span> : cell(row[one])}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.some((row) => row.as_of_status === "chosen") ? null : <p className="foot soft">No row is taken: a look-up gives nulls, or the defaults.</p>}
    </section>
  );
}

/** Which row of one entity a look-up takes, and why not the others. */
export function PreviewView({ table }: { table: Table }) {
  const [key, setKey] = useState<Record<string, string>>({});
  const [time, setTime] = useState("");
  const [hours, setHours] = useState("");
  const preview = useMutation({
    mutationFn: () => call<Schemas["PreviewRows"]>("POST", `${path("/api/boathouse/v1/features", table.full_name)}/preview`, {
      key: Object.fromEntries(table.primary_keys.map((one) => [one, key[one] ?? ""])),
      time: time.trim() || null,
      lookback_seconds: hours.trim() ? Number(hours) * 3600 : null,
    }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    preview.mutate();
  };
  return (
    <>
      <form className="panel gap" onSubmit={submit}>
        <div className="quality-fields">
          {table.primary_keys.map((one) => <label key={one}>{one}<input className="field" required value={key[one] ?? ""} onChange={(event) => setKey({ ...key, [one]: event.target.value })} /></label>)}
          {table.timeseries_key ? (
            <>
              <label>As of (UTC)<input className="field" placeholder="2013-05-01T10:00:00Z; the latest without" value={time} onChange={(event) => setTime(event.target.value)} /></label>
              <label>Look-back in hours<input className="field" type="number" min={0} step="any" placeholder="any age" value={hours} onChange={(event) => setHours(event.target.value)} /></label>
            </>
          ) : null}
        </div>
        <button type="submit" className="button" disabled={preview.isPending}>Look up</button>
      </form>
      {preview.error ? <Failure error={preview.error} /> : preview.data ? <Rows rows={preview.data.rows} /> : null}
    </>
  );
}
