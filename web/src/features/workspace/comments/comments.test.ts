import { describe, expect, it } from "vitest";
import { openAt, ordered, placed, type Thread } from "./comments";

const thread = (id: number, position: number | null, more: Partial<Thread> = {}): Thread => ({
  id, position, cell_id: null, is_gone: false, excerpt: position === null ? null : `cell ${position}`, quote: null, resolved_at: null, resolved_by: null, comments: [], ...more,
});
const live = (...sources: string[]) => sources.map((source, at) => ({ id: `live-${at}`, source }));

describe("threads", () => {
  it("are counted at their cells while they are open", () => {
    expect(openAt([thread(1, 0), thread(2, 0), thread(3, 1, { resolved_at: 1 }), thread(4, null)])).toEqual(new Map([[0, 2]]));
  });
  it("are read in the order of the cells", () => {
    const gone = thread(1, null, { is_gone: true });
    expect(ordered([gone, thread(2, 1), thread(3, 0), thread(4, null), thread(5, 0)]).map(({ id }) => id)).toEqual([4, 3, 5, 2, 1]);
  });
  it("are at their cells where an editor is ahead of the server", () => {
    const positions = (threads: Thread[], ...sources: string[]) => placed(threads, live(...sources)).map(({ position }) => position);
    const all = [thread(1, 0), thread(2, 1)];
    expect(positions(all, "cell 0", "cell 1")).toEqual([0, 1]);
    expect(positions(all, "new", "cell 0", "cell 1 and more")).toEqual([1, 2]);
    // One that is being written, and one of which nothing is left.
    expect(positions(all, "cell 0", "sell 1")).toEqual([0, 1]);
    expect(positions(all, "cell 0")).toEqual([0, 0]);
    expect(positions([thread(1, 0, { cell_id: "live-1" }), thread(2, null, { is_gone: true, cell_id: "live-0" })], "a", "b")).toEqual([1, 0]);
    expect(positions([thread(1, 1, { excerpt: "" })], "a", "b")).toEqual([1]);
  });
});
