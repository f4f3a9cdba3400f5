import { type ReactNode, useLayoutEffect, useMemo, useRef, useState } from "react";
import { type DagNode, HEIGHT, picture, WIDTH } from "./graphLayout";
import "./dag.css";

/** A graph that would be drawn smaller than this to fit is scrolled instead, until somebody wants to see all of it. */
const READABLE = 0.85;

/** What the box of a node says. */
export interface Card {
  name: string;
  kind: ReactNode;
  facts: string;
  tone: string;
  outside?: boolean;
}

interface Props<T extends DagNode> {
  nodes: T[];
  card: (node: T) => Card;
  chosen: string | null;
  onChoose: (name: string) => void;
  /** The node that is in view at first, where the graph is broader than its room; the leftmost otherwise. */
  first?: string;
}

/** A graph from left to right, whose nodes can be chosen. */
export function Dag<T extends DagNode>({ nodes, card, chosen, onChoose, first }: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(0);
  const [whole, setWhole] = useState(false);
  // What a refetch leaves as it was need not be laid out again: places depend on names and inputs alone.
  const shape = JSON.stringify(nodes.map((node) => [node.name, node.inputs]));
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const laid = useMemo(() => picture(nodes), [shape]);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  useLayoutEffect(() => {
    if (!box.current) return;
    const watch = new ResizeObserver(([entry]) => setRoom(entry?.contentRect.width ?? 0));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const fitting = room > 0 ? Math.min(1, room / laid.width) : 1;
  const scale = whole ? fitting : Math.max(fitting, READABLE);
  const start = laid.places.find((place) => place.node.name === first);
  useLayoutEffect(() => {
    if (!box.current || !start || room === 0) return;
    box.current.scrollLeft = (start.x + WIDTH / 2) * scale - room / 2;
    box.current.scrollTop = (start.y + HEIGHT / 2) * scale - box.current.clientHeight / 2;
    // Only once there is room: who has scrolled since is left where he is.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [room === 0, first]);
  return (
    <>
      {fitting < READABLE ? <p className="dag-fit"><button type="button" className="button quiet" onClick={() => setWhole(!whole)}>{whole ? "Readable size" : "Fit to width"}</button></p> : null}
      <div className="dag" ref={box}>
        <div style={{ width: laid.width * scale, height: laid.height * scale, margin: "0 auto" }}>
          <div className="dag-sheet" style={{ width: laid.width, height: laid.height, transform: `scale(${scale})` }}>
            <svg width={laid.width} height={laid.height} aria-hidden>
              {laid.edges.map((edge) => <path key={`${edge.from} ${edge.to}`} d={edge.path} className={chosen !== null && (edge.from === chosen || edge.to === chosen) ? "near" : ""} />)}
            </svg>
            {laid.places.map(({ node: { name }, x, y }) => {
              const shown = card(byName.get(name) as T);
              return (
                <button key={name} type="button" className={`dag-node ${shown.outside ? "outside" : ""}`} style={{ left: x, top: y, width: WIDTH, height: HEIGHT }} aria-pressed={name === chosen} data-tone={shown.tone} title={name} onClick={() => onChoose(name)}>
                  <span className="dag-name">{shown.name}</span>
                  <span className="dag-kind">{shown.kind}</span>
                  <span className="dag-facts">{shown.facts}</span>
                </button>
              );
            })}
          </div>
        </div>
      </div>
    </>
  );
}
