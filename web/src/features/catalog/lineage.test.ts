import { describe, expect, it } from "vitest";
import { columnsOf } from "./lineage";

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
