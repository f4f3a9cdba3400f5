import { Graph, layout } from "@dagrejs/dagre";

/** What is drawn: a name, and the names of what comes before it. */
export interface DagNode {
  name: string;
  inputs: string[];
}

export const WIDTH = 244;
export const HEIGHT = 78;
const MARGIN = 16;

export interface Place<T extends DagNode = DagNode> {
  node: T;
  x: number;
  y: number;
}

export interface Edge {
  from: string;
  to: string;
  path: string;
}

export interface Picture<T extends DagNode = DagNode> {
  places: Place<T>[];
  edges: Edge[];
  width: number;
  height: number;
}

/** A smooth line through points that lie left to right. */
export function curve(points: { x: number; y: number }[]): string {
  return points.map(({ x, y }, index) => {
    const before = points[index - 1];
    if (before === undefined) return `M${x} ${y}`;
    const middle = (before.x + x) / 2;
    return `C${middle} ${before.y} ${middle} ${y} ${x} ${y}`;
  }).join("");
}

/** Where nodes and the lines between them are drawn, those that nothing comes before on the left. */
export function picture<T extends DagNode>(nodes: T[]): Picture<T> {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 18, ranksep: 56, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node.name, { width: WIDTH, height: HEIGHT });
  const known = new Set(nodes.map((node) => node.name));
  for (const node of nodes) for (const input of node.inputs) if (known.has(input)) graph.setEdge(input, node.name);
  layout(graph);
  const places = nodes.map((node) => {
    const { x = 0, y = 0 } = graph.node(node.name) as { x?: number; y?: number };
    return { node, x: x - WIDTH / 2, y: y - HEIGHT / 2 };
  });
  const at = new Map(places.map((place) => [place.node.name, place]));
  const edges = graph.edges().flatMap(({ v, w }) => {
    const [from, to] = [at.get(v), at.get(w)];
    if (!from || !to) return [];
    const { points = [] } = graph.edge(v, w) as { points?: { x: number; y: number }[] };
    // Lines leave in the middle of the right side and arrive in that of the left one; between them they go round other boxes.
    const line = [{ x: from.x + WIDTH, y: from.y + HEIGHT / 2 }, ...points.slice(1, -1), { x: to.x, y: to.y + HEIGHT / 2 }];
    return [{ from: v, to: w, path: curve(line) }];
  });
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return { places, edges, width, height };
}
