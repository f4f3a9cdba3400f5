import { useEffect, useRef, useState } from "react";
import { Failure } from "../../ui/primitives";
import { chart } from "./specs";
import type { Data, Spec } from "./types";

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888";
}

/** A chart, drawn again when its place or the theme changes. */
export function Chart({ spec, data, label }: { spec: Spec; data: Data; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const problem = chart(spec, data, { ink: "", soft: "", line: "" });
  useEffect(() => {
    const node = place.current;
    if (!node || typeof problem === "string") return undefined;
    let gone = false;
    let turn = 0;
    let end: (() => void) | undefined;
    const redraw = async () => {
      const mine = ++turn;
      const { draw } = await import("./draw");
      const drawn = chart(spec, data, { ink: colour("--ink"), soft: colour("--soft"), line: colour("--line") });
      if (gone || mine !== turn || typeof drawn === "string") return;
      end?.();
      end = await draw(node, drawn);
    };
    const again = () => {
      redraw().catch(setFailed);
    };
    const sizes = new ResizeObserver(again);
    sizes.observe(node);
    const themes = new MutationObserver(again);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      gone = true;
      sizes.disconnect();
      themes.disconnect();
      end?.();
    };
    // The problem follows from the two.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [spec, data]);
  if (typeof problem === "string") return <p className="faint">{problem}</p>;
  if (failed) return <Failure error={failed} title="The chart could not be drawn" />;
  // The library says what it is on the element that it draws in; what it is of is said around that.
  return <div className="chart" role="img" aria-label={label}><div ref={place} /></div>;
}
