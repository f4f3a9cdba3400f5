import { describe, expect, it } from "vitest";
import { argumentsText, keysOf, policiesText, tabsOf } from "./table";

describe("keys", () => {
  it("come from constraints and properties", () => {
    const table_constraints = [
      { primary_key_constraint: { name: "pk", child_columns: ["id", "at"], timeseries_columns: ["at"] } },
      { foreign_key_constraint: { name: "fk", child_columns: ["customer"], parent_table: "main.s.customers", parent_columns: ["id"] } },
    ];
    expect(keysOf({ table_constraints, properties: { "delta.constraints.positive": "amount > 0", quality: "gold" } })).toEqual({
      primary: { name: "pk", columns: ["id", "at"], times: ["at"] },
      foreign: [{ name: "fk", columns: ["customer"], table: "main.s.customers", parents: ["id"] }],
      checks: [["positive", "amount > 0"]],
    });
    expect(keysOf({ properties: {} })).toEqual({ primary: null, foreign: [], checks: [] });
  });
});

describe("policies", () => {
  const mask = { function_name: "main.s.hide", using_column_names: [], using_arguments: [] };
  const row_filter = { function_name: "main.s.mine", input_column_names: [], input_arguments: [] };
  it("are told in words", () => {
    expect(policiesText({ columns: [{ name: "a", nullable: true }] })).toBe("");
    expect(policiesText({ columns: [{ name: "a", nullable: true, mask }], row_filter })).toBe("a row filter and a mask on a");
    expect(policiesText({ columns: [{ name: "a", nullable: true, mask }, { name: "b", nullable: true, mask }] })).toBe("masks on a, b");
  });
  it("show their arguments", () => {
    expect(argumentsText([{ column: "region" }, { constant: "'EU'" }], "card")).toBe("card, region, 'EU'");
  });
});

describe("tabs", () => {
  it("name nothing that there is not", () => {
    expect(tabsOf({ table_type: "VIEW" })).toEqual(["Columns", "Definition", "Quality", "Lineage", "Details", "Permissions"]);
    expect(tabsOf({ table_type: "EXTERNAL", data_source_format: "PARQUET" })).not.toContain("Sample");
    expect(tabsOf({ table_type: "MANAGED", data_source_format: "DELTA" })).toContain("History");
  });
});
