import { expect, test } from "vitest";
import { completeness, freshness, type Health } from "./health";

const HOUR = 3_600_000;
const late: Health = {
  monitored: true, event_time: 90 * HOUR, status: "Unhealthy",
  freshness: { status: "Unhealthy", last_value: 40 * HOUR, predicted_value: 70 * HOUR },
  daily_rows: { status: "Unhealthy", last_value: 10, min_predicted_value: 75, max_predicted_value: 125 },
};

test("what is wrong with a table is told with what was expected", () => {
  expect(freshness(late, 91 * HOUR)).toContain("more was expected by");
  expect(completeness(late)).toBe("Only 10 rows in 24 hours; 75 to 125 are usual.");
  const young: Health = { monitored: true, freshness: { status: "Unknown", error_code: "NOT_ENOUGH_HISTORY" }, daily_rows: { status: "Unknown", error_code: "NO_STATISTICS" } };
  expect(freshness(young)).toBe("No data has come; its log goes back less than a week, so nothing can be expected of it yet.");
  expect(completeness(young)).toBe("Rows cannot be judged; a commit in its log does not say how many rows it has.");
  expect(completeness({ ...young, daily_rows: { status: "Unknown", error_code: "NOT_ENOUGH_HISTORY", last_value: 7 } })).toBe("7 rows in 24 hours.");
  expect(freshness({ monitored: true })).toBe("");
});
