import { safeNext } from "../../api/client";

export interface SignInOptions {
  sso: { name: string; url: string } | null;
}

export interface Token {
  token_id: string;
  comment: string;
  creation_time: number;
  /** -1 where it does not expire. */
  expiry_time: number;
  /** Missing where it may do everything. */
  scopes?: string[];
  last_used_day?: number;
}

export interface CreatedToken {
  token_value: string;
  token_info: Token;
}

/** What a token can be bound to; the server says so too. */
export const SCOPES = ["authentication", "feature-store", "files", "mlflow", "scim", "secrets", "serving", "sql", "unity-catalog"];

const SSO_FAILURES: Record<string, string> = {
  SSO_DENIED: "The sign-in provider refused.",
  SSO_NOT_ALLOWED: "The sign-in provider knows you, this server does not let you in. Ask an admin for a user.",
  SSO_STATE_INVALID: "This sign-in was not begun in this browser, was finished already or took too long. Sign in again.",
  SSO_TOKEN_INVALID: "What the sign-in provider said of you does not hold. The server's log has the reason.",
  SSO_UNAVAILABLE: "The sign-in provider does not answer now. The server's log has the reason.",
  REQUEST_LIMIT_EXCEEDED: "Too many attempts. Wait a minute.",
};

/** Why a single sign-on failed, from the code in the page's address: fixed texts, so that no link can write its own. */
export function ssoFailure(code: string | null): Error | null {
  return code === null ? null : new Error(SSO_FAILURES[code] ?? "The single sign-on failed. The server's log has the reason.");
}

/** Where a single sign-on begins, with the place to come back to. */
export function ssoHref(url: string, next: string | null): string {
  return `${url}?next=${encodeURIComponent(safeNext(next))}`;
}

/** How long a token lives still. */
export function expiry(token: Token, now: number): string {
  if (token.expiry_time < 0) return "never";
  const days = (token.expiry_time - now) / 86_400_000;
  if (days <= 0) return "expired";
  // A token of 90 days that was just made has 90 days still.
  const whole = Math.floor(days + 1 / 24);
  return whole < 1 ? "within a day" : `in ${whole} ${whole === 1 ? "day" : "days"}`;
}
