import { describe, expect, it, vi } from "vitest";
import { ApiError, call, exchange, path, readable, safeNext } from "./client";
import { ago, bytes, cell, compact, count, duration, figure, time } from "./format";

describe("figures for people", () => {
  it("groups digits and marks what is unknown", () => {
    expect(count(336776)).toBe("336,776");
    expect(count(0)).toBe("0");
    expect(count(null)).toBe("–");
    expect(compact(9999)).toBe("9,999");
    expect(compact(336776)).toBe("336.8K");
  });
  it("gives durations in the unit that fits", () => {
    expect([0, 85, 12_340, 59_949, 59_990, 245_000, 12_060_000].map(duration)).toEqual(["0 ms", "85 ms", "12.3 s", "59.9 s", "1 min 0 s", "4 min 5 s", "3 h 21 min"]);
    expect(duration(null)).toBe("–");
  });
  it("gives sizes in powers of 1000", () => {
    expect(bytes(999)).toBe("999 B");
    expect(bytes(103_871_867)).toBe("103.9 MB");
  });
  it("tells times in UTC and distances in words", () => {
    expect(time(0)).toBe("–");
    expect(time(1_357_034_400_000)).toBe("2013-01-01 10:00:00");
    expect(ago(1000, 61_000)).toBe("1 min ago");
    expect(ago(5000, 1000)).toBe("0 s ago");
  });
  it("gives a metric in few digits", () => {
    expect([0.714612, 5, 0, 1203.7, -0.00001234, NaN].map(figure)).toEqual(["0.7146", "5", "0", "1,204", "-0.00001234", "NaN"]);
  });
  it("shows nested values as JSON", () => {
    expect(cell({ a: [1] })).toBe('{"a":[1]}');
    expect(cell(false)).toBe("false");
  });
});

describe("the client", () => {
  it("encodes every part of a path", () => {
    expect(path("/api/t", "a/b", "c d?")).toBe("/api/t/a%2Fb/c%20d%3F");
  });
  it("goes on only to a path of this page", () => {
    expect(safeNext("/catalog/main?tab=sample")).toBe("/catalog/main?tab=sample");
    for (const bad of [null, "", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/sign-in"]) {
      expect(safeNext(bad)).toBe("/");
    }
  });
  it("turns the wire form of an error into its code and message", async () => {
    const body = JSON.stringify({ error_code: "TABLE_DOES_NOT_EXIST", message: "Table 'x' does not exist." });
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, { status: 404 })));
    await expect(call("GET", "/x")).rejects.toMatchObject({ status: 404, code: "TABLE_DOES_NOT_EXIST" });
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("<html>", { status: 502, statusText: "Bad Gateway" })));
    await expect(call("GET", "/x")).rejects.toMatchObject({ status: 502, message: "Bad Gateway" });
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
    await expect(call("GET", "/x")).rejects.toBeInstanceOf(ApiError);
    vi.unstubAllGlobals();
  });
  it("says so where an answer is not JSON", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("<html>", { status: 200 })));
    await expect(call("GET", "/x")).rejects.toMatchObject({ status: 200, code: "NOT_JSON" });
    vi.unstubAllGlobals();
  });
  it("lays JSON out only where no value changes", () => {
    expect(readable('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
    expect(readable('{"a b": "c  d\\" e", "n": 1}')).toBe('{\n  "a b": "c  d\\" e",\n  "n": 1\n}');
    for (const kept of ['{"a":9007199254740993}', '{"a":1.0}', "NaN", "plain"]) expect(readable(kept)).toBe(kept);
  });
  it("sends a text as it was written and tells what came back", async () => {
    const sent: unknown[] = [];
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
      sent.push(init.body);
      return Promise.resolve(new Response('{"predictions":[NaN]}', { status: 200 }));
    });
    expect(await exchange("/x", '{"id": 9007199254740993}')).toMatchObject({ status: 200, text: '{"predictions":[NaN]}' });
    expect(sent).toEqual(['{"id": 9007199254740993}']);
    expect((await exchange("/x", "{")).text).toContain("This is not JSON");
    expect(sent).toHaveLength(1);
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
    expect(await exchange("/x", "{}")).toMatchObject({ status: 0 });
    vi.unstubAllGlobals();
  });
});
