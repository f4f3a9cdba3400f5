import type { Schemas } from "../../api/client";

export interface Holding {
  principal: string;
  privilege: string;
  /** Kind and full name of the container that it comes from; null where it was granted here. */
  from: { type: string; name: string } | null;
}

/** One row for each privilege that a principal holds: what was granted here first. */
export function holdingsOf(assignments: Schemas["EffectiveAssignment"][]): Holding[] {
  return assignments.flatMap((one) =>
    one.privileges
      .map((held) => ({
        principal: one.principal,
        privilege: held.privilege,
        from: held.inherited_from_name ? { type: (held.inherited_from_type ?? "").toLowerCase(), name: held.inherited_from_name } : null,
      }))
      .sort((left, right) => Number(left.from !== null) - Number(right.from !== null) || left.privilege.localeCompare(right.privilege)),
  );
}
