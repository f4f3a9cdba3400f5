import type { components } from "./schema.gen";

export type Schemas = components["schemas"];

/** An error in the wire form of the Databricks REST API. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

async function failure(answer: Response): Promise<ApiError> {
  try {
    const body = (await answer.json()) as { error_code?: string; message?: string };
    return new ApiError(answer.status, body.error_code ?? "ERROR", body.message ?? answer.statusText);
  } catch {
    return new ApiError(answer.status, "ERROR", answer.statusText || `The server answered ${answer.status}.`);
  }
}

async function request(method: string, path: string, body?: unknown): Promise<Response> {
  const json = body !== undefined && !(body instanceof FormData);
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers: json ? { "Content-Type": "application/json" } : {},
      body: body === undefined ? null : body instanceof FormData ? body : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch {
    throw new ApiError(0, "UNREACHABLE", "The server does not answer. Is `boathouse up` still running?");
  }
  if (!answer.ok) throw await failure(answer);
  return answer;
}

/** Call the server; JSON or a form in, JSON out. A network failure is an ApiError of status 0. */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await request(method, path, body);
  if (answer.status === 204) return undefined as T;
  try {
    return (await answer.json()) as T;
  } catch {
    throw new ApiError(answer.status, "NOT_JSON", "The server's answer is not JSON. Is something between this page and the server?");
  }
}

export interface Exchange {
  /** 0 where nothing was sent or nothing answered. */
  status: number;
  ms: number;
  text: string;
}

/** Laid out for reading, where that changes no value: large integers and 1.0 stay as they came. */
export function readable(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    const compact = text.replaceAll(/("(?:\\.|[^"\\])*")|\s+/g, "$1");
    return JSON.stringify(parsed) === compact ? JSON.stringify(parsed, null, 2) : text;
  } catch {
    return text;
  }
}

/** Post a JSON text as it was written and give the answer as it came, errors too. */
export async function exchange(path: string, text: string): Promise<Exchange> {
  try {
    JSON.parse(text);
  } catch (error) {
    return { status: 0, ms: 0, text: `This is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const started = performance.now();
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: text, credentials: "same-origin" });
    const body = await answer.text();
    return { status: answer.status, ms: performance.now() - started, text: readable(body) };
  } catch {
    return { status: 0, ms: 0, text: "The server does not answer. Is `boathouse up` still running?" };
  }
}

export const get = <T>(path: string): Promise<T> => call<T>("GET", path);

export const getText = async (path: string): Promise<string> => (await request("GET", path)).text();

/** A path with its parts encoded: `path("/api/x", name)`. */
export function path(base: string, ...parts: string[]): string {
  return [base, ...parts.map(encodeURIComponent)].join("/");
}

/** The page of a table. */
export function tableHref(fullName: string): string {
  return path("/catalog", ...fullName.split("."));
}

/** Where to go after signing in: a path of this page, and nowhere else. */
export function safeNext(next: string | null): string {
  if (!next || !next.startsWith("/") || next.startsWith("//") || next.includes("\\") || next.startsWith("/sign-in")) return "/";
  return next;
}
