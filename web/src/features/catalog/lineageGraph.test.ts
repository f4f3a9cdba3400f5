import { describe, expect, it } from "vitest";
import { picture } from "../../ui/graphLayout";
import { causeOf, drawn, type Edge, type Graph, hrefOfNode, label, merged, MOST_DRAWN, type Node } from "./lineageGraph";

function node(id: string, values: Partial<Node> = {}): Node {
  const [type = "", ...rest] = id.split(":");
  const name = rest.join(":");
  return { id, type, name, title: name, kind: null, depth: 0, has_permission: true, hidden: 0, more_upstream: 0, more_downstream: 0, ...values };
}

function edge(source: string, target: string): Edge {
  return { source, target, last_at: 1, times: 1, table_version: null, causes: [] };
}

const graph = (root: string, nodes: Node[], edges: Edge[]): Graph => ({ root, nodes, edges, left_out: 0 });

describe("graphs", () => {
  it("become one, with what is still missing around each node", () => {
    const [a, b, c] = ["table:m.s.a", "table:m.s.b", "table:m.s.c"];
    const { nodes, edges } = merged([
      graph(b, [node(b), node(a, { more_upstream: 2 })], [edge(a, b)]),
      graph(a, [node(a), node(c, { more_upstream: 1 }), node(b, { more_downstream: 4 })], [edge(a, b), edge(c, a)]),
    ]);
    expect([...nodes.values()].map((one) => [one.id, one.more_upstream, one.more_downstream])).toEqual([[b, 0, 0], [a, 0, 0], [c, 1, 0]]);
    expect(edges.length).toBe(2);
    expect(drawn(nodes, edges)).toEqual([{ name: b, inputs: [a] }, { name: a, inputs: [c] }, { name: c, inputs: [] }]);
    expect(drawn(nodes, edges, 2)).toEqual([{ name: b, inputs: [a] }, { name: a, inputs: [] }]);
  });
  it("of as many nodes as are drawn are laid out in a few seconds at most", () => {
    const nodes = new Map(Array.from({ length: MOST_DRAWN + 50 }, (_, index) => [`table:m.s.${index}`, node(`table:m.s.${index}`)] as const));
    const edges = [...nodes.keys()].slice(1).map((id, index) => edge(`table:m.s.${Math.floor(index / 3)}`, id));
    const start = performance.now();
    expect(picture(drawn(nodes, edges)).places.length).toBe(MOST_DRAWN);
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});

describe("nodes", () => {
  it("are called by their last name and what they are", () => {
    expect(label(node("table:main.shop.orders"))).toEqual({ name: "orders", kind: "table in main.shop" });
    expect(label(node("table:main.shop.by_hour", { kind: "FEATURE_TABLE" })).kind).toBe("feature table in main.shop");
    expect(label(node("model_version:main.shop.price/3"))).toEqual({ name: "price 3", kind: "model version in main.shop" });
    expect(label(node("path:/Volumes/main/shop/raw/2026", { kind: "VOLUME" }))).toEqual({ name: "2026", kind: "files in /Volumes/main/shop/raw" });
    expect(label(node("dashboard:1", { title: "Sales" }))).toEqual({ name: "Sales", kind: "dashboard" });
    expect(label(node("hidden:up:x", { type: null, name: null, title: null, has_permission: false, hidden: 3 }))).toEqual({ name: "3 you may not see", kind: "" });
  });
  it("lead to their pages", () => {
    expect(hrefOfNode(node("table:main.shop.orders"))).toBe("/catalog/main/shop/orders?tab=lineage");
    expect(hrefOfNode(node("table:main.shop.orders", { kind: "GONE" }))).toBeNull();
    expect(hrefOfNode(node("path:/Volumes/main/shop/raw/a b/x.json"))).toBe("/catalog/main/shop/raw?kind=volume&path=a%20b");
    expect(hrefOfNode(node("path:s3://bucket/x"))).toBeNull();
    expect(hrefOfNode(node("model_version:main.shop.price/3"))).toBe("/models/main.shop.price/versions/3");
    expect(hrefOfNode(node("endpoint:price"))).toBe("/serving/price");
    expect(hrefOfNode(node("notebook:7", { title: "/Users/a/train" }))).toBe("/workspace?path=%2FUsers%2Fa%2Ftrain");
  });
  it("are caused by what has a page, where one may know of it", () => {
    const cause = { type: "JOB", id: "42", run_id: "7", title: null, last_at: 1, times: 1 };
    expect(causeOf(cause)).toEqual({ text: "job 42", href: null });
    expect(causeOf({ ...cause, title: "nightly" })).toEqual({ text: "job nightly", href: "/jobs/42" });
    expect(causeOf({ ...cause, type: "RUN", id: "0123456789" }).text).toBe("run 01234567");
    expect(causeOf({ ...cause, type: "QUERY", id: null }).text).toBe("a query");
  });
});
