import { Link } from "react-router";
import { path } from "../../api/client";
import { time } from "../../api/format";
import { Badge } from "../../ui/primitives";
import { type DeploymentEvent, told, tone } from "./deployment";

/** What was decided and done: when, by whom, why. */
export function History({ events, model }: { events: DeploymentEvent[]; model?: string }) {
  if (events.length === 0) return null;
  return (
    <section className="panel flush" aria-label="History" style={{ marginTop: 16 }}>
      <h2>History</h2>
      <div className="scroll whole">
        <table className="data">
          <thead><tr><th>When (UTC)</th>{model ? <th className="num">Version</th> : null}<th>Step</th><th>What</th><th>Verdict</th><th>Who</th><th>Why</th></tr></thead>
          <tbody>
            {events.map((event) => (
              <tr key={event.id}>
                <td className="nowrap">{time(event.at)}</td>
                {model ? <td className="num">{event.version === null ? "–" : <Link to={path("/models", model, "versions", String(event.version))}>{event.version}</Link>}</td> : null}
                <td>{event.step}</td>
                <td className="wrap">{told(event)}</td>
                <td><Badge tone={tone(event.verdict)}>{event.verdict}</Badge></td>
                <td className="soft wrap">{event.principal}</td>
                <td className="soft wrap">{event.reason || "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
