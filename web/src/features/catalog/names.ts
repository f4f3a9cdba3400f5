import { path, type Schemas } from "../../api/client";

/** The page of a securable; null for a kind that has none. */
export function hrefOf(type: string, fullName: string): string | null {
  const base = path("/catalog", ...fullName.split("."));
  switch (type.toLowerCase()) {
    case "catalog":
    case "schema":
    case "table":
      return base;
    case "function":
    case "volume":
      return `${base}?kind=${type.toLowerCase()}`;
    case "registered_model":
      return path("/models", fullName);
    default:
      return null;
  }
}

/** READ_VOLUME -> READ VOLUME */
export const privilegeText = (privilege: string): string => privilege.replaceAll("_", " ");

/** What a person calls a kind: registered_model -> model; a table of type VIEW -> view. */
export function kindText(type: string, tableType?: string | null): string {
  if (tableType === "VIEW") return "view";
  return type === "registered_model" ? "model" : type.toLowerCase().replaceAll("_", " ");
}

/** A full name as SQL takes it: a part that is no plain word stands in backticks. */
export function sqlName(fullName: string): string {
  return fullName.split(".").map((part) => (/^[a-z_][a-z0-9_]*$/i.test(part) ? part : `\`${part.replaceAll("`", "``")}\``)).join(".");
}

type Parameter = Schemas["ParameterBody"];

function declared(one: Parameter): string {
  return `${one.name} ${one.type_text}${one.parameter_default === undefined || one.parameter_default === null ? "" : ` DEFAULT ${one.parameter_default}`}`;
}

/** A function as it is declared: net(gross DOUBLE, rate DOUBLE DEFAULT 0.19) RETURNS DOUBLE */
export function signature(found: Pick<Schemas["FunctionBody"], "name" | "input_params" | "full_data_type" | "return_params">): string {
  const answer = found.return_params ? `TABLE (${(found.return_params.parameters ?? []).map(declared).join(", ")})` : found.full_data_type;
  const parameters = (found.input_params.parameters ?? []).map(declared);
  const inside = parameters.join(", ").length > 60 ? `\n  ${parameters.join(",\n  ")}\n` : parameters.join(", ");
  return `${found.name}(${inside}) RETURNS ${answer}`;
}
