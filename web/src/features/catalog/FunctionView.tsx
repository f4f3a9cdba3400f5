import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";
import { get, path, type Schemas } from "../../api/client";
import { time } from "../../api/format";
import { Badge, Empty, Head, Loaded, Snippet, Tabs } from "../../ui/primitives";
import { Facts } from "./Facts";
import { signature } from "./names";
import { PermissionsView } from "./PermissionsView";
import { useSecurable } from "./securable";
import { Tags } from "./Tags";

const TABS = ["Definition", "Details", "Permissions"];
type FunctionBody = Schemas["FunctionBody"];

const languageOf = (found: FunctionBody): string => found.external_language ?? "SQL";

function Definition({ found }: { found: FunctionBody }) {
  const parameters = found.input_params.parameters ?? [];
  return (
    <div className="sql">
      <h2>Signature</h2>
      <Snippet text={signature(found)} />
      <h2>Body, in {languageOf(found) === "PYTHON" ? "Python" : languageOf(found)}</h2>
      {found.routine_definition === undefined ? <Empty title="The body is not shown to you">You know of the function by BROWSE alone.</Empty> : <Snippet text={found.routine_definition ?? ""} />}
      {parameters.length ? (
        <section className="panel flush">
          <div className="scroll">
            <table className="data">
              <thead><tr><th>Parameter</th><th>Type</th><th>Default</th><th>Comment</th></tr></thead>
              <tbody>
                {parameters.map((one) => (
                  <tr key={one.name}><td className="mono">{one.name}</td><td className="mono soft">{one.type_text}</td><td className="mono">{one.parameter_default ?? ""}</td><td>{one.comment ?? ""}</td></tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ) : null}
    </div>
  );
}

export function FunctionView({ name }: { name: string }) {
  const [params] = useSearchParams();
  const query = useQuery({ queryKey: ["function", name], queryFn: () => get<FunctionBody>(`/api/2.1/unity-catalog/${path("functions", name)}`) });
  const securable = useSecurable("function", name);
  const tab = TABS.map((one) => one.toLowerCase()).find((one) => one === params.get("tab")) ?? "definition";
  return (
    <Loaded query={query}>
      {(found) => (
        <>
          <Head title={found.full_name} sub={<>{found.comment ? <div>{found.comment}</div> : null}<div className="faint">Owner {found.owner}</div><Tags tags={securable.data?.tags} /></>}>
            <Badge tone="accent">function</Badge>
          </Head>
          <Tabs tabs={TABS} current={tab} />
          {tab === "definition" && <Definition found={found} />}
          {tab === "details" && (
            <section className="panel">
              <dl className="facts">
                <Facts
                  facts={[
                    ["Language", languageOf(found)], ["Answers", found.return_params ? "a table" : found.full_data_type], ["Deterministic", found.is_deterministic ? "declared" : "not declared"],
                    ["Owner", found.owner], ["Created", `${time(found.created_at)} by ${found.created_by}`], ["Changed", `${time(found.updated_at)} by ${found.updated_by}`], ["Identifier", found.function_id],
                  ]}
                />
              </dl>
            </section>
          )}
          {tab === "permissions" && <PermissionsView kind="function" name={found.full_name} owner={found.owner} />}
        </>
      )}
    </Loaded>
  );
}
