import { expect, it } from "vitest";
import { figures } from "./metrics";

const line = (name: string, labels: string, value: number) => `${name}{endpoint_name="e",${labels}} ${value.toFixed(1)}`;

it("sums requests, errors and latencies over served entities", () => {
  const text = [
    "# TYPE request_count_total counter",
    line("request_count_total", 'served_entity_name="a",status="200"', 90),
    line("request_count_total", 'served_entity_name="b",status="200"', 8),
    line("request_count_total", 'served_entity_name="b",status="400"', 2),
    line("request_latency_seconds_bucket", 'le="0.005",served_entity_name="a"', 90),
    line("request_latency_seconds_bucket", 'le="+Inf",served_entity_name="a"', 90),
    line("request_latency_seconds_bucket", 'le="0.005",served_entity_name="b"', 0),
    line("request_latency_seconds_bucket", 'le="0.25",served_entity_name="b"', 9),
    line("request_latency_seconds_bucket", 'le="+Inf",served_entity_name="b"', 10),
    line("request_latency_seconds_bucket", 'le="0.25",served_entity_name="a"', 90),
    "",
  ].join("\n");
  expect(figures(text)).toEqual({ requests: 100, errors: 2, p50: 5, p99: 250 });
});

it("knows no latency where nothing was asked", () => {
  expect(figures("")).toEqual({ requests: 0, errors: 0, p50: null, p99: null });
});

it("has no bound where the slowest bucket holds it", () => {
  expect(figures(line("request_latency_seconds_bucket", 'le="+Inf"', 3)).p50).toBe(Infinity);
});
