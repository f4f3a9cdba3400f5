import { figure, time } from "../../api/format";
import { type Figures, line } from "./quality";

const WIDTH = 640;
const HEIGHT = 120;

/** A metric from window to window; each window says its value when it is pointed at, and to readers of the screen. */
export function MetricLine({ windows, metric }: { windows: Figures["windows"]; metric: string }) {
  const { points, least, most } = line(windows, metric, WIDTH, HEIGHT);
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return <p className="faint">No window has a value of {metric} yet{metric === "count" ? "" : ": labels may still be missing"}.</p>;
  return (
    <figure className="quality-line">
      <svg viewBox={`-8 -8 ${WIDTH + 16} ${HEIGHT + 16}`} role="img" aria-label={`${metric} of ${points.length} windows, last ${figure(last.value)}`}>
        <polyline points={points.map((one) => `${one.x},${one.y}`).join(" ")} />
        {points.map((one) => <circle key={one.start} cx={one.x} cy={one.y} r={points.length > 60 ? 2 : 4}><title>{`${time(one.start)}: ${figure(one.value)}`}</title></circle>)}
      </svg>
      <figcaption className="faint">
        <span>{time(first.start).slice(0, 16)}</span>
        <span>{least === most ? `always ${figure(least)}` : `${figure(least)} to ${figure(most)}`}, last <strong>{figure(last.value)}</strong></span>
        <span>{points.length > 1 ? time(last.start).slice(0, 16) : ""}</span>
      </figcaption>
    </figure>
  );
}
