import type { Schemas } from "../../api/client";

type ColumnNode = Schemas["ColumnNode"];

const HIDDEN = "something that you may not see";

export interface ColumnEnd {
  key: string;
  table: string | null;
  label: string;
  column: string;
}

/** The columns at one side of a column. */
export function columnsOf(nodes: ColumnNode[]): ColumnEnd[] {
  return nodes.map((one, index) => {
    if (!one.has_permission) return { key: String(index), table: null, label: HIDDEN, column: "" };
    const table = one.table_name ? `${one.catalog_name}.${one.schema_name}.${one.table_name}` : null;
    const label = table ?? one.path ?? HIDDEN;
    return { key: `${label} ${one.name}`, table, label, column: one.name ?? "" };
  });
}
