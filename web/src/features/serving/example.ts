/** A request to begin with: one that was answered, or one made from the endpoint's description. */

interface Property {
  type?: string;
}

export interface OpenApi {
  paths?: Record<string, { post?: { requestBody?: { content?: Record<string, { schema?: { properties?: { dataframe_records?: { items?: { properties?: Record<string, Property> } } } } }> } } }>;
}

export interface Logged {
  columns: { name: string }[];
  rows: unknown[][];
}

const VALUES: Record<string, unknown> = { number: 0, integer: 0, boolean: false };

function described(openapi: OpenApi | undefined): unknown {
  const content = Object.values(openapi?.paths ?? {})[0]?.post?.requestBody?.content?.["application/json"];
  const properties = content?.schema?.properties?.dataframe_records?.items?.properties ?? {};
  return { dataframe_records: [Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, VALUES[one.type ?? ""] ?? ""]))] };
}

function logged(sample: Logged | undefined): unknown {
  const column = (name: string) => sample?.columns.findIndex((one) => one.name === name) ?? -1;
  const [request, status] = [column("request"), column("status_code")];
  const text = sample?.rows.find((row) => status < 0 || row[status] === 200)?.[request];
  if (typeof text !== "string") return undefined;
  try {
    const { dataframe_records: records } = JSON.parse(text) as { dataframe_records?: unknown[] };
    return records?.length ? { dataframe_records: records.slice(0, 1) } : undefined;
  } catch {
    return undefined;
  }
}

export function example(openapi: OpenApi | undefined, sample?: Logged): unknown {
  return logged(sample) ?? described(openapi);
}
