import { expect, it } from "vitest";
import { example } from "./example";

const openapi = {
  paths: {
    "/serving-endpoints/x/invocations": {
      post: {
        requestBody: {
          content: {
            "application/json": {
              schema: { properties: { dataframe_records: { items: { properties: { origin: { type: "string" }, hour: { type: "number" } } } } } },
            },
          },
        },
      },
    },
  },
};

it("takes the first record of a logged request", () => {
  const request = JSON.stringify({ client_request_id: "1", dataframe_records: [{ origin: "EWR" }, { origin: "JFK" }] });
  const sample = { columns: [{ name: "status_code" }, { name: "request" }], rows: [[200, request]] };
  expect(example(openapi, sample)).toEqual({ dataframe_records: [{ origin: "EWR" }] });
});

it("passes over requests that failed", () => {
  const [wrong, right] = ["y", "x"].map((name) => JSON.stringify({ dataframe_records: [{ [name]: 1 }] }));
  const columns = [{ name: "status_code" }, { name: "request" }];
  expect(example(openapi, { columns, rows: [[400, wrong], [200, right]] })).toEqual({ dataframe_records: [{ x: 1 }] });
  expect(example(openapi, { columns, rows: [[400, wrong]] })).toEqual(example(openapi));
});

it("makes one from the description where nothing, or nothing readable, was logged", () => {
  const made = { dataframe_records: [{ origin: "", hour: 0 }] };
  expect(example(openapi)).toEqual(made);
  expect(example(openapi, { columns: [{ name: "request" }], rows: [["{"]] })).toEqual(made);
  expect(example(undefined)).toEqual({ dataframe_records: [{}] });
});
