import { useSearchParams } from "react-router";
import { Badge, Empty, Loaded } from "../../ui/primitives";
import { useEvents } from "./events";
import { type PipelineEvent, places, tone, words } from "./types";

const LEVELS = ["INFO", "WARN", "ERROR"];

function Entry({ event }: { event: PipelineEvent }) {
  const exceptions = event.error?.exceptions ?? [];
  return (
    <li>
      <details>
        <summary>
          <span className="when">{event.timestamp.replace("T", " ").slice(0, 19)}</span>
          <span><Badge tone={tone(event.level)}>{words(event.level)}</Badge></span>
          <span className="faint kind">{words(event.event_type)}</span>
          <span className="wrap message">{event.message}</span>
        </summary>
        {exceptions.length ? <p className="wrap soft">{exceptions.map((one) => one.class_name).filter(Boolean).join(", ")}{places(event).length ? ` at ${places(event).join(", ")}` : ""}</p> : null}
        <pre className="details">{JSON.stringify({ ...event.origin, ...event.details[event.event_type] }, null, 2)}</pre>
      </details>
    </li>
  );
}

/** The event log, the newest first; level and update live in the URL. */
export function EventsView({ id, running }: { id: string; running: boolean }) {
  const [params, setParams] = useSearchParams();
  const level = LEVELS.find((one) => one === params.get("level")) ?? null;
  const update = params.get("update");
  const query = useEvents(id, { level, update }, 100, running ? 1500 : false);
  const events = query.data?.pages.flatMap((page) => page.events);
  const set = (key: string, value: string | null) => {
    const next = new URLSearchParams(params);
    if (value === null) next.delete(key);
    else next.set(key, value);
    setParams(next, { replace: true });
  };
  return (
    <>
      <div className="chips" role="group" aria-label="Level">
        <button type="button" className="chip" aria-pressed={level === null} onClick={() => set("level", null)}>All</button>
        {LEVELS.map((one) => <button key={one} type="button" className="chip" aria-pressed={level === one} onClick={() => set("level", one)}>{words(one)}</button>)}
        {update ? <button type="button" className="chip" aria-pressed onClick={() => set("update", null)} title="Show the events of all updates">update {update.slice(0, 8)} ×</button> : null}
      </div>
      <Loaded query={{ data: events, error: query.error }}>
        {(shown) => shown.length === 0 ? <Empty title={level ? `No event of level ${words(level)}` : "No events yet"} /> : (
          <section className="panel flush">
            <ul className="events">{shown.map((event) => <Entry key={event.id} event={event} />)}</ul>
            {query.hasNextPage ? <p className="foot"><button type="button" className="button quiet" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Show more</button></p> : null}
          </section>
        )}
      </Loaded>
    </>
  );
}
