/** What an endpoint's Prometheus metrics say in a few figures. */

export interface Figures {
  requests: number;
  errors: number;
  /** Upper bound, in ms, of the histogram's bucket that the quantile falls into; null where nothing was asked yet. */
  p50: number | null;
  p99: number | null;
}

const SAMPLE = /^([a-z_]+)\{(.*)\} (\S+)$/;

function label(labels: string, name: string): string {
  return new RegExp(`${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
}

function quantile(buckets: Map<number, number>, share: number): number | null {
  const total = buckets.get(Infinity) ?? 0;
  if (total === 0) return null;
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const bound = bounds.find((one) => (buckets.get(one) ?? 0) >= share * total) ?? Infinity;
  return bound * 1000;
}

/** Sums over an endpoint's served entities, since its server started. */
export function figures(text: string): Figures {
  const buckets = new Map<number, number>();
  let requests = 0;
  let errors = 0;
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (name === "request_count_total") {
      requests += Number(value);
      if (Number(label(labels, "status")) >= 400) errors += Number(value);
    } else if (name === "request_latency_seconds_bucket") {
      const le = label(labels, "le");
      const bound = le === "+Inf" ? Infinity : Number(le);
      buckets.set(bound, (buckets.get(bound) ?? 0) + Number(value));
    }
  }
  return { requests, errors, p50: quantile(buckets, 0.5), p99: quantile(buckets, 0.99) };
}
