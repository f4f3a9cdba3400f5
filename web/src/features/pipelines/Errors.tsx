import { useEvents } from "./events";
import { type PipelineEvent, places } from "./types";

/** What went wrong, without the place, which stands above it. */
function text(event: PipelineEvent): string {
  const said = event.error?.exceptions?.map((one) => one.message ?? "").filter(Boolean).join("\n") || event.message;
  return places(event).reduce((left, place) => (left.startsWith(`${place}: `) ? left.slice(place.length + 2) : left), said);
}

/** What an update failed with, each error once and where it was raised. */
export function Errors({ id, update }: { id: string; update: string }) {
  const query = useEvents(id, { level: "ERROR", update }, 25, false);
  const events = query.data?.pages.flatMap((page) => page.events) ?? [];
  // The update's own error repeats that of the flow that failed first.
  const flows = events.filter((event) => event.event_type === "flow_progress");
  const shown = flows.length ? flows : events;
  return (
    <>
      {shown.toReversed().map((event) => (
        <div key={event.id} className="note bad gap" role="alert">
          <strong>{places(event).join(", ") || event.origin.dataset_name || "The update has failed"}</strong>
          <span className="message">{text(event)}</span>
        </div>
      ))}
    </>
  );
}
