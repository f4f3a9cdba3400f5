import { Link, useLocation, useRouteError } from "react-router";
import { Empty, Failure, Head } from "./primitives";

/** Shown where a view fails by a fault of its own. */
export function Broken() {
  return (
    <div className="main">
      <Head title="This view failed" />
      <Failure error={useRouteError()} />
      <p style={{ marginTop: 12 }}>
        <a href="/">Go to Home</a>, or reload the page.
      </p>
    </div>
  );
}

export function Missing() {
  return (
    <>
      <Head title="No such page" />
      <Empty title={`There is nothing at ${useLocation().pathname}`}>
        <Link to="/">Go to Home</Link>
      </Empty>
    </>
  );
}
