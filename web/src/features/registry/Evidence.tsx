import { figure } from "../../api/format";
import { Badge, Empty } from "../../ui/primitives";
import { type DeploymentEvent, figures, outcomes, table, tone } from "./deployment";

const SHOWN = 8;

function Slices({ rows }: { rows: Record<string, unknown>[] }) {
  const columns = Object.keys(rows[0] ?? {});
  return (
    <details>
      <summary>{rows.length} groups</summary>
      <table className="data">
        <thead><tr>{columns.map((column) => <th key={column} className={column === "value" ? "" : "num"}>{column}</th>)}</tr></thead>
        <tbody>{rows.map((row, index) => <tr key={index}>{columns.map((column) => <td key={column} className={column === "value" ? "" : "num"}>{typeof row[column] === "number" ? figure(row[column]) : String(row[column] ?? "")}</td>)}</tr>)}</tbody>
      </table>
    </details>
  );
}

/** What the steps of the job found, a row a check. */
export function Evidence({ events }: { events: DeploymentEvent[] }) {
  if (events.length === 0) return <Empty title="Nothing was evaluated yet">Steps of the deployment job keep what they find here.</Empty>;
  return (
    <section className="panel flush" aria-label="Evaluation">
      <h2>Evaluation</h2>
      <div className="scroll whole">
        <table className="data">
          <thead><tr><th>Check</th><th>Verdict</th><th>Figures</th><th>Why</th></tr></thead>
          <tbody>
            {events.map((event) => {
              const champion = event.details.champion as Record<string, number> | undefined;
              const rows = table(event);
              return (
                <tr key={event.id}>
                  <td className="wrap">{event.step === "shadow" ? "shadow: " : ""}{event.name}</td>
                  <td><Badge tone={tone(event.verdict)}>{event.verdict}</Badge></td>
                  <td className="soft wrap">
                    {figures(event).slice(0, SHOWN).map(([name, value]) => (
                      <div key={name}><span className="mono">{name}</span> {figure(value)}{champion?.[name] === undefined ? "" : ` (champion ${figure(champion[name])})`}</div>
                    ))}
                    {outcomes(event).map(([column, outcome]) => <div key={column}><span className="mono">{column}</span> {outcome}</div>)}
                    {rows.length > 0 ? <Slices rows={rows} /> : null}
                  </td>
                  <td className="soft wrap">{event.reason || "–"}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
