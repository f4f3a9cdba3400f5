import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { call, get, path, type Schemas } from "../../api/client";
import { Failure } from "../../ui/primitives";
import { bodyOf, type Draft, EMPTY, FREQUENCIES, METRICS, missing, type Problem, PROBLEMS, searchHref } from "./automl";

const WHAT: Record<Problem, string> = {
  classify: "A column of classes is predicted from the others.",
  regress: "A column of numbers is predicted from the others.",
  forecast: "The coming values of series are said from their past.",
};
const FULL_NAME = /^[^.]+\.[^.]+\.[^.]+$/;

/** The form that starts a search on a table. */
export function StartForm({ table }: { table: string }) {
  const navigate = useNavigate();
  const [draft, setDraft] = useState<Draft>({ ...EMPTY, dataset: table });
  const [typed, setTyped] = useState(table);
  const found = useQuery({
    queryKey: ["automl-table", draft.dataset],
    queryFn: () => get<{ columns: { name: string }[] }>(path("/api/2.1/unity-catalog/tables", draft.dataset)),
    enabled: FULL_NAME.test(draft.dataset),
  });
  const start = useMutation({
    mutationFn: () => call<Schemas["AutomlStarted"]>("POST", "/api/boathouse/v1/training/automl", bodyOf(draft)),
    onSuccess: (started) => navigate(searchHref(started.experiment_name, String(started.run_id))),
  });
  const columns = (found.data?.columns ?? []).map((one) => one.name);
  const put = (change: Partial<Draft>) => setDraft({ ...draft, ...change });
  const choose = () => {
    if (typed !== draft.dataset) put({ dataset: typed.trim(), target: "", time: "", identity: "" });
  };
  const pick = (key: "target" | "metric" | "time" | "identity" | "frequency", label: string, options: string[], none?: string) => (
    <div>
      <label htmlFor={`automl-${key}`}>{label}</label>
      <select id={`automl-${key}`} className="field pick" value={draft[key]} disabled={options.length === 0} onChange={(event) => put({ [key]: event.target.value })}>
        {none !== undefined || !draft[key] ? <option value="">{none ?? "Choose one"}</option> : null}
        {options.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
    </div>
  );
  const write = (key: "minutes" | "horizon" | "output", label: string, hint = "") => (
    <div>
      <label htmlFor={`automl-${key}`}>{label}</label>
      <input id={`automl-${key}`} className="field" inputMode={key === "output" ? "text" : "decimal"} value={draft[key]} placeholder={hint} onChange={(event) => put({ [key]: event.target.value })} />
    </div>
  );
  const still = missing(draft);
  const forecast = draft.problem === "forecast";
  return (
    <section className="panel gap" aria-label="Find a model">
      <h2>Find a model for a table</h2>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); start.mutate(); }}>
        <fieldset>
          <legend>What is predicted</legend>
          <div className="actions">
            {(Object.keys(PROBLEMS) as Problem[]).map((one) => (
              <button key={one} type="button" className={`button ${draft.problem === one ? "" : "quiet"}`} aria-pressed={draft.problem === one} onClick={() => put({ problem: one, metric: "" })}>{PROBLEMS[one]}</button>
            ))}
          </div>
          <p className="faint">{WHAT[draft.problem]}</p>
        </fieldset>
        <div>
          <label htmlFor="automl-table">Table</label>
          <input id="automl-table" className="field mono pick" value={typed} placeholder="catalog.schema.table" onChange={(event) => setTyped(event.target.value)} onBlur={choose} onKeyDown={(event) => { if (event.key === "Enter") { event.preventDefault(); choose(); } }} />
        </div>
        {found.error ? <Failure error={found.error} /> : draft.dataset && !FULL_NAME.test(draft.dataset) ? <Failure error="A table has three names: catalog.schema.table." title="Which table?" /> : null}
        <div className="quality-fields">
          {pick("target", "Target", columns)}
          {pick("metric", "Compared by", METRICS[draft.problem], `${METRICS[draft.problem][0]} (usual)`)}
          {write("minutes", "Minutes at most")}
        </div>
        <div className="quality-fields">
          {pick("time", forecast ? "Time" : "Split by time of", columns, forecast ? undefined : "No, by chance")}
          {forecast ? <>{pick("identity", "Series of", columns, "One series")}{pick("frequency", "A value each", FREQUENCIES)}{write("horizon", "Periods ahead")}{write("output", "Its table in schema", "none, or catalog.schema")}</> : null}
        </div>
        {start.error ? <Failure error={start.error} /> : null}
        <div className="actions">
          <button type="submit" className="button" disabled={start.isPending || still !== ""} title={still ? `Choose ${still}.` : undefined}>Start</button>
        </div>
      </form>
    </section>
  );
}
