/** The extension of JupyterLab: a module federation container by hand, as JupyterLab asks for nothing else of one. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import page from "../../../ui/app.css?inline";
import tokens from "../../../ui/tokens.css?inline";
import comments from "../comments/comments.css?inline";
import workspace from "../workspace.css?inline";
import type { ReactNode } from "react";
import { type JupyterApp, type LuminoWidget, type NotebookTracker, type Plugin, type Scope, shared } from "./jupyter";
import lab from "./lab.css?inline";
import { LabComments } from "./LabComments";
import { LabGit } from "./LabGit";
import { OpenNotebook } from "./open";

const COMMENTS = "boathouse-comments";
const SPEECH =
  '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v11a2 2 0 0 1-2 2H9l-5 4v-4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm2 5v2h12V8zm0 4v2h8v-2z"/></svg>';
const BRANCH =
  '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="M7 3a3 3 0 0 1 1 5.8v6.4A3 3 0 1 1 6 15.200V8.800A3 3 0 0 1 7 3zm10 0a3 3 0 0 1 1 5.800V9a5 5 0 0 1-5 5h-2v-2h2a3 3 0 0 0 3-3v-.200A3 3 0 0 1 17 3z"/></svg>';

interface Modules {
  notebook: { INotebookTracker: unknown };
  widgets: { Widget: new () => LuminoWidget };
  ui: { LabIcon: new (options: { name: string; svgstr: string }) => unknown };
}

/** The page's styles hold within the panels only; its colours are JupyterLab's there. */
function dress(): void {
  const style = document.createElement("style");
  style.textContent = `.boathouse { ${tokens} ${page} ${workspace} ${comments} }\n${lab}`;
  document.head.append(style);
}

function plugin({ notebook, widgets, ui }: Modules): Plugin {
  const activate = (app: JupyterApp, tracker: NotebookTracker): void => {
    dress();
    const open = new OpenNotebook(tracker);
    const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
    const add = (id: string, caption: string, svgstr: string, content: ReactNode, rank: number) => {
      const widget = new widgets.Widget();
      widget.id = id;
      widget.title.caption = caption;
      widget.title.icon = new ui.LabIcon({ name: id, svgstr });
      widget.addClass("boathouse");
      const root = document.createElement("div");
      widget.node.append(root);
      createRoot(root).render(<QueryClientProvider client={queries}>{content}</QueryClientProvider>);
      app.shell.add(widget, "right", { rank });
    };
    const show = () => app.shell.activateById(COMMENTS);
    add(COMMENTS, "Comments", SPEECH, <LabComments notebook={open} show={show} />, 600);
    add("boathouse-git", "Git", BRANCH, <LabGit notebook={open} />, 601);
    app.commands.addCommand("boathouse:comment", {
      label: "Comment on the Cell",
      execute: () => {
        // A right click into the text of a cell does not make it the active one.
        const hit = app.contextMenuHitTest((node) => node.classList.contains("jp-Cell"));
        const at = tracker.currentWidget?.content.widgets.findIndex(({ node }) => node === hit) ?? -1;
        if (at >= 0) Object.assign(tracker.currentWidget?.content ?? {}, { activeCellIndex: at });
        show();
        // Once the panel is there and knows which cell is meant.
        setTimeout(() => document.querySelector<HTMLTextAreaElement>(`#${COMMENTS} .new textarea`)?.focus(), 100);
      },
    });
    app.contextMenu.addItem({ command: "boathouse:comment", selector: ".jp-Notebook .jp-Cell", rank: 20 });
  };
  const description = "Comments on notebooks of the workspace, and their git folders.";
  return { id: "boathouse:panels", description, autoStart: true, requires: [notebook.INotebookTracker], activate };
}

let scope: Scope = {};

const container = {
  init: (given: Scope): void => {
    scope = given;
  },
  get: async (name: string): Promise<() => unknown> => {
    if (name !== "./extension") throw new Error(`There is no ${name} in boathouse.`);
    const [notebook, widgets, ui] = await Promise.all([
      shared<Modules["notebook"]>(scope, "@jupyterlab/notebook"),
      shared<Modules["widgets"]>(scope, "@lumino/widgets"),
      shared<Modules["ui"]>(scope, "@jupyterlab/ui-components"),
    ]);
    return () => plugin({ notebook, widgets, ui });
  },
};

declare global {
  interface Window {
    _JUPYTERLAB?: Record<string, unknown>;
  }
}

(window._JUPYTERLAB ??= {}).boathouse = container;
