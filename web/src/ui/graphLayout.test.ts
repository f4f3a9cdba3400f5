import { expect, test } from "vitest";
import { HEIGHT, picture, WIDTH } from "./graphLayout";
import type { Node } from "../features/pipelines/types";

const node = (name: string, ...inputs: string[]): Node => ({ name, inputs, kind: "MATERIALIZED_VIEW", is_private: false, columns: [], expectations: [], flows: [] });

test("sources stand left of what reads them, nothing overlaps, and lines join sides", () => {
  const nodes = [node("a"), node("b"), node("c", "a", "b", "not here"), node("d", "c", "a")];
  const { places, edges, width, height } = picture(nodes);
  const at = new Map(places.map((place) => [place.node.name, place]));
  expect(edges.map((edge) => `${edge.from}>${edge.to}`).sort()).toEqual(["a>c", "a>d", "b>c", "c>d"]);
  for (const edge of edges) {
    const [from, to] = [at.get(edge.from), at.get(edge.to)];
    if (!from || !to) throw new Error(`a line from ${edge.from} to ${edge.to} joins nothing`);
    expect(from.x + WIDTH).toBeLessThan(to.x);
    expect(edge.path.startsWith(`M${from.x + WIDTH} ${from.y + HEIGHT / 2}`)).toBe(true);
    expect(edge.path.endsWith(`${to.x} ${to.y + HEIGHT / 2}`)).toBe(true);
  }
  for (const one of places) {
    expect(one.x).toBeGreaterThanOrEqual(0);
    expect(one.x + WIDTH).toBeLessThanOrEqual(width);
    expect(one.y + HEIGHT).toBeLessThanOrEqual(height);
    for (const other of places) if (one !== other) expect(Math.abs(one.x - other.x) >= WIDTH || Math.abs(one.y - other.y) >= HEIGHT).toBe(true);
  }
});

test("a hundred datasets are laid out at once, and none is none", () => {
  const many = Array.from({ length: 100 }, (_, index) => node(`n${index}`, ...(index < 10 ? [] : [`n${index - 10}`, `n${(index * 7) % 10}`])));
  expect(picture(many).places).toHaveLength(100);
  expect(picture([]).places).toEqual([]);
});
