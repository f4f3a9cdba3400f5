/** The part of JupyterLab's objects that is used here, and how its modules are reached: it shares them with extensions at run time. */

export interface Signal<A> {
  connect(slot: (sender: unknown, args: A) => void): boolean;
  disconnect(slot: (sender: unknown, args: A) => void): boolean;
}

interface Position {
  line: number;
  column: number;
}

export interface JupyterCell {
  node: HTMLElement;
  model: { id: string; sharedModel: { getSource(): string } };
  editor: { getSelection(): { start: Position; end: Position }; getOffsetAt(position: Position): number } | null;
}

export interface JupyterNotebook {
  widgets: readonly JupyterCell[];
  activeCell: JupyterCell | null;
  activeCellIndex: number;
  activeCellChanged: Signal<unknown>;
  modelContentChanged: Signal<unknown>;
  scrollToItem(index: number, align?: "center"): Promise<void>;
}

export interface NotebookPanel {
  content: JupyterNotebook;
  context: { path: string; pathChanged: Signal<unknown> };
  isDisposed: boolean;
}

export interface NotebookTracker {
  currentWidget: NotebookPanel | null;
  currentChanged: Signal<unknown>;
}

export interface LuminoWidget {
  id: string;
  node: HTMLElement;
  title: { caption: string; icon: unknown };
  addClass(name: string): void;
}

export interface JupyterApp {
  shell: { add(widget: LuminoWidget, area: "left" | "right", options: { rank: number }): void; activateById(id: string): void };
  commands: { addCommand(id: string, options: { label: string; execute: () => void }): unknown };
  contextMenuHitTest(test: (node: HTMLElement) => boolean): HTMLElement | undefined;
  contextMenu: { addItem(item: { command: string; selector: string; rank: number }): unknown };
}

export interface Plugin {
  id: string;
  description: string;
  autoStart: boolean;
  requires: unknown[];
  activate: (app: JupyterApp, tracker: NotebookTracker) => void;
}

interface Offered {
  get: () => Promise<() => unknown>;
  loaded?: boolean | number;
}

export type Scope = Record<string, Record<string, Offered>>;

/** A module of JupyterLab's own: the one that is in use, where extensions bring others. */
export async function shared<T>(scope: Scope, name: string): Promise<T> {
  const offered = Object.values(scope[name] ?? {});
  const found = offered.find((one) => one.loaded) ?? offered[0];
  if (found === undefined) throw new Error(`JupyterLab has no ${name}.`);
  return (await found.get())() as T;
}
