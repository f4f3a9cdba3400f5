import type { JobSettings, Task } from "./types";

/** Settings as a plain object: what the form does not show stays as it is. */
export type Plain = Record<string, unknown>;

/** Steps of a path: "tasks[0].depends_on" -> ["tasks", 0, "depends_on"]. */
const steps = (path: string): (string | number)[] => [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) => (index === undefined ? (key ?? "") : Number(index)));

const isObject = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);

/** What lies at a path. */
export function at(whole: unknown, path: string): unknown {
  let found: unknown = whole;
  for (const step of steps(path)) {
    if (typeof step === "number" ? !Array.isArray(found) : !isObject(found)) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

/** The same settings with another value at a path; without one nothing is there, nor an object that held nothing else, but what says of what kind a task is. */
export function put(whole: Plain, path: string, value: unknown): Plain {
  const set = (held: unknown, [step, ...rest]: (string | number)[], name: string): unknown => {
    if (step === undefined) return value;
    if (typeof step === "number") {
      const copy = Array.isArray(held) ? [...(held as unknown[])] : [];
      copy[step] = set(copy[step], rest, "") ?? {};
      return copy;
    }
    const { [step]: before, ...others } = isObject(held) ? held : {};
    const next = set(before, rest, step);
    if (next !== undefined) return { ...(isObject(held) ? held : {}), [step]: next };
    return Object.keys(others).length > 0 || name.endsWith("_task") ? others : undefined;
  };
  return (set(whole, steps(path), "") ?? {}) as Plain;
}

export interface Problem {
  field: string;
  text: string;
}

/** Which fields an answer of the server speaks of: "tasks[0].task_key is ...", or "new_settings.tasks.0.task_key: ...; ...". */
export function problems(message: string): Problem[] {
  const start = "The request is not valid. ";
  if (message.startsWith(start)) {
    return message.slice(start.length).split("; ").flatMap((one) => {
      const [, place = "", text = ""] = /^([\w.]+): (.*)$/s.exec(one) ?? [];
      return place ? [{ field: place.replace(/^new_settings\./, "").replaceAll(/\.(\d+)/g, "[$1]"), text }] : [];
    });
  }
  const [, field = "", text = ""] = /^([a-z_]+(?:\[\d+\]|\.[a-z_]+)*) (.*)$/s.exec(message) ?? [];
  return field && (field.includes("_") || /[[.]/.test(field) || ["name", "tasks", "schedule", "trigger", "parameters"].includes(field)) ? [{ field, text }] : [];
}

/** "a=1" by line -> {a: "1"}; without any undefined. */
export function pairs(text: string): Record<string, string> | undefined {
  const found = lines(text)?.map((line) => [line.split("=")[0]?.trim() ?? "", line.includes("=") ? line.slice(line.indexOf("=") + 1).trim() : ""] as const);
  return found && Object.fromEntries(found);
}

/** Lines that have something; without any undefined. */
export function lines(text: string): string[] | undefined {
  const found = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return found.length > 0 ? found : undefined;
}

export const pairsText = (value: unknown): string => (isObject(value) ? Object.entries(value).map(([name, one]) => `${name}=${String(one)}`).join("\n") : "");

export const linesText = (value: unknown): string => (Array.isArray(value) ? value.map(String).join("\n") : "");

export type Shape = "text" | "lines" | "pairs" | "number" | "choice";

export interface Input {
  key: string;
  label: string;
  shape: Shape;
  hint?: string;
  options?: string[];
}

/** What the form asks for of each kind of task; of others it shows the JSON. */
export const KIND_INPUTS: Record<string, Input[]> = {
  notebook_task: [
    { key: "notebook_path", label: "Notebook", shape: "text", hint: "/Users/me@example.com/notebook" },
    { key: "base_parameters", label: "Values of its widgets", shape: "pairs", hint: "name=value, one a line" },
  ],
  spark_python_task: [
    { key: "python_file", label: "Python file", shape: "text", hint: "/Users/me@example.com/file.py" },
    { key: "parameters", label: "Arguments", shape: "lines", hint: "one a line" },
  ],
  python_wheel_task: [
    { key: "package_name", label: "Package", shape: "text" },
    { key: "entry_point", label: "Entry point", shape: "text" },
    { key: "parameters", label: "Arguments", shape: "lines", hint: "one a line" },
  ],
  sql_task: [
    { key: "query.query_id", label: "Saved query, its identifier", shape: "text" },
    { key: "file.path", label: "Or a file of statements", shape: "text", hint: "/Users/me@example.com/file.sql" },
    { key: "warehouse_id", label: "Warehouse, its identifier", shape: "text" },
    { key: "parameters", label: "Parameters", shape: "pairs", hint: "name=value, one a line" },
  ],
  pipeline_task: [{ key: "pipeline_id", label: "Pipeline, its identifier", shape: "text" }],
  run_job_task: [
    { key: "job_id", label: "Job, its number", shape: "number" },
    { key: "job_parameters", label: "Its parameters", shape: "pairs", hint: "name=value, one a line" },
  ],
  condition_task: [
    { key: "left", label: "Is", shape: "text", hint: "{{job.parameters.name}}" },
    { key: "op", label: "Compared by", shape: "choice", options: ["EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"] },
    { key: "right", label: "With", shape: "text" },
  ],
  dbt_task: [
    { key: "project_directory", label: "Project", shape: "text", hint: "/Users/me@example.com/project" },
    { key: "commands", label: "Commands", shape: "lines", hint: "dbt run, one a line" },
    { key: "warehouse_id", label: "Warehouse, its identifier", shape: "text" },
  ],
};

/** What starts a job, by the path where that is in its settings. */
export const STARTS: Record<string, { label: string; first: unknown }> = {
  "": { label: "When it is started", first: undefined },
  schedule: { label: "By the clock (Quartz)", first: { quartz_cron_expression: "0 0 6 * * ?", timezone_id: "UTC" } },
  "trigger.periodic": { label: "Every so often", first: { interval: 1, unit: "DAYS" } },
  "trigger.file_arrival": { label: "When files arrive", first: { url: "" } },
  "trigger.table_update": { label: "When tables change", first: { table_names: [] } },
  "trigger.model": { label: "When a model changes", first: { condition: "MODEL_VERSION_READY" } },
  "trigger.boathouse_event": { label: "When an event is fired", first: { name: "" } },
  continuous: { label: "Continuously", first: {} },
};

/** What starts the job of some settings. */
export function startOf(settings: Plain): string {
  return Object.keys(STARTS).find((path) => path && at(settings, path) != null) ?? "";
}

/** The settings with another start; whether it is paused stays. */
export function withStart(settings: Plain, path: string): Plain {
  const paused = ["schedule", "trigger", "continuous"].map((one) => at(settings, `${one}.pause_status`)).find((one) => one !== undefined);
  const bare = ["schedule", "trigger", "continuous"].reduce((found, key) => put(found, key, undefined), settings);
  if (!path) return bare;
  const next = put(bare, path, STARTS[path]?.first);
  return paused === undefined ? next : put(next, `${path.split(".")[0] ?? path}.pause_status`, paused);
}

/** A task that is new, with a key that no other has. */
export function newTask(tasks: Task[]): Task {
  const taken = new Set(tasks.map((one) => one.task_key));
  let number = tasks.length + 1;
  while (taken.has(`task_${number}`)) number += 1;
  return { task_key: `task_${number}`, notebook_task: { notebook_path: "" } };
}

/** Another key for a task, where others come after it too. */
export function renamed(settings: Plain, index: number, key: string): Plain {
  const tasks = (settings["tasks"] ?? []) as Task[];
  const before = tasks[index]?.task_key;
  const others = tasks.filter((one) => one.task_key === before).length;
  const next = tasks.map((task, place) => {
    if (place === index) return { ...task, task_key: key };
    if (others > 1 || !task.depends_on?.some((one) => one.task_key === before)) return task;
    return { ...task, depends_on: task.depends_on.map((one) => (one.task_key === before ? { ...one, task_key: key } : one)) };
  });
  return { ...settings, tasks: next };
}

/** Without a task; nothing comes after it any more. */
export function without(settings: Plain, index: number): Plain {
  const tasks = (settings["tasks"] ?? []) as Task[];
  const gone = tasks[index]?.task_key;
  const next = tasks.filter((_, place) => place !== index).map((task) => {
    if (!task.depends_on?.some((one) => one.task_key === gone)) return task;
    const { depends_on: before, ...rest } = task;
    const left = before.filter((one) => one.task_key !== gone);
    return (left.length > 0 ? { ...rest, depends_on: left } : rest) as Task;
  });
  return { ...settings, tasks: next };
}

/** The settings of a copy of a job: under another name, and not by itself until somebody says so. */
export function copyOf(settings: JobSettings): Plain {
  const copy: Plain = { ...settings, name: `Copy of ${settings.name ?? "a job"}` };
  const start = ["schedule", "trigger", "continuous"].find((key) => copy[key] != null);
  return start ? put(copy, `${start}.pause_status`, "PAUSED") : copy;
}
