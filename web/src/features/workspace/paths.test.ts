import { describe, expect, it } from "vitest";
import { downloadName, href, isFixed, join, kindOf, labPath, nameOf, parentOf, steps, type WorkspaceObject } from "./paths";

describe("paths of the workspace", () => {
  it("are cut into the folders above", () => {
    expect(steps("/")).toEqual([]);
    expect(steps("/Users/a b/nb")).toEqual([
      { name: "Workspace", path: "/" },
      { name: "Users", path: "/Users" },
      { name: "a b", path: "/Users/a b" },
    ]);
    expect(labPath("/jupyter/lab", "/Users/a b/nb")).toBe("/jupyter/lab/tree/Users/a%20b/nb.ipynb");
    expect(join("/", "x")).toBe("/x");
    expect(join("/Users", "x")).toBe("/Users/x");
    expect(parentOf("/x")).toBe("/");
    expect(parentOf("/Users/x/y")).toBe("/Users/x");
    expect(nameOf("/")).toBe("Workspace");
    expect(href("/Users/a&b")).toBe("/workspace?path=%2FUsers%2Fa%26b");
  });
  it("know what cannot be moved", () => {
    expect(["/", "/Users", "/Users/me", "/Shared", "/Repos"].every(isFixed)).toBe(true);
    expect(["/Users/me/x", "/Shared/x", "/Repos/me"].some(isFixed)).toBe(false);
  });
  it("are told and downloaded by what they are", () => {
    const object = { object_type: "NOTEBOOK", language: "SQL", path: "/Shared/q" } as WorkspaceObject;
    expect(kindOf(object)).toBe("SQL notebook");
    expect(downloadName(object, "SOURCE")).toBe("q.sql");
    expect(downloadName(object, "JUPYTER")).toBe("q.ipynb");
    expect(downloadName({ ...object, object_type: "DIRECTORY" }, "AUTO")).toBe("q.zip");
    expect(kindOf({ object_type: "REPO", language: null })).toBe("Git folder");
  });
});
