import { useQuery } from "@tanstack/react-query";
import { get, path, type Schemas } from "../../api/client";
import { count, figure } from "../../api/format";
import { Empty, Loaded, Name } from "../../ui/primitives";
import { heights } from "./freshness";

type Distribution = Schemas["Distribution"];

const WIDTH = 180;
const HEIGHT = 44;

function Bars({ bins }: { bins: NonNullable<Distribution["bins"]> }) {
  const tall = heights(bins);
  const step = WIDTH / bins.length;
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img" aria-label={`${bins.length} bins from ${figure(bins[0]?.low ?? 0)} to ${figure(bins.at(-1)?.high ?? 0)}`}>
      {bins.map((one, index) => {
        const height = ((tall[index] ?? 0) * HEIGHT) / 100;
        return <rect key={one.low} x={index * step} y={HEIGHT - height} width={Math.max(1, step - 2)} height={height} fill="var(--accent)"><title>{`${figure(one.low)} to ${figure(one.high)}: ${count(one.rows)}`}</title></rect>;
      })}
    </svg>
  );
}

function Values({ feature }: { feature: Distribution }) {
  const values = feature.values ?? [];
  return values.length ? <ul className="feed">{values.slice(0, 4).map((one) => <li key={one.value} className="wrap">{one.value === "" ? <span className="null">empty</span> : one.value} <span className="faint">{count(one.rows)}</span></li>)}</ul> : <span className="null">no value</span>;
}

/** How the values of a table's features are distributed in its first rows. */
export function DistributionView({ name }: { name: string }) {
  const query = useQuery({ queryKey: ["distribution", name], queryFn: () => get<Schemas["DistributionList"]>(`${path("/api/boathouse/v1/features", name)}/distribution`) });
  return (
    <Loaded query={query}>
      {({ features }) => features.length === 0 ? <Empty title="The table has only keys" /> : (
        <section className="panel flush">
          <div className="scroll">
            <table className="data list" aria-label="Distribution of features">
              <thead><tr><th>Feature</th><th className="num">Nulls</th><th className="num">Different</th><th className="num">Least</th><th className="num">Mean</th><th className="num">Most</th><th>Values</th></tr></thead>
              <tbody>
                {features.map((one) => (
                  <tr key={one.name}>
                    <td className="wrap"><Name text={one.name} /></td>
                    <td className="num">{one.rows ? `${figure((100 * one.nulls) / one.rows)} %` : "–"}</td>
                    <td className="num">{count(one.distinct)}</td>
                    {[one.least, one.mean, one.most].map((value, index) => <td key={index} className="num">{value === null || value === undefined ? "–" : figure(value)}</td>)}
                    <td>{one.bins?.length ? <Bars bins={one.bins} /> : <Values feature={one} />}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p className="foot faint">Of the first {count(features[0]?.rows)} rows.</p>
        </section>
      )}
    </Loaded>
  );
}
