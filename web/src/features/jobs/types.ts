/** Jobs and runs as the public API tells of them, as far as the page shows them. */

export interface State {
  life_cycle_state: string;
  result_state?: string;
  state_message?: string;
}

export interface Task {
  task_key: string;
  depends_on?: { task_key: string; outcome?: string }[];
  run_if?: string;
  [kind: string]: unknown;
}

export interface TaskRun extends Task {
  run_id: number;
  attempt_number: number;
  start_time?: number;
  end_time?: number;
  execution_duration?: number;
  run_duration?: number;
  state: State;
}

export interface Run {
  run_id: number;
  job_id: number;
  number_in_job: number;
  run_name: string;
  run_type: string;
  trigger: string;
  creator_user_name: string;
  run_as_user_name: string;
  start_time: number;
  end_time?: number;
  run_duration?: number;
  state: State;
  job_parameters?: { name: string; default?: string; value?: string }[];
  repair_history?: { type: string }[];
  tasks?: TaskRun[];
  git_source?: { git_url: string; git_branch?: string; git_tag?: string; git_commit?: string; git_snapshot?: { used_commit?: string } };
}

interface Trigger {
  pause_status?: string;
  periodic?: { interval: number; unit: string };
  file_arrival?: { url: string };
  table_update?: { table_names: string[] };
  model?: { condition: string; securable_name?: string; aliases?: string[] };
  boathouse_event?: { name: string };
}

export interface SqlStatement {
  status: string;
  columns?: { name: string; type: string }[];
  rows?: unknown[][];
  truncated?: boolean;
  lookup_key?: string;
}

export interface JobSettings {
  name?: string;
  description?: string;
  tasks?: Task[];
  parameters?: { name: string; default: string }[];
  schedule?: { quartz_cron_expression: string; timezone_id: string; pause_status?: string };
  trigger?: Trigger;
  continuous?: { pause_status?: string };
  tags?: Record<string, string>;
}

export interface Job {
  job_id: number;
  creator_user_name: string;
  run_as_user_name: string;
  created_time: number;
  settings: JobSettings;
}

export interface Output {
  error?: string;
  error_trace?: string;
  logs?: string;
  logs_truncated?: boolean;
  notebook_output?: { result?: string; truncated?: boolean };
  sql_output?: { query_output?: { sql_statements?: SqlStatement[] } };
  dbt_output?: { artifacts_link?: string };
  metadata?: Run;
}

const TONES: Record<string, string> = {
  SUCCESS: "good", SUCCESS_WITH_FAILURES: "warning", FAILED: "bad", INTERNAL_ERROR: "bad", UPSTREAM_FAILED: "bad", TIMEDOUT: "bad", MAXIMUM_CONCURRENT_RUNS_REACHED: "warning",
  CANCELED: "warning", UPSTREAM_CANCELED: "warning", RUNNING: "accent", PENDING: "accent", QUEUED: "accent", BLOCKED: "", WAITING_FOR_RETRY: "accent", TERMINATING: "warning",
};
const ENDED = ["TERMINATED", "SKIPPED", "INTERNAL_ERROR"];

/** How far something is, or how it has ended: one word of the API's. */
export const stateOf = ({ state }: { state: State }): string => state.result_state ?? state.life_cycle_state;

export const isRunning = ({ state }: { state: State }): boolean => !ENDED.includes(state.life_cycle_state);

/** The colour of a state. */
export const tone = (state: string): string => TONES[state] ?? "";

/** SUCCESS_WITH_FAILURES -> "success with failures". */
export const words = (state: string): string => state.toLowerCase().replaceAll("_", " ");

const KINDS: Record<string, string> = {
  notebook_task: "Notebook", spark_python_task: "Python file", python_wheel_task: "Python wheel", pipeline_task: "Pipeline", condition_task: "Condition",
  for_each_task: "For each", run_job_task: "Run of a job", sql_task: "SQL", dbt_task: "dbt",
};

/** The key of a task that says what it does: notebook_task. */
export const kindKey = (task: Task): string => Object.keys(task).find((key) => key.endsWith("_task") && task[key] !== null) ?? "";

export const kindText = (task: Task): string => KINDS[kindKey(task)] ?? (words(kindKey(task).replace(/_task$/, "")) || "Task");

/** The iterations of a for-each task: "2 of 3, 1 failed". */
export function iterations(task: Task): string {
  const stats = (task["for_each_task"] as { stats?: { task_run_stats?: Record<string, number> } } | undefined)?.stats?.task_run_stats;
  if (!stats) return "";
  const failed = stats["failed_iterations"] ?? 0;
  return `${stats["completed_iterations"] ?? 0} of ${stats["total_iterations"] ?? 0}${failed ? `, ${failed} failed` : ""}`;
}

/** When a job runs by itself, for people; empty where it does not. */
export function when({ schedule, trigger, continuous }: JobSettings): string {
  const paused = [schedule, trigger, continuous].some((one) => one?.pause_status === "PAUSED") ? ", paused" : "";
  if (schedule) return `${schedule.quartz_cron_expression} (${schedule.timezone_id})${paused}`;
  if (continuous) return `continuously${paused}`;
  if (trigger?.periodic) return `every ${trigger.periodic.interval} ${trigger.periodic.unit.toLowerCase()}${paused}`;
  if (trigger?.file_arrival) return `when files arrive in ${trigger.file_arrival.url}${paused}`;
  if (trigger?.table_update) return `when ${trigger.table_update.table_names.join(", ")} change${paused}`;
  if (trigger?.model) return `${modelText(trigger.model)}${paused}`;
  if (trigger?.boathouse_event) return `when the event ${trigger.boathouse_event.name} is fired${paused}`;
  return "";
}

function modelText({ condition, securable_name, aliases }: NonNullable<Trigger["model"]>): string {
  const where = securable_name ? (securable_name.split(".").length === 3 ? `of ${securable_name}` : `in ${securable_name}`) : "of any model";
  if (condition === "MODEL_CREATED") return securable_name ? `when a model is made ${where}` : "when a model is made";
  return condition === "MODEL_ALIAS_SET" ? `when ${aliases?.length ? `the alias ${aliases.join(" or ")}` : "an alias"} ${where} is set` : `when a version ${where} is ready`;
}

/** The repository of a run and the commit that it works at. */
export function commitText({ git_source }: Run): string {
  if (!git_source) return "";
  const commit = git_source.git_snapshot?.used_commit?.slice(0, 12);
  return [git_source.git_url, git_source.git_branch ?? git_source.git_tag, commit && `at ${commit}`].filter(Boolean).join(" ");
}

const TRIGGERS: Record<string, string> = {
  ONE_TIME: "by hand", PERIODIC: "by the clock", RETRY: "a retry", RUN_JOB_TASK: "by another job", FILE_ARRIVAL: "by files", TABLE: "by a table", CONTINUOUS: "continuously",
  MODEL: "by a model", EVENT: "by an event",
};

export const triggerText = (trigger: string): string => TRIGGERS[trigger] ?? words(trigger);

/** Tasks as the nodes of a graph. */
export const nodes = <T extends Task>(tasks: T[]) => tasks.map((task) => ({ name: task.task_key, inputs: (task.depends_on ?? []).map((one) => one.task_key), task }));

/** Of tasks that were tried more than once, the newest attempt of each, in the order of the graph. */
export function newest(tasks: TaskRun[]): TaskRun[] {
  const found = new Map<string, TaskRun>();
  for (const task of tasks) {
    const before = found.get(task.task_key);
    if (!before || before.attempt_number <= task.attempt_number) found.set(task.task_key, task);
  }
  return [...found.values()];
}
