import { Trash2 } from "lucide-react";
import { useContext, useState } from "react";
import { DraftContext, Problems, Setting } from "./inputs";
import { at, newTask, put, without } from "./settings";
import { StartForm } from "./StartForm";
import { TaskForm } from "./TaskForm";
import { kindText, type Task } from "./types";

const MOMENTS = [["on_start", "it starts"], ["on_success", "it has succeeded"], ["on_failure", "it has failed"]] as const;

function Tasks() {
  const { settings, change, problems } = useContext(DraftContext);
  const [chosen, choose] = useState(0);
  // Where a task goes, the next ones have other places: their texts begin anew.
  const [removed, setRemoved] = useState(0);
  const tasks = (settings["tasks"] ?? []) as Task[];
  const remove = () => {
    change(without(settings, chosen));
    choose(Math.max(0, chosen - 1));
    setRemoved(removed + 1);
  };
  return (
    <section className="panel gap" aria-label="Tasks">
      <div className="panel-head">
        <h2>Tasks</h2>
        <button type="button" className="button quiet" onClick={() => { change(put(settings, "tasks", [...tasks, newTask(tasks)])); choose(tasks.length); }}>Add a task</button>
      </div>
      {tasks.length > 0 ? (
        <div className="chips" role="group" aria-label="Which task">
          {tasks.map((task, index) => (
            <button key={index} type="button" className={`chip ${problems.some((one) => one.field.startsWith(`tasks[${index}]`)) ? "bad" : ""}`} aria-pressed={index === chosen} onClick={() => choose(index)}>{task.task_key || "?"} <span className="faint">{kindText(task)}</span></button>
          ))}
        </div>
      ) : <p className="soft">A job without tasks does nothing.</p>}
      <Problems path="tasks" />
      {tasks[chosen] ? (
        <>
          <TaskForm key={`${chosen}-${removed}`} index={chosen} />
          <div className="actions gap-above"><button type="button" className="button quiet" onClick={remove}><Trash2 size={14} /> Remove this task</button></div>
        </>
      ) : null}
    </section>
  );
}

function Parameters() {
  const { settings, change } = useContext(DraftContext);
  const parameters = (settings["parameters"] ?? []) as { name: string; default: string }[];
  return (
    <section className="panel stack gap" aria-label="Parameters">
      <div className="panel-head">
        <h2>Parameters</h2>
        <button type="button" className="button quiet" onClick={() => change(put(settings, "parameters", [...parameters, { name: "", default: "" }]))}>Add a parameter</button>
      </div>
      {parameters.map((_, index) => (
        <div key={index} className="parameter">
          <Setting path={`parameters[${index}].name`} label="Name" />
          <Setting path={`parameters[${index}].default`} label="Value, unless a run is given another" />
          <button type="button" className="icon" aria-label={`Remove parameter ${index + 1}`} onClick={() => { const left = parameters.filter((__, place) => place !== index); change(put(settings, "parameters", left.length > 0 ? left : undefined)); }}><Trash2 size={15} /></button>
        </div>
      ))}
      <Problems path="parameters" />
    </section>
  );
}

/** Destinations of notices by their identifiers, as the settings have them. */
function Webhooks({ moment, label }: { moment: string; label: string }) {
  const { settings, change } = useContext(DraftContext);
  const path = `webhook_notifications.${moment}`;
  const ids = ((at(settings, path) ?? []) as { id: string }[]).map((one) => one.id);
  const [text, setText] = useState(ids.join("\n"));
  const write = (next: string) => {
    setText(next);
    const given = next.split("\n").map((one) => one.trim()).filter(Boolean).map((id) => ({ id }));
    change(put(settings, path, given.length > 0 ? given : undefined));
  };
  return (
    <div>
      <label htmlFor={path}>{label}</label>
      <textarea id={path} className="field mono" rows={2} placeholder="identifiers, one a line" value={text} onChange={(event) => write(event.target.value)} />
      <Problems path={path} within />
    </div>
  );
}

/** A job's settings as a form. What it does not show stays as it is. */
export function JobForm() {
  return (
    <>
      <section className="panel stack gap" aria-label="The job">
        <div className="quality-fields">
          <Setting path="name" label="Name" />
          <Setting path="description" label="What it is for" />
        </div>
      </section>
      <Tasks />
      <StartForm />
      <Parameters />
      <section className="panel gap" aria-label="Notices">
        <details>
          <summary>Who is told</summary>
          <div className="quality-fields gap-above">
            {MOMENTS.map(([moment, words]) => <Setting key={moment} path={`email_notifications.${moment}`} label={`Mail when ${words}`} shape="lines" hint="addresses, one a line" />)}
          </div>
          <div className="quality-fields">
            {MOMENTS.map(([moment, words]) => <Webhooks key={moment} moment={moment} label={`Destinations when ${words}`} />)}
          </div>
        </details>
        <Problems path="email_notifications" /><Problems path="webhook_notifications" />
      </section>
    </>
  );
}
