import { expect, test } from "vitest";
import { bodyOf, type Draft, drifted, isCompared, line, missing, verdict } from "./quality";

const draft: Draft = { kind: "inference_log", timestamp: "at", granularity: "1 day", problem: "PROBLEM_TYPE_REGRESSION", prediction: "p", label: "", model: "m", baseline: "", output: "main.shop" };

test("a monitor has what its kind needs, and nothing else", () => {
  expect(bodyOf(draft, "main.shop.t")).toEqual({
    output_schema_name: "main.shop", assets_dir: "/Workspace/monitors/main.shop.t",
    inference_log: { timestamp_col: "at", granularities: ["1 day"], problem_type: "PROBLEM_TYPE_REGRESSION", prediction_col: "p", model_id_col: "m" },
  });
  expect(bodyOf({ ...draft, kind: "snapshot", baseline: "main.shop.b" }, "main.shop.t")).toMatchObject({ snapshot: {}, baseline_table_name: "main.shop.b" });
  expect(missing({ ...draft, timestamp: "", model: "" })).toBe("the column of timestamps, the column of model ids");
  expect(missing({ ...draft, kind: "snapshot", timestamp: "" })).toBe("");
});

test("a line leaves out windows without a value, and one window is in the middle", () => {
  const windows = [{ start: 0, e: 1 }, { start: 5, e: null }, { start: 10, e: 3 }];
  expect(line(windows, "e", 100, 50).points).toEqual([{ start: 0, value: 1, x: 0, y: 50 }, { start: 10, value: 3, x: 100, y: 0 }]);
  expect(line([{ start: 7, e: 4 }], "e", 100, 50).points).toEqual([{ start: 7, value: 4, x: 50, y: 25 }]);
  expect(line([], "e", 100, 50).points).toEqual([]);
});

test("drift is said in words", () => {
  const one = { drift_type: "BASELINE", column_name: "x", data_type: "double", start: 1, figures: {}, reason: "js_distance", windows: 1, has_drifted: false };
  expect(verdict(one)).toBe("by its Jensen-Shannon distance, once");
  expect(verdict({ ...one, windows: 2, has_drifted: true })).toBe("drifted, 2 of 3 windows");
  expect(verdict({ ...one, reason: null })).toBe("");
  expect([isCompared(one), isCompared({ ...one, figures: { js_distance: 0, tv_distance: null } })]).toEqual([false, true]);
  expect([null, 0, 0.00002, 0.12345].map(drifted)).toEqual(["–", "0", "< 0.001", "0.123"]);
});
