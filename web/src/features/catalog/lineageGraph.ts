import { path, type Schemas, tableHref } from "../../api/client";
import { hrefOf } from "./names";

export type Graph = Schemas["GraphBody"];
export type Node = Schemas["NodeBody"];
export type Edge = Schemas["EdgeBody"];
export type Cause = Schemas["CauseBody"];

/** More boxes than this are not drawn: a browser lays out this many in about a second. */
export const MOST_DRAWN = 300;

/** Graphs as one; where two have the same node or edge, the one that knows more of what is around it. */
export function merged(graphs: Graph[]): { nodes: Map<string, Node>; edges: Edge[] } {
  const nodes = new Map<string, Node>();
  const edges = new Map<string, Edge>();
  for (const graph of graphs) {
    for (const node of graph.nodes) {
      const known = nodes.get(node.id);
      nodes.set(node.id, known ? { ...known, more_upstream: Math.min(known.more_upstream, node.more_upstream), more_downstream: Math.min(known.more_downstream, node.more_downstream) } : node);
    }
    for (const edge of graph.edges) edges.set(`${edge.source} ${edge.target}`, edge);
  }
  return { nodes, edges: [...edges.values()] };
}

/** The nodes that are drawn with what comes before each, the nearest to the middle first. */
export function drawn(nodes: Map<string, Node>, edges: Edge[], most = MOST_DRAWN): { name: string; inputs: string[] }[] {
  const shown = [...nodes.values()].slice(0, most);
  const known = new Set(shown.map((node) => node.id));
  const inputs = new Map<string, string[]>(shown.map((node) => [node.id, []]));
  for (const { source, target } of edges) if (known.has(source)) inputs.get(target)?.push(source);
  return shown.map((node) => ({ name: node.id, inputs: inputs.get(node.id) ?? [] }));
}

const KINDS: Record<string, string> = { VIEW: "view", FEATURE_TABLE: "feature table", GONE: "dropped" };
const OF_SECURABLES = new Set(["table", "function"]);

/** "dbsql_query" -> "dbsql query" */
export const words = (text: string): string => text.toLowerCase().replaceAll("_", " ");

/** What the box of a node says: its last name, and what it is and where. */
export function label(node: Node): { name: string; kind: string } {
  if (!node.has_permission || !node.type) return { name: `${node.hidden} you may not see`, kind: "" };
  const title = node.title ?? node.name ?? "";
  if (node.type === "path") {
    const parts = title.split("/");
    return { name: parts.pop() || title, kind: `${node.kind === "VOLUME" ? "files in" : "path in"} ${parts.join("/")}` };
  }
  if (node.type === "model_version") {
    const [model = "", version = ""] = title.split("/");
    const [catalog, schema, name] = model.split(".");
    return { name: `${name ?? model} ${version}`, kind: `model version in ${catalog}.${schema}` };
  }
  if (OF_SECURABLES.has(node.type)) {
    const parts = title.split(".");
    return { name: parts.at(-1) ?? title, kind: `${KINDS[node.kind ?? ""] ?? (node.type === "function" ? "feature spec or function" : "table")} in ${parts.slice(0, 2).join(".")}` };
  }
  return { name: title, kind: words(node.type) };
}

function volumeHref(place: string): string | null {
  const [, , catalog, schema, volume, ...rest] = place.split("/");
  if (!catalog || !schema || !volume) return null;
  // What is read may be a file: its folder has a page.
  const inside = rest.at(-1)?.includes(".") ? rest.slice(0, -1) : rest;
  return `${path("/catalog", catalog, schema, volume)}?kind=volume${inside.length ? `&path=${encodeURIComponent(inside.join("/"))}` : ""}`;
}

/** The page of something; null where it has none. */
export function hrefOfNode(node: Pick<Node, "type" | "name" | "title" | "kind">): string | null {
  const name = node.name ?? "";
  switch (node.type) {
    case "table": return node.kind === "GONE" ? null : `${tableHref(name)}?tab=lineage`;
    case "path": return name.startsWith("/Volumes/") ? volumeHref(name) : null;
    case "function": return node.kind === "GONE" ? null : hrefOf("function", name);
    case "model_version": {
      const cut = name.lastIndexOf("/");
      return node.kind === "GONE" ? null : path("/models", name.slice(0, cut), "versions", name.slice(cut + 1));
    }
    case "endpoint": return path("/serving", name);
    case "dashboard": return path("/dashboards", name);
    case "alert": return path("/alerts", name);
    case "job": return path("/jobs", name);
    case "pipeline": return path("/pipelines", name);
    case "notebook": return node.title && node.title !== name ? `/workspace?path=${encodeURIComponent(node.title)}` : null;
    default: return null;
  }
}

/** What made an edge, for people, and its page. */
export function causeOf(cause: Cause): { text: string; href: string | null } {
  if (cause.type === "QUERY") return { text: "a query", href: null };
  if (cause.type === "RUN") return { text: cause.id ? `run ${cause.id.slice(0, 8)}` : "a run", href: null };
  const type = cause.type.toLowerCase();
  const name = cause.title ?? cause.id ?? "";
  return { text: `${words(type)} ${name}`.trim(), href: cause.title ? hrefOfNode({ type, name: cause.id, title: cause.title, kind: null }) : null };
}
