import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { call, get, safeNext } from "../../api/client";
import { Failure, Loading } from "../../ui/primitives";
import { useTheme } from "../../ui/theme";
import { type SignInOptions, ssoFailure, ssoHref } from "./types";

/** Sign in by a one-time link (its code is in the URL), by single sign-on, or by pasting a token. */
export function SignInPage() {
  useTheme();
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const code = params.get("code");
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>(ssoFailure(params.get("error")));
  const [waiting, setWaiting] = useState(code !== null);
  const redeemed = useRef(false);
  const options = useQuery({ queryKey: ["sign-in-options"], queryFn: () => get<SignInOptions>("/api/boathouse/v1/sign-in-options"), staleTime: 60_000 });
  const sso = options.data?.sso;

  const signIn = async (body: { code: string } | { token: string }) => {
    setWaiting(true);
    setError(null);
    try {
      await call("POST", "/api/boathouse/v1/sign-in", body);
      queries.clear();
      await navigate(safeNext(params.get("next")), { replace: true });
    } catch (failure) {
      setError(failure);
      setWaiting(false);
    }
  };

  useEffect(() => {
    if (code !== null && !redeemed.current) {
      redeemed.current = true;
      void signIn({ code });
    }
  });

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim()) void signIn({ token: token.trim() });
  };

  return (
    <div className="signin">
      <div className="panel">
        <div className="brand" style={{ fontSize: 18, marginBottom: 18 }}>
          <img src="/favicon.svg" alt="" style={{ width: 30, height: 30 }} /> Boathouse
        </div>
        {waiting ? (
          <Loading lines={3} />
        ) : (
          <form onSubmit={submit}>
            {error !== null && (
              <div style={{ marginBottom: 14 }}>
                <Failure error={error} title="You are not signed in" />
              </div>
            )}
            {sso && (
              <p style={{ margin: "0 0 18px" }}>
                <a className="button" style={{ display: "block", textAlign: "center", textDecoration: "none" }} href={ssoHref(sso.url, params.get("next"))}>
                  Sign in with {sso.name}
                </a>
              </p>
            )}
            <label htmlFor="token">Access token</label>
            <input id="token" className="field" type="password" autoComplete="off" value={token} onChange={(event) => setToken(event.target.value)} placeholder="bhp_…" />
            <p className="soft" style={{ margin: "8px 0 16px" }}>
              <code>boathouse token</code> prints it. Or open the link that <code>boathouse status --link</code> prints.
            </p>
            <button type="submit" className={sso ? "button quiet" : "button"} disabled={!token.trim()}>
              Sign in
            </button>
          </form>
        )}
      </div>
    </div>
  );
}
