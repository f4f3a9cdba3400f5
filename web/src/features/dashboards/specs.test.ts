import { expect, test } from "vitest";
import { chart } from "./specs";
import { type Data, defaultOf, type Document, parseFilters, shown, withQueries } from "./types";

const COLOURS = { ink: "#000", soft: "#333", line: "#ccc" };
const data: Data = {
  columns: [{ name: "monthly(day)", type: "timestamp" }, { name: "sum(a.b)", type: "decimal(10,2)" }, { name: "region", type: "string" }],
  rows: [["2026-01-01T00:00:00", "10.50", "north"], ["2026-02-01T00:00:00", null, null]],
  truncated: false,
};
const y = { fieldName: "sum(a.b)", scale: { type: "quantitative" }, displayName: "Amount" };

test("columns are known by their place, numbers and times by their types", () => {
  const spec = chart({ widgetType: "line", encodings: { x: { fieldName: "monthly(day)", scale: { type: "temporal" } }, y, color: { fieldName: "region" } } }, data, COLOURS);
  expect(spec).toMatchObject({
    data: { values: [{ c0: new Date(2026, 0, 1).getTime(), c1: 10.5, c2: "north" }, { c0: new Date(2026, 1, 1).getTime(), c1: null, c2: null }] },
    encoding: { x: { field: "c0", type: "temporal" }, y: { field: "c1", type: "quantitative", title: "Amount" }, color: { field: "c2", type: "nominal" } },
  });
});

test("several columns become series, and groups stand beside each other", () => {
  const x = { fieldName: "region", scale: { type: "categorical" } };
  expect(chart({ widgetType: "bar", encodings: { x, y: { fields: [y] } }, mark: { layout: "group" } }, data, COLOURS)).toMatchObject({
    transform: [{ fold: ["c1"] }, { lookup: "series" }],
    encoding: { xOffset: { field: "name" } },
  });
});

test("what cannot be drawn is said", () => {
  expect(chart({ widgetType: "bar", encodings: { y } }, data, COLOURS)).toBe("The bar chart has no x.");
  expect(chart({ widgetType: "pie", encodings: {} }, data, COLOURS)).toBe("The pie has no angle.");
});

test("values are shown as people read them", () => {
  expect(shown("1234.50", "decimal(10,2)")).toBe("1,234.5");
  expect(shown("2026-01-01T00:00:00", "timestamp")).toBe("2026-01-01");
  expect(shown(null, "string")).toBe("null");
  expect(shown([1], "array<int>")).toBe("[1]");
});

test("filters come from the URL, and what is not valid is nothing", () => {
  expect(parseFilters('{"a":{"values":["x"]}}')).toEqual({ a: { values: ["x"] } });
  expect(parseFilters("[1]")).toEqual({});
  expect(parseFilters("{")).toEqual({});
  expect(defaultOf({ name: "f", spec: { selection: { defaultSelection: { range: { min: { value: "2026-01-01" } } } } } })).toEqual({ min: "2026-01-01", max: null });
});

test("a dataset's text is kept in lines", () => {
  const document: Document = { datasets: [{ name: "a", query: "SELECT 1" }, { name: "b", queryLines: ["SELECT\n", "2"] }], pages: [] };
  const changed = JSON.parse(JSON.stringify(withQueries(document, { a: "SELECT 1\nWHERE x", b: "SELECT\n2" }))) as Document;
  expect(changed.datasets).toEqual([{ name: "a", queryLines: ["SELECT 1\n", "WHERE x"] }, { name: "b", queryLines: ["SELECT\n", "2"] }]);
});
