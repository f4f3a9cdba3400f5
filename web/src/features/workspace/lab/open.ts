import { MOST_QUOTED, selectedIn, type LiveCell } from "../comments/comments";
import type { JupyterCell, NotebookPanel, NotebookTracker } from "./jupyter";

/** The notebook that is open in JupyterLab, by its path in the workspace. */
export interface Open {
  path: string;
  panel: NotebookPanel;
  cells: LiveCell[];
  active: number;
  /** What is selected in the active cell. */
  quote: string | undefined;
}

/** Follows which notebook is in front, and its cells, for React. */
export class OpenNotebook {
  private found: Open | null = null;
  private panel: NotebookPanel | null = null;
  private waiting = false;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly tracker: NotebookTracker) {
    tracker.currentChanged.connect(this.turn);
    // Where a comment is written, what it is about stays.
    document.addEventListener("selectionchange", () => document.activeElement?.closest(".boathouse") || this.later());
    this.turn();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly current = (): Open | null => this.found;

  private readonly turn = (): void => {
    const { panel } = this;
    if (panel !== null && !panel.isDisposed) {
      panel.content.activeCellChanged.disconnect(this.later);
      panel.content.modelContentChanged.disconnect(this.later);
      panel.context.pathChanged.disconnect(this.later);
    }
    this.panel = this.tracker.currentWidget;
    this.panel?.content.activeCellChanged.connect(this.later);
    this.panel?.content.modelContentChanged.connect(this.later);
    this.panel?.context.pathChanged.connect(this.later);
    this.look();
  };

  /** Once for many changes. */
  private readonly later = (): void => {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.look();
    });
  };

  private look(): void {
    const { panel } = this;
    this.found = panel === null || panel.isDisposed ? null : {
      path: workspacePath(panel.context.path),
      panel,
      cells: panel.content.widgets.map(({ model }) => ({ id: model.id, source: model.sharedModel.getSource() })),
      active: panel.content.activeCellIndex,
      quote: panel.content.activeCell === null ? undefined : quoteOf(panel.content.activeCell),
    };
    for (const listener of this.listeners) listener();
  }
}

/** JupyterLab has a notebook with a suffix, and maybe with the name of a drive before its path. */
export function workspacePath(path: string): string {
  return `/${path.replace(/^[^/]*:/, "").replace(/^\/+/, "").replace(/\.ipynb$/, "")}`;
}

/** What is selected in a cell: of its text, or of what it shows. */
function quoteOf(cell: JupyterCell): string | undefined {
  const { editor } = cell;
  if (editor !== null) {
    const { start, end } = editor.getSelection();
    const [first, last] = [editor.getOffsetAt(start), editor.getOffsetAt(end)].sort((one, other) => one - other);
    const text = cell.model.sharedModel.getSource().slice(first, last).trim();
    if (text) return text.slice(0, MOST_QUOTED);
  }
  return selectedIn(cell.node);
}
