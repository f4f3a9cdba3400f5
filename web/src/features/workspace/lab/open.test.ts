import { describe, expect, it } from "vitest";
import { shared } from "./jupyter";
import { workspacePath } from "./open";

describe("JupyterLab", () => {
  it("has notebooks by other paths", () => {
    expect(workspacePath("Users/a b/nb.ipynb")).toBe("/Users/a b/nb");
    expect(workspacePath("RTC:Users/a/nb.ipynb")).toBe("/Users/a/nb");
    expect(workspacePath("Users/a:b/nb.py.ipynb")).toBe("/Users/a:b/nb.py");
  });
  it("gives the module that is in use", async () => {
    const module = (name: string, loaded?: boolean) => ({ get: () => Promise.resolve(() => name), loaded });
    expect(await shared({ x: { "1.0": module("other"), "2.0": module("used", true) } }, "x")).toBe("used");
    expect(await shared({ x: { "1.0": module("only") } }, "x")).toBe("only");
    await expect(shared({}, "x")).rejects.toThrow("JupyterLab has no x.");
  });
});
