import type { Schemas } from "../../api/client";

export type Graph = Schemas["PipelineGraph"];
export type Node = Schemas["GraphNode"];
export type Update = Schemas["UpdateSummary"];
export type Level = Graph["level"];

/** A pipeline as the public API tells of it. */
export interface Pipeline {
  pipeline_id: string;
  name: string;
  state: string;
  creator_user_name: string;
  run_as_user_name: string;
  latest_updates?: { update_id: string; state: string; creation_time: string }[];
}

export interface PipelineSettings extends Pipeline {
  spec: Record<string, unknown>;
  last_modified: number;
}

export interface PipelineEvent {
  id: string;
  timestamp: string;
  level: string;
  event_type: string;
  message: string;
  origin: { update_id?: string; dataset_name?: string; flow_name?: string };
  details: Record<string, Record<string, unknown>>;
  error?: { exceptions?: { class_name?: string; message?: string; stack?: { file_name?: string; line_number?: number | null }[] }[] };
}

const TONES: Record<string, string> = {
  COMPLETED: "good", FAILED: "bad", CANCELED: "warning", STOPPED: "warning", SKIPPED: "warning", WARN: "warning", ERROR: "bad",
  RUNNING: "accent", STARTING: "accent", INITIALIZING: "accent", SETTING_UP_TABLES: "accent", RESETTING: "accent", QUEUED: "accent",
  CREATED: "accent", WAITING_FOR_RESOURCES: "accent", STOPPING: "warning",
};
const ENDED = ["COMPLETED", "FAILED", "CANCELED"];
const LEVELS: Level[] = ["CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER"];
const KINDS: Record<Node["kind"], string> = {
  STREAMING_TABLE: "Streaming table", MATERIALIZED_VIEW: "Materialized view", TEMPORARY_VIEW: "Temporary view", SINK: "Sink", SOURCE: "Source",
};

/** The colour of a state or level. */
export const tone = (state: string | null | undefined): string => (state ? (TONES[state] ?? "") : "");

/** SETTING_UP_TABLES -> "setting up tables". */
export const words = (state: string): string => state.toLowerCase().replaceAll("_", " ");

export const isRunning = (update: { state: string } | null | undefined): boolean => update !== null && update !== undefined && !ENDED.includes(update.state);

export const kindText = (kind: Node["kind"]): string => KINDS[kind];

/** Why somebody may not start or stop updates; null where it may. */
export function refusal(level: Level): string | null {
  return LEVELS.indexOf(level) >= LEVELS.indexOf("CAN_RUN") ? null : "You may see this pipeline. To run it you need CAN_RUN from who manages it.";
}

/** What an update was asked to do, in a few words. */
export function asked(update: Update): string {
  if (update.validate_only) return "validate";
  if (update.full_refresh) return "full refresh of all tables";
  const parts = [
    update.full_refresh_selection.length ? `full refresh of ${update.full_refresh_selection.join(", ")}` : "",
    update.selection.length ? `refresh of ${update.selection.join(", ")}` : "",
  ];
  return parts.filter(Boolean).join(", ") || "refresh";
}

/** The last part of the name of a table or of a path. */
export function shortName(name: string): string {
  const parts = name.split(name.startsWith("/") ? "/" : ".").filter(Boolean);
  return parts.at(-1) ?? name;
}

/** Whether a node's rows can be seen on a page of the catalog. */
export const hasTable = (node: Pick<Node, "kind" | "name" | "is_private">): boolean =>
  ((node.kind === "STREAMING_TABLE" || node.kind === "MATERIALIZED_VIEW") && !node.is_private) || (node.kind === "SOURCE" && node.name.split(".").length === 3 && !node.name.includes("/"));

/** How many expectations some rows did not meet, of those that were counted. */
export function unmet(node: Pick<Node, "expectations">): number {
  return node.expectations.filter((one) => (one.failed ?? 0) > 0).length;
}

/** The share of rows that met an expectation, for people: never 100 % where one did not. */
export function share(passed: number | null | undefined, failed: number | null | undefined): string {
  if (passed === null || passed === undefined || failed === null || failed === undefined || passed + failed === 0) return "–";
  const percent = (100 * passed) / (passed + failed);
  if (failed > 0 && percent > 99.9) return "> 99.9 %";
  if (passed > 0 && percent < 0.1) return "< 0.1 %";
  return `${Number(percent.toFixed(1))} %`;
}

/** Where an error was raised: "silver.py:12". */
export function places(event: PipelineEvent): string[] {
  return (event.error?.exceptions ?? []).flatMap((one) => (one.stack ?? []).filter((frame) => frame.file_name).map((frame) => (frame.line_number ? `${frame.file_name}:${frame.line_number}` : `${frame.file_name}`)));
}
