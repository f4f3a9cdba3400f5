import { lazy, Suspense } from "react";
import { Loading } from "../../ui/primitives";

// The layout of graphs is big, and most pages are looked at without one.
const LineageGraph = lazy(() => import("./LineageGraph"));

/** The lineage of a table, model version, endpoint or anything else that has some, as a graph. */
export function Lineage({ type, name, title }: { type: string; name: string; title?: string }) {
  return (
    <Suspense fallback={<Loading />}>
      {title ? <h2 className="gap-above">{title}</h2> : null}
      <LineageGraph key={`${type} ${name}`} type={type} name={name} />
    </Suspense>
  );
}
