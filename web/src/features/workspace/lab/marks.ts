import { openAt, type Thread } from "../comments/comments";
import type { JupyterNotebook } from "./jupyter";

const NAME = "boathouse-mark";

/** Show at each cell of a notebook how many open threads hang there; a click asks for them. */
export function mark(notebook: JupyterNotebook, threads: Thread[], ask: (position: number) => void): void {
  const open = openAt(threads);
  notebook.widgets.forEach(({ node }, position) => {
    const count = open.get(position) ?? 0;
    const before = node.querySelector<HTMLButtonElement>(`:scope > .${NAME}`);
    if (count === 0) {
      before?.remove();
      return;
    }
    const button = before ?? document.createElement("button");
    const label = `${count} open ${count === 1 ? "thread" : "threads"} at cell ${position + 1}`;
    if (button.ariaLabel !== label) Object.assign(button, { type: "button", className: NAME, ariaLabel: label, title: label, textContent: String(count) });
    button.onclick = () => ask(position);
    if (before === null) node.append(button);
  });
}
