import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { get, type Schemas } from "../../api/client";
import { Badge, Empty, Head, Loaded } from "../../ui/primitives";
import { SearchBox } from "../../ui/SearchBox";
import { hrefOf, kindText } from "./names";

const KINDS = ["table", "function", "volume", "registered_model", "schema", "catalog"];
const MOST = 100;

/** What a search finds; words and kinds live in the URL. */
export function SearchView({ text }: { text: string }) {
  const [params, setParams] = useSearchParams();
  const kinds = (params.get("types") ?? "").split(",").filter((kind) => KINDS.includes(kind));
  const asked = `q=${encodeURIComponent(text)}&types=${kinds.join(",")}&max_results=${MOST}`;
  const query = useQuery({ queryKey: ["search", asked], queryFn: () => get<Schemas["Hits"]>(`/api/boathouse/v1/search?${asked}`) });
  const flip = (kind: string) => {
    const chosen = kinds.includes(kind) ? kinds.filter((one) => one !== kind) : [...kinds, kind];
    setParams({ q: text, ...(chosen.length ? { types: chosen.join(",") } : {}) }, { replace: true });
  };
  return (
    <>
      <Head title={`Search: ${text}`} sub="In names, comments, columns and tags of what you may see" />
      <div className="narrow"><SearchBox key={text} /></div>
      <div className="chips" role="group" aria-label="Kinds">
        {KINDS.map((kind) => <button key={kind} type="button" className="chip" aria-pressed={kinds.includes(kind)} onClick={() => flip(kind)}>{kindText(kind)}s</button>)}
      </div>
      <Loaded query={query}>
        {({ results }) => results.length === 0 ? <Empty title="Nothing was found">All words have to occur. What you have no privilege on is not found.</Empty> : (
          <section className="panel flush">
            <table className="data results">
              <thead><tr><th>Name</th><th>Kind</th><th className="wide">Owner</th></tr></thead>
              <tbody>
                {results.map((hit) => {
                  const href = hrefOf(hit.type, hit.full_name);
                  return (
                    <tr key={hit.id}>
                      <td className="wrap">{href ? <Link to={href}>{hit.full_name}</Link> : hit.full_name}{hit.comment ? <div className="soft">{hit.comment}</div> : null}</td>
                      <td><Badge>{kindText(hit.type, hit.table_type)}</Badge></td>
                      <td className="soft wrap wide">{hit.owner}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
            {results.length === MOST ? <p className="soft foot">The first {MOST} are shown: add a word.</p> : null}
          </section>
        )}
      </Loaded>
    </>
  );
}
