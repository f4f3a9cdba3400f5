import { describe, expect, it } from "vitest";
import { columnsOf, nodesOf } from "./lineage";

describe("neighbours", () => {
  it("are tables, paths and what caused them", () => {
    const tableInfo = { name: "orders", catalog_name: "main", schema_name: "s", table_type: "TABLE", lineage_timestamp: "2026-01-31 12:00:00.0", has_permission: true };
    const jobInfos = [{ workspace_id: 0, job_id: "42" }];
    const [table, path, entity] = nodesOf([
      { tableInfo, jobInfos, entityInfos: [{ type: "MODEL_TRAINING", id: "7" }] },
      { fileInfo: { path: "s3://bucket/x", has_permission: true } },
      { notebookInfos: [{ workspace_id: 0, notebook_id: "9" }] },
    ]);
    expect(table).toMatchObject({ label: "main.s.orders", table: "main.s.orders", note: "", time: "2026-01-31 12:00", causes: ["job 42", "model training 7"] });
    expect(path).toMatchObject({ label: "s3://bucket/x", table: null, note: "path" });
    expect(entity).toMatchObject({ label: "notebook 9", table: null });
  });
  it("that the asker may not know of are not named", () => {
    const [hidden] = nodesOf([{ tableInfo: { has_permission: false } }]);
    expect(hidden).toMatchObject({ label: "something that you may not see", table: null });
  });
  it("have keys of their own", () => {
    const nodes = nodesOf([{ tableInfo: { has_permission: false } }, { tableInfo: { has_permission: false } }]);
    expect(new Set(nodes.map((node) => node.key)).size).toBe(2);
  });
});

describe("columns", () => {
  it("lead to their tables", () => {
    const [column, hidden, file] = columnsOf([
      { name: "amount", catalog_name: "main", schema_name: "s", table_name: "t", has_permission: true },
      { has_permission: false },
      { name: "x", path: "/data/x", has_permission: true },
    ]);
    expect(column).toMatchObject({ table: "main.s.t", column: "amount" });
    expect(hidden).toMatchObject({ table: null, column: "" });
    expect(file).toMatchObject({ table: null, label: "/data/x", column: "x" });
  });
});
