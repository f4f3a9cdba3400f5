import type { Schemas } from "../../api/client";

export type Asked = Schemas["AutomlBody"];
export type Problem = Asked["problem"];

export const PROBLEMS: Record<Problem, string> = { classify: "Classes", regress: "Numbers", forecast: "Forecast" };
export const METRICS: Record<Problem, string[]> = {
  classify: ["f1", "log_loss", "precision", "accuracy", "roc_auc"],
  regress: ["r2", "mae", "rmse", "mse"],
  forecast: ["smape", "mse", "rmse", "mae", "mdape"],
};
export const FREQUENCIES = ["minute", "hour", "day", "week", "month", "quarter", "year"];

export interface Draft {
  problem: Problem;
  dataset: string;
  target: string;
  metric: string;
  minutes: string;
  time: string;
  identity: string;
  frequency: string;
  horizon: string;
  output: string;
}

export const EMPTY: Draft = { problem: "classify", dataset: "", target: "", metric: "", minutes: "15", time: "", identity: "", frequency: "day", horizon: "7", output: "" };

/** What is not chosen yet; empty if nothing is. */
export function missing(draft: Draft): string {
  if (!draft.dataset) return "a table";
  if (!draft.target) return "a target";
  if (!(Number(draft.minutes) > 0)) return "a number of minutes";
  if (draft.problem === "forecast" && !draft.time) return "the column of time";
  if (draft.problem === "forecast" && !(Number(draft.horizon) >= 1 && Number.isInteger(Number(draft.horizon)))) return "a number of periods";
  return "";
}

export function bodyOf(draft: Draft): Partial<Asked> & Pick<Asked, "problem" | "dataset" | "target_col"> {
  const forecast = draft.problem === "forecast";
  return {
    problem: draft.problem,
    dataset: draft.dataset,
    target_col: draft.target,
    timeout_minutes: Number(draft.minutes),
    ...(draft.metric ? { primary_metric: draft.metric } : {}),
    ...(draft.time ? { time_col: draft.time } : {}),
    ...(forecast ? { frequency: draft.frequency, horizon: Number(draft.horizon) } : {}),
    ...(forecast && draft.identity ? { identity_col: [draft.identity] } : {}),
    ...(forecast && draft.output ? { output_database: draft.output } : {}),
  };
}

interface Pair {
  key: string;
  value: string;
}

export interface Experiment {
  experiment_id: string;
  name: string;
  creation_time?: number;
  tags?: Pair[];
}

export interface MlflowRun {
  info: { run_id: string; run_name?: string; status: string; start_time: number; end_time?: number };
  data: { metrics?: { key: string; value: number }[]; tags?: Pair[] };
}

export const tagsOf = (tags: Pair[] | undefined): Record<string, string> => Object.fromEntries((tags ?? []).map((one) => [one.key, one.value]));

export interface Trial {
  run: string;
  number: number;
  model: string;
  status: string;
  score: number | undefined;
  test: number | undefined;
  took: number | undefined;
  notebook: string | undefined;
}

/** The trials of an experiment: the best first, then those without a score by their numbers. A notebook that was run again is not one. */
export function trialsOf(runs: MlflowRun[], metric: string, direction: string): Trial[] {
  const sign = direction === "maximize" ? -1 : 1;
  const first = new Map<string, Trial>();
  for (const run of [...runs].sort((a, b) => a.info.start_time - b.info.start_time)) {
    const tags = tagsOf(run.data.tags);
    const number = tags["automl.trial"];
    if (number === undefined || first.has(number)) continue;
    const metrics = Object.fromEntries((run.data.metrics ?? []).map((one) => [one.key, one.value]));
    first.set(number, {
      run: run.info.run_id,
      number: Number(number),
      model: tags["automl.model"] ?? "",
      status: run.info.status,
      score: metrics[metric],
      test: metrics[metric.replace(/^val_/, "test_")],
      took: run.info.end_time ? run.info.end_time - run.info.start_time : undefined,
      notebook: tags["automl.notebook"],
    });
  }
  return [...first.values()].sort((a, b) => {
    if (a.score === undefined || b.score === undefined) return Number(a.score === undefined) - Number(b.score === undefined) || a.number - b.number;
    return sign * (a.score - b.score) || a.number - b.number;
  });
}

/** Where the page shows a search. */
export const searchHref = (name: string, run?: string): string => `/automl/search?name=${encodeURIComponent(name)}${run ? `&run=${encodeURIComponent(run)}` : ""}`;
