import { useContext, useState } from "react";
import { DraftContext, Problems, Setting, Switch } from "./inputs";
import { at, KIND_INPUTS, put, renamed } from "./settings";
import { kindKey, kindText, type Task } from "./types";

const RUN_IF = ["ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"];

/** What a task does, of a kind that has no form: its JSON. */
function Json({ path }: { path: string }) {
  const { settings, change } = useContext(DraftContext);
  const [text, setText] = useState(JSON.stringify(at(settings, path), null, 2));
  const [wrong, setWrong] = useState("");
  const write = (next: string) => {
    setText(next);
    try {
      change(put(settings, path, JSON.parse(next)));
      setWrong("");
    } catch (error) {
      setWrong(`This is not JSON, so it is as it was: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  return (
    <div>
      <label htmlFor={path}>What it does</label>
      <textarea id={path} className="field mono" rows={8} spellCheck={false} value={text} onChange={(event) => write(event.target.value)} />
      {wrong ? <p className="problem" role="alert">{wrong}</p> : null}
      <Problems path={path} within />
    </div>
  );
}

/** Which tasks one comes after, and of a condition with which outcome. */
function After({ index, tasks }: { index: number; tasks: Task[] }) {
  const { settings, change } = useContext(DraftContext);
  const path = `tasks[${index}].depends_on`;
  const before = tasks[index]?.depends_on ?? [];
  const set = (key: string, outcome: string | null) => {
    const others = before.filter((one) => one.task_key !== key);
    const next = outcome === null ? others : [...others, outcome ? { task_key: key, outcome } : { task_key: key }];
    change(put(settings, path, next.length > 0 ? next : undefined));
  };
  const candidates = tasks.filter((_, place) => place !== index);
  if (candidates.length === 0) return null;
  return (
    <fieldset>
      <legend>Comes after</legend>
      <div className="chips">
        {candidates.map((task, place) => {
          const held = before.find((one) => one.task_key === task.task_key);
          return (
            <span key={place} className="after">
              <button type="button" className="chip" aria-pressed={held !== undefined} onClick={() => set(task.task_key, held ? null : "")}>{task.task_key}</button>
              {held && (task["condition_task"] ?? held.outcome) ? (
                <select aria-label={`Outcome of ${task.task_key}`} className="field" value={held.outcome ?? ""} onChange={(event) => set(task.task_key, event.target.value)}>
                  <option value="">whatever it is</option><option value="true">if true</option><option value="false">if false</option>
                </select>
              ) : null}
            </span>
          );
        })}
      </div>
      <Problems path={path} within />
    </fieldset>
  );
}

/** One task of a job. */
export function TaskForm({ index }: { index: number }) {
  const { settings, change, problems } = useContext(DraftContext);
  const tasks = (settings["tasks"] ?? []) as Task[];
  const task = tasks[index];
  if (!task) return null;
  const path = `tasks[${index}]`;
  const kind = kindKey(task);
  const inputs = KIND_INPUTS[kind];
  const become = (next: string) => {
    const rest = Object.fromEntries(Object.entries(task).filter(([key]) => key !== kind));
    change(put(settings, path, { ...rest, [next]: {} }));
  };
  // What has a place of its own is told there.
  const told = problems.filter((one) => one.field === path || (one.field.startsWith(`${path}.`) && !/\.(task_key|depends_on|run_if|max_retries|timeout_seconds|min_retry_interval_millis)\b/.test(one.field) && !one.field.startsWith(`${path}.${kind}`)));
  return (
    <div className="stack">
      <div className="quality-fields">
        <div>
          <label htmlFor={`${path}-key`}>Key</label>
          <input id={`${path}-key`} className="field mono" value={task.task_key} onChange={(event) => change(renamed(settings, index, event.target.value))} />
          <Problems path={`${path}.task_key`} />
        </div>
        <div>
          <label htmlFor={`${path}-kind`}>Kind</label>
          <select id={`${path}-kind`} className="field" value={kind} onChange={(event) => become(event.target.value)}>
            {[...new Set([...Object.keys(KIND_INPUTS), kind])].map((one) => <option key={one} value={one}>{kindText({ task_key: "", [one]: {} })}</option>)}
          </select>
        </div>
      </div>
      {inputs ? <div key={kind} className="quality-fields">{inputs.map(({ key, ...input }) => <Setting key={key} path={`${path}.${kind}.${key}`} {...input} />)}</div> : <Json key={kind} path={`${path}.${kind}`} />}
      <Problems path={`${path}.${kind}`} />
      <After index={index} tasks={tasks} />
      <details open={problems.some((one) => one.field.startsWith(path)) || undefined}>
        <summary>When it runs, retries, limits</summary>
        <div className="quality-fields gap-above">
          <Setting path={`${path}.run_if`} label="Runs if of those before it" shape="choice" options={RUN_IF} hint="all have succeeded" />
          <Setting path={`${path}.max_retries`} label="Retries, -1 for no end" shape="number" hint="0" />
          <Setting path={`${path}.min_retry_interval_millis`} label="Milliseconds before a retry" shape="number" hint="0" />
          <Setting path={`${path}.timeout_seconds`} label="Most seconds, 0 for no bound" shape="number" hint="0" />
        </div>
        <Switch path={`${path}.retry_on_timeout`} label="Retry too when its time was up" />
      </details>
      {told.map((one) => <p key={one.field} className="problem" role="alert">{one.field} {one.text}</p>)}
    </div>
  );
}
