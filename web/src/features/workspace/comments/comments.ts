import { useQuery } from "@tanstack/react-query";
import { get, type Schemas } from "../../../api/client";

export type Thread = Schemas["ThreadBody"];
export type Comment = Schemas["CommentBody"];

/** What a new thread is to hang at: a cell of a notebook, or without one the whole. */
export interface Target {
  cell?: Schemas["PointedBody"];
  quote?: string;
}

export const API = "/api/boathouse/v1/workspace";
const EVERY_MS = 3000;
export const MOST_QUOTED = 2000;

export const threadsKey = (path: string) => ["workspace", "threads", path];

/** The threads on a notebook or file, as others write them too; nothing is sent while nothing changes. */
export function useThreads(path: string, enabled = true) {
  return useQuery({
    queryKey: threadsKey(path),
    queryFn: () => get<Schemas["ThreadList"]>(`${API}/threads?path=${encodeURIComponent(path)}`),
    refetchInterval: EVERY_MS,
    enabled,
  });
}

/** How many open threads hang at each cell. */
export function openAt(threads: Thread[]): Map<number, number> {
  const found = new Map<number, number>();
  for (const { position, resolved_at } of threads) if (position !== null && resolved_at === null) found.set(position, (found.get(position) ?? 0) + 1);
  return found;
}

/** As they are read: on the whole first, then by cell, those without their cell last. */
export function ordered(threads: Thread[]): Thread[] {
  const place = (one: Thread) => (one.is_gone ? Infinity : (one.position ?? -1));
  return threads.toSorted((one, other) => (place(one) === place(other) ? one.id - other.id : place(one) - place(other)));
}

export interface LiveCell {
  id: string;
  source: string;
}

/** Threads at the cells of a notebook that is open in an editor, which may be ahead of what the server has saved. */
export function placed(threads: Thread[], cells: LiveCell[]): Thread[] {
  return threads.map((thread) => {
    const by = thread.cell_id === null ? -1 : cells.findIndex(({ id }) => id === thread.cell_id);
    if (by >= 0) return { ...thread, position: by, is_gone: false };
    if (thread.position === null) return thread;
    const { position, excerpt } = thread;
    const begins = (at: number) => cells[at]?.source.trim().startsWith(excerpt ?? "") ?? false;
    if (position < cells.length && begins(position)) return thread;
    const alike = cells.map((_, at) => at).filter(begins);
    const nearest = excerpt ? alike.sort((one, other) => Math.abs(one - position) - Math.abs(other - position))[0] : undefined;
    return { ...thread, position: nearest ?? Math.min(position, cells.length - 1) };
  });
}

/** What is selected within an element of the page. */
export function selectedIn(element: Element | null): string | undefined {
  const selection = getSelection();
  const text = selection?.toString().trim() ?? "";
  return text && selection?.anchorNode && element?.contains(selection.anchorNode) ? text.slice(0, MOST_QUOTED) : undefined;
}
