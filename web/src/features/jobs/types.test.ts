import { describe, expect, it } from "vitest";
import { isRunning, iterations, kindText, newest, stateOf, type TaskRun, when } from "./types";

const state = (life: string, result?: string) => ({ state: { life_cycle_state: life, ...(result ? { result_state: result } : {}) } });

describe("jobs", () => {
  it("tell how far a run is", () => {
    expect([stateOf(state("RUNNING")), isRunning(state("RUNNING"))]).toEqual(["RUNNING", true]);
    expect([stateOf(state("TERMINATED", "FAILED")), isRunning(state("TERMINATED", "FAILED"))]).toEqual(["FAILED", false]);
    expect([stateOf(state("SKIPPED")), isRunning(state("SKIPPED"))]).toEqual(["SKIPPED", false]);
  });
  it("tell what a task is", () => {
    expect(kindText({ task_key: "a", notebook_task: {} })).toBe("Notebook");
    expect(kindText({ task_key: "a", made_up_task: {} })).toBe("made up");
    const stats = { task_run_stats: { completed_iterations: 2, total_iterations: 3, failed_iterations: 1 } };
    expect(iterations({ task_key: "a", for_each_task: { stats } })).toBe("2 of 3, 1 failed");
    expect(iterations({ task_key: "a", condition_task: {} })).toBe("");
  });
  it("tell when they run", () => {
    expect(when({})).toBe("");
    expect(when({ schedule: { quartz_cron_expression: "0 0 1 * * ?", timezone_id: "UTC", pause_status: "PAUSED" } })).toBe("0 0 1 * * ? (UTC), paused");
    expect(when({ trigger: { periodic: { interval: 2, unit: "HOURS" } } })).toBe("every 2 hours");
    const model = { condition: "MODEL_ALIAS_SET", securable_name: "main.a.m", aliases: ["champion"] };
    expect(when({ trigger: { model } })).toBe("when the alias champion of main.a.m is set");
    expect(when({ trigger: { model: { condition: "MODEL_CREATED", securable_name: "main.a" } } })).toBe("when a model is made in main.a");
    expect(when({ trigger: { model: { condition: "MODEL_VERSION_READY" } } })).toBe("when a version of any model is ready");
    expect(when({ trigger: { boathouse_event: { name: "loaded" }, pause_status: "PAUSED" } })).toBe("when the event loaded is fired, paused");
  });
  it("show the newest attempt of a task", () => {
    const task = (key: string, attempt: number): TaskRun => ({ task_key: key, attempt_number: attempt, run_id: attempt, ...state("RUNNING") });
    expect(newest([task("a", 0), task("b", 0), task("a", 1)]).map((one) => [one.task_key, one.run_id])).toEqual([["a", 1], ["b", 0]]);
  });
});
