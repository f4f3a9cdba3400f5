import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link } from "react-router";
import { call, get, path, type Schemas } from "../../api/client";
import { Empty, Failure, Loaded } from "../../ui/primitives";
import { hrefOf, kindText, privilegeText } from "./names";
import { holdingsOf, type Holding } from "./permissions";
import { useSecurable } from "./securable";

const UC = "/api/2.1/unity-catalog";

interface Change {
  principal: string;
  add?: string[];
  remove?: string[];
}

interface Subject {
  kind: string;
  name: string;
}

function useChange({ kind, name }: Subject) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (change: Change) => call("PATCH", `${UC}/${path(`permissions/${kind}`, name)}`, { changes: [change] }),
    // A grant on a container shows at all that it holds, and may be the asker's own.
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: ["grants"] }), queries.invalidateQueries({ queryKey: ["securable"] })]),
  });
}

function Grant({ subject, grantable, principals }: { subject: Subject; grantable: string[]; principals: string[] }) {
  const [principal, setPrincipal] = useState("");
  const [privilege, setPrivilege] = useState(grantable.includes("SELECT") ? "SELECT" : (grantable[0] ?? ""));
  const change = useChange(subject);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate({ principal: principal.trim(), add: [privilege] }, { onSuccess: () => setPrincipal("") });
  };
  return (
    <form className="panel gap grant" onSubmit={submit} aria-label="Grant">
      <div>
        <label htmlFor="principal">User, group or service principal</label>
        <input id="principal" className="field" list="principals" autoComplete="off" value={principal} onChange={(event) => setPrincipal(event.target.value)} placeholder="ann@example.com" />
        <datalist id="principals">{principals.map((one) => <option key={one} value={one} />)}</datalist>
      </div>
      <div>
        <label htmlFor="privilege">Privilege</label>
        <select id="privilege" className="field" value={privilege} onChange={(event) => setPrivilege(event.target.value)}>
          {grantable.map((one) => <option key={one} value={one}>{privilegeText(one)}</option>)}
        </select>
      </div>
      <button type="submit" className="button" disabled={!principal.trim() || change.isPending}>Grant</button>
      {change.error ? <div className="all"><Failure error={change.error} title="Nothing was granted" /></div> : null}
    </form>
  );
}

function From({ held }: { held: Holding }) {
  if (held.from === null) return <>granted here</>;
  if (held.from.type === "metastore") return <>the whole metastore</>;
  const href = hrefOf(held.from.type, held.from.name);
  return <>{kindText(held.from.type)} {href ? <Link to={`${href}?tab=permissions`}>{held.from.name}</Link> : held.from.name}</>;
}

/** Who may do what with a securable, and which container each privilege comes from; grant and revoke for who may. */
export function PermissionsView({ kind, name, owner }: Subject & { owner: string }) {
  const subject = { kind, name };
  const securable = useSecurable(kind, name);
  const query = useQuery({ queryKey: ["grants", kind, name], queryFn: () => get<Schemas["EffectivePermissions"]>(`${UC}/${path(`effective-permissions/${kind}`, name)}`) });
  const revoke = useChange(subject);
  const grantable = securable.data?.grantable ?? [];
  const held = holdingsOf(query.data?.privilege_assignments ?? []);
  return (
    <>
      <p className="soft">Owner: <span className="wrap">{owner}</span>, who may do everything with it, as admins and owners of what it lies in may.{securable.data && grantable.length === 0 ? " Below are your own privileges and those of your groups: others' are shown to who manages it." : ""}</p>
      {grantable.length > 0 ? <Grant subject={subject} grantable={grantable} principals={[...new Set(held.map((one) => one.principal))]} /> : null}
      {revoke.error ? <div className="gap"><Failure error={revoke.error} title="Nothing was revoked" /></div> : null}
      <Loaded query={query}>
        {() => held.length === 0 ? <Empty title="Nothing is granted" /> : (
          <section className="panel flush">
            <div className="scroll">
              <table className="data">
                <thead><tr><th>Principal</th><th>Privilege</th><th>From</th>{grantable.length ? <th /> : null}</tr></thead>
                <tbody>
                  {held.map((one) => (
                    <tr key={`${one.principal} ${one.privilege} ${one.from?.name ?? ""}`}>
                      <td title={one.principal}>{one.principal}</td>
                      <td>{privilegeText(one.privilege)}</td>
                      <td className="soft"><From held={one} /></td>
                      {grantable.length ? (
                        <td className="act">
                          {one.from === null ? <button type="button" className="button quiet" disabled={revoke.isPending} onClick={() => revoke.mutate({ principal: one.principal, remove: [one.privilege] })} aria-label={`Revoke ${privilegeText(one.privilege)} from ${one.principal}`}>Revoke</button> : null}
                        </td>
                      ) : null}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        )}
      </Loaded>
    </>
  );
}
