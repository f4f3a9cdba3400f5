import type { Schemas } from "../../api/client";
import { ago, count, time } from "../../api/format";

export type Health = Schemas["TableHealth"];

const TONES: Record<string, string> = { Healthy: "good", Unhealthy: "bad", Unknown: "" };
const WHYS: Record<string, string> = {
  NOT_ENOUGH_HISTORY: "its log goes back less than a week, so nothing can be expected of it yet",
  NO_STATISTICS: "a commit in its log does not say how many rows it has",
  UNREADABLE: "its log could not be read",
};

export const tone = (status: string): string => TONES[status] ?? "";

const why = (code: string | null | undefined): string => WHYS[code ?? ""] ?? "it is not known why";

/** How fresh a table is, in words. */
export function freshness({ freshness: found, event_time: at }: Health, now: number = Date.now()): string {
  if (!found) return "";
  const last = found.last_value ? `Data came ${ago(found.last_value, now)}` : "No data has come";
  if (found.status === "Unknown") return `${last}; ${why(found.error_code)}.`;
  const by = time(found.predicted_value);
  return found.status === "Healthy" ? `${last}; more is expected by ${by}.` : `${last}; more was expected by ${by}, and was not there when it was looked at ${ago(at, now)}.`;
}

/** Whether a table had as many rows as it should, in words; why that is not known is left out where it is said of its freshness already. */
export function completeness({ daily_rows: found, freshness: other }: Health): string {
  if (!found) return "";
  const rows = `${count(found.last_value)} rows in 24 hours`;
  if (found.status === "Unknown") {
    const known = found.last_value === null || found.last_value === undefined ? "Rows cannot be judged" : rows;
    return other?.error_code === found.error_code ? `${known}.` : `${known}; ${why(found.error_code)}.`;
  }
  const range = `${count(found.min_predicted_value)} to ${count(found.max_predicted_value)}`;
  return found.status === "Healthy" ? `${rows}; ${range} are usual.` : `Only ${rows}; ${range} are usual.`;
}
