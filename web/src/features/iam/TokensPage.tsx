import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { call, get } from "../../api/client";
import { Empty, Failure, Head, Loaded, Snippet } from "../../ui/primitives";
import { type CreatedToken, expiry, SCOPES, type Token } from "./types";

const DAY = 86_400;

function NewToken({ onMade }: { onMade: (value: string) => void }) {
  const queries = useQueryClient();
  const [comment, setComment] = useState("");
  const [days, setDays] = useState("90");
  const [scopes, setScopes] = useState<string[]>([]);
  const make = useMutation({
    mutationFn: () => {
      const lifetime = days === "" ? {} : { lifetime_seconds: Math.max(1, Math.round(Number(days) * DAY)) };
      return call<CreatedToken>("POST", "/api/2.0/token/create", { comment, ...lifetime, ...(scopes.length > 0 ? { scopes } : {}) });
    },
    onSuccess: async (made) => {
      onMade(made.token_value);
      setComment("");
      setScopes([]);
      await queries.invalidateQueries({ queryKey: ["tokens"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  const flip = (scope: string) => setScopes(scopes.includes(scope) ? scopes.filter((one) => one !== scope) : [...scopes, scope]);
  return (
    <form className="panel gap stack" onSubmit={submit} style={{ maxWidth: 640 }} aria-label="New token">
      <div>
        <label htmlFor="comment">What it is for</label>
        <input id="comment" className="field" value={comment} maxLength={1024} onChange={(event) => setComment(event.target.value)} />
      </div>
      <div>
        <label htmlFor="days">Days that it lives</label>
        <input id="days" className="field" type="number" min="0.01" step="any" value={days} onChange={(event) => setDays(event.target.value)} placeholder="the server's default" style={{ maxWidth: 200 }} />
      </div>
      <fieldset>
        <legend>Scopes <span className="soft">none: everything that you may do</span></legend>
        <div className="checks">
          {SCOPES.map((scope) => <label key={scope}><input type="checkbox" checked={scopes.includes(scope)} onChange={() => flip(scope)} /> {scope}</label>)}
        </div>
      </fieldset>
      {make.error ? <Failure error={make.error} title="No token was made" /> : null}
      <div><button type="submit" className="button" disabled={make.isPending}>Make a token</button></div>
    </form>
  );
}

function TokenRow({ token, now }: { token: Token; now: number }) {
  const queries = useQueryClient();
  const [asked, setAsked] = useState(false);
  const revoke = useMutation({
    mutationFn: () => call("POST", "/api/2.0/token/delete", { token_id: token.token_id }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
  const name = token.comment || token.token_id;
  return (
    <tr>
      <td title={token.comment}>{token.comment || <span className="soft">no comment</span>}</td>
      <td className="soft" title={token.scopes?.join(", ")}>{token.scopes?.join(", ") ?? "everything"}</td>
      <td>{expiry(token, now)}</td>
      <td className="soft">{token.last_used_day === undefined ? "never" : new Date(token.last_used_day).toISOString().slice(0, 10)}</td>
      <td className="act">
        {asked ? (
          <>
            <button type="button" className="button quiet" onClick={() => setAsked(false)}>Keep</button>{" "}
            <button type="button" className="button bad" disabled={revoke.isPending} onClick={() => revoke.mutate()} aria-label={`Really revoke ${name}`}>Really revoke</button>
          </>
        ) : <button type="button" className="button quiet" onClick={() => setAsked(true)} aria-label={`Revoke ${name}`}>Revoke</button>}
        {revoke.error ? <Failure error={revoke.error} title="The token was not revoked" /> : null}
      </td>
    </tr>
  );
}

/** The asker's personal access tokens: make one, see how long they live and what they may do, revoke them. */
export function TokensPage() {
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: () => get<{ token_infos: Token[] }>("/api/2.0/token/list") });
  const [made, setMade] = useState<string | null>(null);
  return (
    <>
      <Head title="Access tokens" sub="For clients: the SDK, MLflow, Spark, curl." />
      {made !== null && (
        <div className="note gap sql" role="status">
          <strong>The new token is shown this once: copy it now</strong>
          <Snippet text={made} />
        </div>
      )}
      <NewToken onMade={setMade} />
      <Loaded query={tokens}>
        {({ token_infos }) =>
          token_infos.length === 0 ? (
            <Empty title="No tokens yet" />
          ) : (
            <section className="panel flush">
              <div className="scroll">
                <table className="data">
                  <thead><tr><th>For</th><th>Scopes</th><th>Expires</th><th>Last used</th><th /></tr></thead>
                  <tbody>{token_infos.map((token) => <TokenRow key={token.token_id} token={token} now={tokens.dataUpdatedAt} />)}</tbody>
                </table>
              </div>
            </section>
          )
        }
      </Loaded>
    </>
  );
}
