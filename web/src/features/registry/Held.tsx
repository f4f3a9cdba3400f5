import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { get, type Schemas, tableHref } from "../../api/client";
import { time } from "../../api/format";
import { Loaded } from "../../ui/primitives";
import { PINS } from "../catalog/Pins";

/** The versions of tables that a model version was trained on, which it holds. */
export function Held({ model, version }: { model: string; version: string }) {
  const query = new URLSearchParams({ model_name: model, model_version: version }).toString();
  const pins = useQuery({ queryKey: ["pins", model, version], queryFn: () => get<Schemas["PinList"]>(`${PINS}?${query}`) });
  return (
    <Loaded query={pins}>
      {({ pins: held }) => held.length === 0 ? null : (
        <section className="panel flush gap-above" aria-label="Trained on">
          <h2>Trained on</h2>
          <div className="scroll">
            <table className="data">
              <thead><tr><th>Table</th><th className="num">Version</th><th>Kept from VACUUM since (UTC)</th></tr></thead>
              <tbody>
                {held.map((pin) => (
                  <tr key={`${pin.table}@${pin.table_version}`}>
                    <td className="wrap">{pin.is_dropped ? <>{pin.table} <span className="soft">(dropped)</span></> : <Link to={`${tableHref(pin.table)}?tab=sample&version=${pin.table_version}`}>{pin.table}</Link>}</td>
                    <td className="num">{pin.table_version}</td>
                    <td className="nowrap">{time(pin.pinned_at)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      )}
    </Loaded>
  );
}
