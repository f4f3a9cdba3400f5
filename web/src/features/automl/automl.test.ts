import { describe, expect, it } from "vitest";
import { bodyOf, EMPTY, type MlflowRun, missing, searchHref, trialsOf } from "./automl";

const run = (number: string, start: number, value?: number): MlflowRun => ({
  info: { run_id: `r${start}`, status: value === undefined ? "RUNNING" : "FINISHED", start_time: start, ...(value === undefined ? {} : { end_time: start + 5 }) },
  data: { tags: [{ key: "automl.trial", value: number }, { key: "automl.model", value: "LightGBM" }], ...(value === undefined ? {} : { metrics: [{ key: "val_f1_score", value }, { key: "test_f1_score", value: value / 2 }] }) },
});

describe("AutoML", () => {
  it("knows what is missing", () => {
    expect(missing(EMPTY)).toBe("a table");
    const draft = { ...EMPTY, dataset: "main.a.b", target: "y" };
    expect(missing(draft)).toBe("");
    expect(missing({ ...draft, minutes: "0" })).toBe("a number of minutes");
    expect(missing({ ...draft, problem: "forecast" })).toBe("the column of time");
    expect(missing({ ...draft, problem: "forecast", time: "day", horizon: "1.5" })).toBe("a number of periods");
  });
  it("asks only for what belongs to the problem", () => {
    const draft = { ...EMPTY, dataset: "main.a.b", target: "y", identity: "shop", output: "main.a" };
    expect(bodyOf(draft)).toEqual({ problem: "classify", dataset: "main.a.b", target_col: "y", timeout_minutes: 15 });
    expect(bodyOf({ ...draft, problem: "forecast", time: "day" })).toEqual({
      problem: "forecast", dataset: "main.a.b", target_col: "y", timeout_minutes: 15, time_col: "day", identity_col: ["shop"], frequency: "day", horizon: 7, output_database: "main.a",
    });
  });
  it("puts the best trial first and counts a repeated notebook once", () => {
    const runs = [run("2", 20, 0.9), run("1", 10, 0.8), run("3", 30), run("2", 40, 0.95), { info: { run_id: "data", status: "FINISHED", start_time: 1 }, data: {} }];
    expect(trialsOf(runs, "val_f1_score", "maximize").map((one) => [one.number, one.run, one.test])).toEqual([[2, "r20", 0.45], [1, "r10", 0.4], [3, "r30", undefined]]);
    expect(trialsOf(runs, "val_f1_score", "minimize").map((one) => one.number)).toEqual([1, 2, 3]);
  });
  it("has an address for each search", () => {
    expect(searchHref("/Users/a b/x", "12")).toBe("/automl/search?name=%2FUsers%2Fa%20b%2Fx&run=12");
  });
});
