import type { Schemas } from "../../api/client";

export type Table = Schemas["TableBody"];
export type Securable = Schemas["SecurableBody"];
type Argument = Schemas["PolicyArgument"];

export interface ForeignKey {
  name: string;
  columns: string[];
  table: string;
  parents: string[];
}

export interface Keys {
  /** `times` are those of its columns with the time from when on a row holds. */
  primary: { name: string; columns: string[]; times: string[] } | null;
  foreign: ForeignKey[];
  /** Name and condition of each CHECK constraint. */
  checks: [string, string][];
}

const CHECK = "delta.constraints.";
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

/** The keys and checks of a table, from the catalog's constraints and the log's properties. */
export function keysOf(table: Pick<Table, "table_constraints" | "properties">): Keys {
  const keys: Keys = { primary: null, foreign: [], checks: [] };
  for (const one of table.table_constraints ?? []) {
    const primary = one.primary_key_constraint as Record<string, unknown> | undefined;
    const foreign = one.foreign_key_constraint as Record<string, unknown> | undefined;
    if (primary) keys.primary = { name: String(primary.name), columns: texts(primary.child_columns), times: texts(primary.timeseries_columns) };
    if (foreign) keys.foreign.push({ name: String(foreign.name), columns: texts(foreign.child_columns), table: String(foreign.parent_table), parents: texts(foreign.parent_columns) });
  }
  keys.checks = Object.entries(table.properties).filter(([key]) => key.startsWith(CHECK)).map(([key, value]) => [key.slice(CHECK.length), value]);
  return keys;
}

/** The arguments of a policy's function, as they stand in SQL. */
export function argumentsText(given: Argument[], first?: string): string {
  return [...(first === undefined ? [] : [first]), ...given.map((one) => one.column ?? one.constant ?? "")].join(", ");
}

export const isView = (table: Pick<Table, "table_type">): boolean => table.table_type === "VIEW";
export const isDelta = (table: Pick<Table, "data_source_format">): boolean => table.data_source_format === "DELTA";

/** What keeps readers from the files: "a row filter and a mask on card"; empty where nothing does. */
export function policiesText(table: Pick<Table, "row_filter" | "columns">): string {
  const masked = table.columns.filter((column) => column.mask).map((column) => column.name);
  const masks = masked.length === 0 ? "" : `${masked.length === 1 ? "a mask" : "masks"} on ${masked.join(", ")}`;
  return [table.row_filter ? "a row filter" : "", masks].filter(Boolean).join(" and ");
}

/** The tabs of a table, by what there is to see. */
export function tabsOf(table: Pick<Table, "table_type" | "data_source_format">): string[] {
  if (isView(table)) return ["Columns", "Definition", "Quality", "Lineage", "Details", "Permissions"];
  const rows = isDelta(table) ? ["Sample", "History", "Quality"] : [];
  return ["Columns", ...rows, "Lineage", "Details", "Permissions"];
}
