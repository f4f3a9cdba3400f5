import { expect, test } from "vitest";
import { filterOf } from "./events";
import { asked, hasTable, places, refusal, share, shortName, type Update } from "./types";

const update: Update = { update_id: "u", state: "COMPLETED", cause: "API_CALL", started_at: 1, ended_at: 2, validate_only: false, full_refresh: false, selection: [], full_refresh_selection: [] };

test("a share is never called all or nothing where it is not", () => {
  expect(share(10, 0)).toBe("100 %");
  expect(share(0, 10)).toBe("0 %");
  expect(share(335_601, 1)).toBe("> 99.9 %");
  expect(share(1, 335_601)).toBe("< 0.1 %");
  expect(share(334_426, 2350)).toBe("99.3 %");
  expect(share(0, 0)).toBe("–");
  expect(share(null, undefined)).toBe("–");
});

test("what an update was asked for", () => {
  expect(asked(update)).toBe("refresh");
  expect(asked({ ...update, validate_only: true })).toBe("validate");
  expect(asked({ ...update, full_refresh: true })).toBe("full refresh of all tables");
  expect(asked({ ...update, selection: ["a", "b"], full_refresh_selection: ["c"] })).toBe("full refresh of c, refresh of a, b");
});

test("who may only see is told why nothing starts", () => {
  expect(refusal("CAN_VIEW")).toContain("CAN_RUN");
  expect((["CAN_RUN", "CAN_MANAGE", "IS_OWNER"] as const).map(refusal)).toEqual([null, null, null]);
});

test("names of tables and folders", () => {
  expect(["main.flights.silver", "/Volumes/main/a.b/landing/", "view"].map(shortName)).toEqual(["silver", "landing", "view"]);
  expect(hasTable({ kind: "SOURCE", name: "main.a.b", is_private: false })).toBe(true);
  expect(hasTable({ kind: "SOURCE", name: "/Volumes/a.b.c", is_private: false })).toBe(false);
  expect(hasTable({ kind: "TEMPORARY_VIEW", name: "a", is_private: false })).toBe(false);
  expect(hasTable({ kind: "STREAMING_TABLE", name: "main.a.b", is_private: true })).toBe(false);
});

test("events are filtered in the API's words, and errors say where", () => {
  expect(filterOf({})).toBe("");
  expect(filterOf({ level: "ERROR", update: "it's" })).toBe("level = 'ERROR' AND update_id = 'it''s'");
  const stack = [{ file_name: "/w/a.sql", line_number: 3 }, { file_name: "/w/b.py", line_number: null }, {}];
  const event = { id: "1", timestamp: "", level: "ERROR", event_type: "update_progress", message: "", origin: {}, details: {}, error: { exceptions: [{ stack }, {}] } };
  expect(places(event)).toEqual(["/w/a.sql:3", "/w/b.py"]);
});
