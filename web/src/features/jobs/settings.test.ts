import { expect, test } from "vitest";
import { at, copyOf, lines, newTask, pairs, pairsText, type Plain, problems, put, renamed, startOf, withStart, without } from "./settings";

const SETTINGS: Plain = {
  name: "nightly",
  max_concurrent_runs: 3,
  schedule: { quartz_cron_expression: "0 0 4 * * ?", timezone_id: "UTC", pause_status: "PAUSED" },
  tasks: [
    { task_key: "a", notebook_task: { notebook_path: "/a", source: "GIT" }, libraries: [{ pypi: { package: "x" } }] },
    { task_key: "b", depends_on: [{ task_key: "a" }], notebook_task: { notebook_path: "/b" } },
  ],
};

test("a value is put where it belongs, and what is not shown stays", () => {
  const next = put(SETTINGS, "tasks[0].notebook_task.notebook_path", "/c");
  expect(at(next, "tasks[0]")).toEqual({ task_key: "a", notebook_task: { notebook_path: "/c", source: "GIT" }, libraries: [{ pypi: { package: "x" } }] });
  expect(at(SETTINGS, "tasks[0].notebook_task.notebook_path")).toBe("/a");
  expect(next["max_concurrent_runs"]).toBe(3);
  expect(at(put(SETTINGS, "queue.enabled", true), "queue")).toEqual({ enabled: true });
  expect("queue" in put(put(SETTINGS, "queue.enabled", true), "queue.enabled", undefined)).toBe(false);
  expect(at(put(SETTINGS, "tasks[1].notebook_task.notebook_path", undefined), "tasks[1].notebook_task")).toEqual({});
  expect(at(SETTINGS, "tasks[7].x")).toBeUndefined();
});

test("the fields that the server speaks of", () => {
  expect(problems("tasks[1].depends_on[0].task_key is 'z', which is no task of this job. It has: a, b.")).toEqual([
    { field: "tasks[1].depends_on[0].task_key", text: "is 'z', which is no task of this job. It has: a, b." },
  ]);
  expect(problems("The request is not valid. new_settings.tasks.0.task_key: String should match; new_settings.name: no")).toEqual([
    { field: "tasks[0].task_key", text: "String should match" }, { field: "name", text: "no" },
  ]);
  expect(problems("Job 4 does not exist.")).toEqual([]);
});

test("another start keeps the pause, another key is followed, and a task that goes leaves no trace", () => {
  expect(startOf(SETTINGS)).toBe("schedule");
  const periodic = withStart(SETTINGS, "trigger.periodic");
  expect([startOf(periodic), periodic["trigger"], "schedule" in periodic]).toEqual(["trigger.periodic", { periodic: { interval: 1, unit: "DAYS" }, pause_status: "PAUSED" }, false]);
  expect(startOf(withStart(SETTINGS, ""))).toBe("");
  expect(at(renamed(SETTINGS, 0, "first"), "tasks[1].depends_on")).toEqual([{ task_key: "first" }]);
  expect(without(SETTINGS, 0)["tasks"]).toEqual([{ task_key: "b", notebook_task: { notebook_path: "/b" } }]);
  expect(newTask([{ task_key: "task_2" }]).task_key).toBe("task_3");
  expect(copyOf(withStart(SETTINGS, "continuous"))).toMatchObject({ name: "Copy of nightly", continuous: { pause_status: "PAUSED" }, max_concurrent_runs: 3 });
});

test("texts of lists and pairs", () => {
  expect([lines(" a \n\nb"), lines("  ")]).toEqual([["a", "b"], undefined]);
  expect(pairs("a=1=2\nb\n")).toEqual({ a: "1=2", b: "" });
  expect(pairsText({ a: "1=2", b: "" })).toBe("a=1=2\nb=");
});
