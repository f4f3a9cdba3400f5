import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get, type Schemas, tableHref } from "../../api/client";
import { ago, compact, count, duration, time } from "../../api/format";
import { Badge, Head, Loaded, Name, Snippet } from "../../ui/primitives";

type Stream = Schemas["QueryOverview"];

const FIRST = `query = (spark.readStream.table("main.shop.orders").writeStream
    .option("checkpointLocation", "/Volumes/main/shop/checkpoints/copy").queryName("copy").toTable("main.shop.copy"))`;
const TONES: Record<string, string> = { RUNNING: "accent", STOPPED: "", FAILED: "bad" };

const isTable = (target: string): boolean => /^[^/.\s]+\.[^/.\s]+\.[^/.\s]+$/.test(target);

const WRAP = { whiteSpace: "normal", overflowWrap: "anywhere" } as const;

const lasted = ({ started_at, ended_at }: Stream, now: number = Date.now()): number => (ended_at ?? now) - started_at;

function Row({ stream, everybody }: { stream: Stream; everybody: boolean }) {
  const target = stream.target?.replaceAll("`", "");
  const ran = `for ${duration(lasted(stream))}`;
  const failed = stream.state === "FAILED";
  return (
    <>
      <tr>
        <td className="wrap">
          <Name text={stream.name ?? stream.id.slice(0, 8)} />
          {everybody ? <div className="faint">{stream.principal}</div> : null}
        </td>
        <td className="nowrap"><Badge tone={TONES[stream.state]}>{stream.state.toLowerCase()}</Badge> <span className="faint" title={time(stream.started_at)}>{ran}</span></td>
        <td className="soft wrap">{stream.sources.length ? stream.sources.map((one) => <div key={one}>{one}</div>) : "–"}</td>
        <td className="soft wrap">{target === undefined ? "–" : isTable(target) ? <Link to={tableHref(target)}>{target}</Link> : target}</td>
        <td className="num nowrap" title={stream.batch_at ? time(Date.parse(stream.batch_at)) : undefined}>{stream.batch === null ? "–" : `${count(stream.batch)}, ${ago(Date.parse(stream.batch_at ?? ""))}`}</td>
        <td className="num">{count(stream.input_rows)}</td>
        <td className="num">{compact(stream.rows_per_second === null ? null : Math.round(stream.rows_per_second))}</td>
        <td className="num">{count(stream.state_rows)}</td>
      </tr>
      {stream.checkpoint || failed ? (
        <tr>
          <td colSpan={8} className="faint" style={WRAP}>
            {failed ? <div className="note bad" style={WRAP}>{stream.message}</div> : null}
            {stream.checkpoint ? <>Checkpoint <span className="mono">{stream.checkpoint}</span></> : null}
          </td>
        </tr>
      ) : null}
    </>
  );
}

/** The streaming queries that run, and the last that have ended. */
export function StreamsPage() {
  const query = useQuery({ queryKey: ["streams"], queryFn: () => get<Schemas["StreamList"]>("/api/boathouse/v1/streams"), refetchInterval: 3000 });
  return (
    <>
      <Head title="Streams" sub="Streaming queries that run, and those that have ended since the server was started" />
      <Loaded query={query}>
        {({ streams }) => streams.length === 0 ? (
          <section className="panel">
            <h2>No streaming query</h2>
            <p className="soft">A stream is started by any Spark Connect client, or by a pipeline that has streaming tables:</p>
            <Snippet text={FIRST} />
          </section>
        ) : (
          <section className="panel flush">
            <div className="scroll">
              <table className="data list" aria-label="Streams">
                <thead><tr><th>Query</th><th>State</th><th>Reads</th><th>Writes</th><th className="num">Last batch</th><th className="num">Rows of it</th><th className="num">Rows/s</th><th className="num">State rows</th></tr></thead>
                <tbody>{streams.map((one) => <Row key={one.run_id} stream={one} everybody={new Set(streams.map(({ principal }) => principal)).size > 1} />)}</tbody>
              </table>
            </div>
          </section>
        )}
      </Loaded>
    </>
  );
}
