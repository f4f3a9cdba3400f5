/** The charts' library, loaded with the first chart. Expressions are interpreted: the page's policy lets nothing be compiled. */
import { parse, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";

export async function draw(node: HTMLElement, spec: Record<string, unknown>): Promise<() => void> {
  const sized = { ...spec, width: Math.max(80, node.clientWidth), height: Math.max(60, node.clientHeight) } as unknown as TopLevelSpec;
  const view = new View(parse(compile(sized).spec, undefined, { ast: true }), { renderer: "svg", container: node, hover: true, expr: expressionInterpreter });
  await view.runAsync();
  return () => {
    view.finalize();
  };
}
