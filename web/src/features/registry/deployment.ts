import type { Schemas } from "../../api/client";
import type { Endpoint } from "../serving/types";

export type Deployment = Schemas["DeploymentBody"];
export type VersionDeployment = Schemas["VersionDeploymentBody"];
export type DeploymentEvent = Schemas["DeploymentEventBody"];

export const DEPLOYMENTS = "/api/boathouse/v1/deployments";

const TONES: Record<string, string> = {
  passed: "good", approved: "good", done: "", succeeded: "good", success: "good",
  failed: "bad", rejected: "bad", no_valid_deployment_job_found: "bad", timedout: "bad", canceled: "warning",
  pending: "warning", approval: "warning", withdrawn: "warning", running: "accent",
};

/** The tone of a verdict or a state. */
export function tone(word: string | null | undefined): string {
  return TONES[(word ?? "").toLowerCase()] ?? "";
}

const STATES: Record<string, string> = { APPROVAL: "waits for approval", NO_VALID_DEPLOYMENT_JOB_FOUND: "did not start" };

/** A state in words. */
export function words(state: string): string {
  return STATES[state] ?? state.toLowerCase().replaceAll("_", " ");
}

/** The latest word on each check, in the order in which they were first made. */
export function evidence(events: DeploymentEvent[]): DeploymentEvent[] {
  const latest = new Map<string, DeploymentEvent>();
  for (const event of events) if (event.step === "evaluation" || event.step === "shadow") latest.set(`${event.step}:${event.name}`, event);
  return [...latest.values()];
}

/** The latest word of each approval that was not withdrawn. */
export function decisions(events: DeploymentEvent[]): DeploymentEvent[] {
  const latest = new Map<string, DeploymentEvent>();
  for (const event of events) if (event.step === "approval") latest.set(event.name, event);
  return [...latest.values()].filter(({ verdict }) => verdict !== "withdrawn");
}

/** A version's tags that decide, by the names of their approvals, and the others but for MLflow's own. */
export function tagsOf(tags: { key: string; value: string }[] | undefined): { approvals: [string, string][]; others: Record<string, string> } {
  const found = (tags ?? []).map(({ key, value }): [string, string] => [key, value]);
  const decides = ([key]: [string, string]) => key.toLowerCase().startsWith("approval");
  return { approvals: found.filter(decides), others: Object.fromEntries(found.filter((tag) => !decides(tag) && !tag[0].startsWith("mlflow."))) };
}

/** What a finding says of single columns. */
export function outcomes(event: DeploymentEvent): [string, string][] {
  const { columns } = event.details;
  return columns && typeof columns === "object" && !Array.isArray(columns) ? Object.entries(columns).map(([column, outcome]) => [column, String(outcome)]) : [];
}

/** What was decided and done, the newest first. */
export function history(events: DeploymentEvent[]): DeploymentEvent[] {
  return events.filter((event) => event.step !== "evaluation" && event.step !== "shadow").reverse();
}

/** What an event of the history says. */
export function told(event: DeploymentEvent): string {
  const { details } = event;
  if (event.step === "alias") return details.version ? `${event.name} points here${details.previous ? `, not to version ${String(details.previous)}` : ""}` : `${event.name} was taken away`;
  if (event.step === "rollback" && event.verdict === "failed") return `${event.name} does not go back to version ${String(details.to)}`;
  if (event.step === "rollback") return details.to ? `${event.name} goes back to version ${String(details.to)}` : `${event.name} goes back`;
  if (event.step === "deployment") return `endpoint ${event.name}`;
  if (event.step === "run") return `the job was started again: run ${event.name}`;
  if (event.step === "policy") return Object.entries(details).filter(([, value]) => value === true || (Array.isArray(value) && value.length > 0)).map(([key, value]) => (value === true ? key : `${key}: ${String(value)}`)).join(", ") || "nothing is asked for";
  if (event.step === "connection") return event.name ? `job ${event.name}` : "no job";
  return event.name;
}

export interface Place {
  endpoint: string;
  served: string;
  share: number;
}

/** The endpoints that serve a version, and the share of the traffic that it gets there. */
export function served(endpoints: Endpoint[], model: string, version: string): Place[] {
  return endpoints.flatMap(({ name, config }) =>
    (config?.served_entities ?? [])
      .filter((entity) => entity.entity_name === model && entity.entity_version === version)
      .map((entity) => ({
        endpoint: name,
        served: entity.name,
        share: config?.traffic_config?.routes?.find((route) => (route.served_entity_name ?? route.served_model_name) === entity.name)?.traffic_percentage ?? 100,
      })));
}

/** A finding's metrics that are numbers, for people. */
export function figures(event: DeploymentEvent): [string, number][] {
  return Object.entries(event.metrics).filter((entry): entry is [string, number] => typeof entry[1] === "number");
}

/** The rows of a finding's table: of slices or groups. */
export function table(event: DeploymentEvent): Record<string, unknown>[] {
  const rows = event.details.table;
  return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
}
