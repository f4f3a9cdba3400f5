import { describe, expect, it } from "vitest";
import { hrefOf, kindText, signature, sqlName } from "./names";

describe("names", () => {
  it("lead to the page of each kind", () => {
    expect(hrefOf("table", "main.a b.t")).toBe("/catalog/main/a%20b/t");
    expect(hrefOf("SCHEMA", "main.s")).toBe("/catalog/main/s");
    expect(hrefOf("function", "main.s.f")).toBe("/catalog/main/s/f?kind=function");
    expect(hrefOf("registered_model", "main.s.m")).toBe("/models/main.s.m");
    expect(hrefOf("storage_credential", "c")).toBeNull();
  });
  it("are quoted where SQL needs it", () => {
    expect(sqlName("main.sales.orders")).toBe("main.sales.orders");
    expect(sqlName("main.my-schema.1a`b")).toBe("main.`my-schema`.`1a``b`");
  });
  it("say what a thing is", () => {
    expect(kindText("table", "VIEW")).toBe("view");
    expect(kindText("registered_model")).toBe("model");
    expect(kindText("EXTERNAL_LOCATION")).toBe("external location");
  });
});

describe("a signature", () => {
  const parameter = (name: string, type_text: string, parameter_default?: string) => ({ name, type_text, ...(parameter_default === undefined ? {} : { parameter_default }) });
  it("has parameters, defaults and the answer", () => {
    const input_params = { parameters: [parameter("gross", "DOUBLE"), parameter("rate", "DOUBLE", "0.19")] };
    expect(signature({ name: "net", input_params, full_data_type: "DOUBLE" })).toBe("net(gross DOUBLE, rate DOUBLE DEFAULT 0.19) RETURNS DOUBLE");
  });
  it("names the columns of a table", () => {
    const found = { name: "all", input_params: { parameters: [] }, full_data_type: "TABLE_TYPE", return_params: { parameters: [parameter("id", "BIGINT")] } };
    expect(signature(found)).toBe("all() RETURNS TABLE (id BIGINT)");
  });
});
