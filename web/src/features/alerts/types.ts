/** Alerts as the REST API tells them, as far as the page shows them. */

export interface Operand {
  column?: { name: string; aggregation?: string; display?: string };
  value?: { double_value?: number; string_value?: string; bool_value?: boolean };
}

export interface Alert {
  id: string;
  display_name: string;
  query_text: string;
  owner_user_name: string;
  run_as_user_name: string;
  lifecycle_state: string;
  parent_path?: string;
  schedule: { quartz_cron_schedule: string; timezone_id: string; pause_status?: string };
  evaluation: {
    source: { name: string; aggregation?: string; display?: string };
    comparison_operator: string;
    threshold?: Operand;
    state?: string;
    last_evaluated_at?: string;
    empty_result_state?: string;
    notification?: { notify_on_ok?: boolean; retrigger_seconds?: number; subscriptions?: { user_email?: string; destination_id?: string }[] };
  };
}

export interface Evaluation {
  state: string;
  value: string | null;
  threshold: string | null;
  error: string | null;
  evaluated_at: string;
}

export const TONES: Record<string, string> = { OK: "good", TRIGGERED: "warning", ERROR: "bad" };

const SIGNS: Record<string, string> = {
  LESS_THAN: "<", GREATER_THAN: ">", EQUAL: "=", NOT_EQUAL: "≠", GREATER_THAN_OR_EQUAL: "≥", LESS_THAN_OR_EQUAL: "≤", IS_NULL: "is null", IS_NOT_NULL: "is not null",
};

const column = (one: { name: string; aggregation?: string; display?: string }): string => one.display ?? (one.aggregation ? `${one.aggregation.toLowerCase()}(${one.name})` : one.name);

/** When an alert is triggered, in words: `sum(n) > 5`. */
export function condition({ source, comparison_operator: operator, threshold }: Alert["evaluation"]): string {
  const value = threshold?.value;
  const other = threshold?.column ? column(threshold.column) : value?.double_value ?? value?.string_value ?? value?.bool_value;
  return `${column(source)} ${SIGNS[operator] ?? operator}${other === undefined || operator.startsWith("IS_") ? "" : ` ${String(other)}`}`;
}

/** Who is told, and when again. */
export function told({ notification }: Alert["evaluation"]): string {
  const who = (notification?.subscriptions ?? []).map((one) => one.user_email ?? `destination ${one.destination_id}`);
  if (who.length === 0) return "Nobody.";
  const again = notification?.retrigger_seconds;
  return `${who.join(", ")}: when it is triggered${again ? `, again after ${again} s` : ""}${notification?.notify_on_ok ? ", and when it is OK again" : ""}.`;
}
