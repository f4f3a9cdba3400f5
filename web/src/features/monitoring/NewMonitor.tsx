import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import { Failure } from "../../ui/primitives";
import type { Table } from "../catalog/table";
import { bodyOf, type Draft, GRANULARITIES, KINDS, type Kind, missing, type Monitor } from "./quality";

const WHAT: Record<Kind, string> = {
  snapshot: "The whole table at each refresh, compared with the one before.",
  time_series: "Windows of a column of timestamps, each compared with the one before.",
  inference_log: "Windows of predictions: the same, and how good each model is where labels are known.",
};
const TIMES = /^(timestamp|timestamp_ntz|date|string)$/;

/** The form that makes a table's monitor. */
export function NewMonitor({ table, url }: { table: Table; url: string }) {
  const client = useQueryClient();
  const names = table.columns.map((one) => one.name);
  const times = table.columns.filter((one) => TIMES.test(one.type_text ?? "")).map((one) => one.name);
  const first = table.columns.find((one) => /^(timestamp|date)/.test(one.type_text ?? ""))?.name ?? "";
  const named = (...wanted: string[]) => names.find((one) => wanted.includes(one.toLowerCase())) ?? "";
  const [draft, setDraft] = useState<Draft>({
    kind: named("prediction") ? "inference_log" : first ? "time_series" : "snapshot",
    timestamp: first, granularity: "1 day", problem: "PROBLEM_TYPE_REGRESSION",
    prediction: named("prediction"), label: named("label"), model: named("model_id", "model_version"),
    baseline: "", output: `${table.catalog_name}.${table.schema_name}`,
  });
  const make = useMutation({
    mutationFn: () => call<Monitor>("POST", url, bodyOf(draft, table.full_name)),
    onSuccess: () => client.invalidateQueries({ queryKey: ["monitor", table.full_name] }),
  });
  const put = (key: keyof Draft) => (value: string) => setDraft({ ...draft, [key]: value });
  const pick = (key: keyof Draft, label: string, options: string[], none?: string) => (
    <div>
      <label htmlFor={`monitor-${key}`}>{label}</label>
      <select id={`monitor-${key}`} className="field pick" value={draft[key]} onChange={(event) => put(key)(event.target.value)}>
        {none !== undefined || !draft[key] ? <option value="">{none ?? "Choose one"}</option> : null}
        {options.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
    </div>
  );
  const text = (key: "baseline" | "output", label: string, hint: string) => (
    <div>
      <label htmlFor={`monitor-${key}`}>{label}</label>
      <input id={`monitor-${key}`} className="field mono" value={draft[key]} placeholder={hint} onChange={(event) => put(key)(event.target.value)} />
    </div>
  );
  const still = missing(draft);
  const isTimed = draft.kind !== "snapshot";
  const isLog = draft.kind === "inference_log";
  return (
    <section className="panel" aria-label="Monitor this table">
      <h2>Monitor this table</h2>
      <p className="soft">A monitor writes what the columns hold, and how that drifts, into two tables of metrics: for queries, alerts and jobs.</p>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); make.mutate(); }}>
        <fieldset>
          <legend>What is looked at</legend>
          <div className="actions">
            {(Object.keys(KINDS) as Kind[]).map((kind) => (
              <button key={kind} type="button" className={`button ${draft.kind === kind ? "" : "quiet"}`} aria-pressed={draft.kind === kind} onClick={() => put("kind")(kind)}>{KINDS[kind]}</button>
            ))}
          </div>
          <p className="faint">{WHAT[draft.kind]}</p>
        </fieldset>
        {isTimed ? <div className="quality-fields">{pick("timestamp", "Timestamps", times)}{pick("granularity", "Windows of", GRANULARITIES)}</div> : null}
        {isLog ? (
          <div className="quality-fields">
            <div>
              <label htmlFor="monitor-problem">The model's task</label>
              <select id="monitor-problem" className="field pick" value={draft.problem} onChange={(event) => put("problem")(event.target.value)}>
                <option value="PROBLEM_TYPE_REGRESSION">Regression</option>
                <option value="PROBLEM_TYPE_CLASSIFICATION">Classification</option>
              </select>
            </div>
            {pick("prediction", "Predictions", names)}{pick("label", "Labels", names, "None yet")}{pick("model", "Model ids", names)}
          </div>
        ) : null}
        <div className="quality-fields">
          {text("output", "Schema of the metric tables", "catalog.schema")}
          {text("baseline", "Baseline table", "none, or catalog.schema.table")}
        </div>
        {make.error ? <Failure error={make.error} /> : null}
        <div className="actions">
          <button type="submit" className="button" disabled={make.isPending || still !== ""} title={still ? `Choose ${still}.` : undefined}>Create monitor</button>
        </div>
      </form>
    </section>
  );
}
