import { expect, test } from "vitest";
import { condition, told } from "./types";

test("a condition and who is told are said in words", () => {
  const source = { name: "n", aggregation: "SUM" };
  expect(condition({ source, comparison_operator: "GREATER_THAN", threshold: { value: { double_value: 0 } } })).toBe("sum(n) > 0");
  expect(condition({ source, comparison_operator: "IS_NULL" })).toBe("sum(n) is null");
  expect(condition({ source: { name: "n", display: "late" }, comparison_operator: "EQUAL", threshold: { column: { name: "m" } } })).toBe("late = m");
  const notification = { retrigger_seconds: 60, notify_on_ok: true, subscriptions: [{ user_email: "a@b" }, { destination_id: "x" }] };
  expect(told({ source, comparison_operator: "EQUAL", notification })).toBe("a@b, destination x: when it is triggered, again after 60 s, and when it is OK again.");
  expect(told({ source, comparison_operator: "EQUAL" })).toBe("Nobody.");
});
