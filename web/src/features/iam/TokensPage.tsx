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
      await queries.invalidateQueries({ queryKey: ["tokens"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  const flip = (scope: string) => setScopes(scopes.includes(scope) ? scopes.filter((one) => one !== scope) : [...scopes, scope]);
  return (
    <form className="panel" onSubmit={submit} style={{ padding: 18, marginBottom: 18, maxWidth: 640 }}>
      <label htmlFor="comment">What it is for</label>
      <input id="comment" className="field" value={comment} maxLength={1024} onChange={(event) => setComment(event.target.value)} />
      <label htmlFor="days">Days that it lives (empty: the server's default)</label>
      <input id="days" className="field" type="number" min="0.01" step="any" value={days} onChange={(event) => setDays(event.target.value)} />
      <fieldset style={{ border: 0, padding: 0, margin: "10px 0" }}>
        <legend className="soft">Scopes (none: everything that you may do)</legend>
        {SCOPES.map((scope) => (
          <label key={scope} style={{ display: "inline-flex", gap: 5, marginRight: 14 }}>
            <input type="checkbox" checked={scopes.includes(scope)} onChange={() => flip(scope)} /> {scope}
          </label>
        ))}
      </fieldset>
      {make.error ? <Failure error={make.error} /> : null}
      <button type="submit" className="button" disabled={make.isPending}>
        Make a token
      </button>
    </form>
  );
}

function TokenRow({ token, now }: { token: Token; now: number }) {
  const queries = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => call("POST", "/api/2.0/token/delete", { token_id: token.token_id }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
  return (
    <tr>
      <td>{token.comment || <span className="soft">no comment</span>}</td>
      <td>{token.scopes?.join(", ") ?? "everything"}</td>
      <td>{expiry(token, now)}</td>
      <td>{token.last_used_day === undefined ? "never" : new Date(token.last_used_day).toISOString().slice(0, 10)}</td>
      <td>
        <button type="button" className="button quiet" disabled={revoke.isPending} onClick={() => revoke.mutate()} aria-label={`Revoke ${token.comment || token.token_id}`}>
          Revoke
        </button>
        {revoke.error ? <Failure error={revoke.error} /> : null}
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
        <div className="note" role="status">
          <strong>The new token: it is shown this once</strong>
          <Snippet text={made} />
        </div>
      )}
      <NewToken onMade={setMade} />
      <Loaded query={tokens}>
        {({ token_infos }) =>
          token_infos.length === 0 ? (
            <Empty title="No tokens yet" />
          ) : (
            <table>
              <thead>
                <tr>
                  <th>For</th>
                  <th>Scopes</th>
                  <th>Expires</th>
                  <th>Last used</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {token_infos.map((token) => (
                  <TokenRow key={token.token_id} token={token} now={tokens.dataUpdatedAt} />
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
    </>
  );
}
