import { useQuery } from "@tanstack/react-query";
import { get, path, type Schemas } from "../../api/client";

/** Tags of a securable, and what the asker may do with it. */
export function useSecurable(kind: string, name: string) {
  return useQuery({ queryKey: ["securable", kind, name], queryFn: () => get<Schemas["SecurableBody"]>(path(`/api/boathouse/v1/securables/${kind}`, name)) });
}
