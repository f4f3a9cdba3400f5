import type { Schemas } from "../../api/client";

export type Activity = Schemas["ActivityBody"];

export const STAGES = ["None", "Staging", "Production", "Archived"];
/** Where versions are used. */
export const ACTIVE = ["Staging", "Production"];

const TONES: Record<string, string> = { Production: "good", Staging: "accent" };

/** The tone of a stage. */
export function stageTone(stage: string | null | undefined): string {
  return TONES[stage ?? ""] ?? "";
}

/** The requests that nobody has decided yet, the oldest first. */
export function open(activities: Activity[]): Activity[] {
  return activities.filter((one) => one.is_open);
}

/** An activity in words. */
export function done(one: Activity): string {
  const to = one.to_stage ?? "";
  switch (one.activity_type) {
    case "REQUESTED_TRANSITION": return `asked for ${to}`;
    case "APPROVED_REQUEST": return `approved ${to}: it was ${one.from_stage ?? ""}`;
    case "REJECTED_REQUEST": return `rejected ${to}`;
    case "CANCELLED_REQUEST": return `took the request for ${to} back`;
    default: return `moved it from ${one.from_stage ?? ""} to ${to}`;
  }
}
