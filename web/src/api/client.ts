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

/** Call the server; JSON in, JSON out. A network failure is an ApiError of status 0. */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch {
    throw new ApiError(0, "UNREACHABLE", "The server does not answer. Is `boathouse up` still running?");
  }
  if (!answer.ok) throw await failure(answer);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string): Promise<T> => call<T>("GET", path);

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
