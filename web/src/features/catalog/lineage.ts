import type { Schemas } from "../../api/client";

type Neighbour = Schemas["Neighbour"];
type ColumnNode = Schemas["ColumnNode"];

export interface Node {
  key: string;
  /** What is shown; the full name of a table, or a path. */
  label: string;
  /** What its page is found by; null for a path, and for what the asker may not know of. */
  table: string | null;
  note: string;
  time: string;
  /** What caused it: "job 42". */
  causes: string[];
}

const HIDDEN = "something that you may not see";

function causesOf(one: Neighbour): string[] {
  return [
    ...(one.notebookInfos ?? []).map((node) => `notebook ${node.notebook_id}`),
    ...(one.jobInfos ?? []).map((node) => `job ${node.job_id}`),
    ...(one.pipelineInfos ?? []).map((node) => `pipeline ${node.pipeline_id}`),
    ...(one.dashboardV3Infos ?? []).map((node) => `dashboard ${node.dashboard_id}`),
    ...(one.queryInfos ?? []).map((node) => `query ${node.query_id}`),
    ...(one.modelVersionInfos ?? []).map((node) => `model ${node.model_name}${node.version ? `, version ${node.version}` : ""}`),
    ...(one.entityInfos ?? []).map((node) => `${node.type.toLowerCase().replaceAll("_", " ")} ${node.id}`),
  ];
}

/** "2026-01-31 12:00:00.0" -> "2026-01-31 12:00" */
const minute = (timestamp: string | null | undefined): string => (timestamp ?? "").slice(0, 16);

/** The neighbours of a table as they are shown, in the order of the answer. */
export function nodesOf(neighbours: Neighbour[]): Node[] {
  return neighbours.map((one, index) => {
    const causes = causesOf(one);
    const { tableInfo: table, fileInfo: file } = one;
    if (table?.name) {
      const label = `${table.catalog_name}.${table.schema_name}.${table.name}`;
      const kind = (table.table_type ?? "table").toLowerCase().replaceAll("_", " ");
      return { key: label, label, table: label, note: kind === "table" ? "" : kind, time: minute(table.lineage_timestamp), causes };
    }
    if (file?.path) return { key: file.path, label: file.path, table: null, note: "path", time: minute(file.lineage_timestamp), causes };
    if (table || file) return { key: String(index), label: HIDDEN, table: null, note: "", time: "", causes };
    return { key: String(index), label: causes.join(", ") || HIDDEN, table: null, note: "", time: "", causes: [] };
  });
}

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
