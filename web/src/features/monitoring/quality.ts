import type { Schemas } from "../../api/client";
import { figure } from "../../api/format";

export type Monitor = Schemas["MonitorInfo"];
export type Refresh = Schemas["RefreshInfo"];
export type Figures = Schemas["MonitorFigures"];
export type Drift = Schemas["DriftFigure"];

export const KINDS = { snapshot: "Snapshot", time_series: "Time series", inference_log: "Inference log" } as const;
export type Kind = keyof typeof KINDS;
export const GRANULARITIES = ["5 minutes", "30 minutes", "1 hour", "1 day", "1 week", "2 weeks", "3 weeks", "4 weeks", "1 month", "1 year"];

/** What stands in the form of a new monitor. */
export interface Draft {
  kind: Kind;
  timestamp: string;
  granularity: string;
  problem: string;
  prediction: string;
  label: string;
  model: string;
  baseline: string;
  output: string;
}

/** The body that makes a monitor; fields that do not belong to its kind are left out. */
export function bodyOf(draft: Draft, table: string): Record<string, unknown> {
  const timed = { timestamp_col: draft.timestamp, granularities: [draft.granularity] };
  const log = { ...timed, problem_type: draft.problem, prediction_col: draft.prediction, model_id_col: draft.model, ...(draft.label ? { label_col: draft.label } : {}) };
  const kinds = { snapshot: {}, time_series: timed, inference_log: log };
  return {
    output_schema_name: draft.output,
    assets_dir: `/Workspace/monitors/${table}`,
    [draft.kind]: kinds[draft.kind],
    ...(draft.baseline ? { baseline_table_name: draft.baseline } : {}),
  };
}

/** What still has to be chosen, in words; empty if nothing. */
export function missing(draft: Draft): string {
  const needed: [string, string][] = draft.kind === "snapshot" ? [] : [[draft.timestamp, "the column of timestamps"]];
  if (draft.kind === "inference_log") needed.push([draft.prediction, "the column of predictions"], [draft.model, "the column of model ids"]);
  return needed.filter(([value]) => !value).map(([, what]) => what).join(", ");
}

export const kindOf = (monitor: Monitor): Kind => (monitor.inference_log ? "inference_log" : monitor.time_series ? "time_series" : "snapshot");

const WHYS: Record<string, string> = {
  population_stability_index: "its population stability index",
  js_distance: "its Jensen-Shannon distance",
  wasserstein_distance: "its Wasserstein distance",
};

/** How a column stands, in words. */
export function verdict(one: Drift): string {
  if (one.has_drifted) return `drifted, ${one.windows} of 3 windows`;
  return one.reason ? `by ${WHYS[one.reason] ?? one.reason}, once` : "";
}

/** A figure of drift in few digits; a dash where the column has none of the kind. */
export function drifted(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value > 0 && value < 0.001 ? "< 0.001" : figure(Number(value.toPrecision(3)));
}

export interface Point {
  x: number;
  y: number;
  start: number;
  value: number;
}

/** The points of a line in a box, left to right; windows without a value are left out. */
export function line(windows: Figures["windows"], metric: string, width: number, height: number): { points: Point[]; least: number; most: number } {
  const found = windows.map((one) => ({ start: Number(one.start), value: one[metric] as number | null })).filter((one): one is { start: number; value: number } => one.value !== null && Number.isFinite(one.value));
  const values = found.map((one) => one.value);
  const least = Math.min(...values);
  const most = Math.max(...values);
  const first = found[0]?.start ?? 0;
  const span = (found.at(-1)?.start ?? 0) - first || 1;
  const range = most - least || 1;
  const points = found.map((one) => ({ ...one, x: found.length === 1 ? width / 2 : ((one.start - first) / span) * width, y: most === least ? height / 2 : height - ((one.value - least) / range) * height }));
  return { points, least, most };
}

/** Whether there is any figure of a column's drift: of moments and nested values there is none. */
export const isCompared = (one: Drift): boolean => Object.values(one.figures).some((value) => value !== null);
