/** What the serving API tells of an endpoint; see `databricks.sdk.service.serving.ServingEndpointDetailed`. */
export interface ServedEntity {
  name: string;
  entity_name: string;
  /** Absent for a feature spec. */
  entity_version?: string | null;
  state?: { deployment?: string; deployment_state_message?: string };
}

export interface Endpoint {
  name: string;
  creator?: string;
  /** The highest level that the asker has. */
  permission_level?: string;
  creation_timestamp?: number;
  state?: { ready?: string; config_update?: string; config_update_message?: string };
  pending_config?: { served_entities?: ServedEntity[] };
  config?: {
    served_entities?: ServedEntity[];
    traffic_config?: { routes?: { served_model_name?: string; served_entity_name?: string; traffic_percentage: number }[] };
    auto_capture_config?: { catalog_name?: string; schema_name?: string; table_name_prefix?: string; enabled?: boolean; state?: { payload_table?: { status?: string; status_message?: string } } };
  };
}

/** What a served entity is, for people. */
export function entityTitle(entity: ServedEntity): string {
  return entity.entity_version ? `${entity.entity_name} version ${entity.entity_version}` : `feature spec ${entity.entity_name}`;
}

/** Whether the asker may send it requests. */
export function mayQuery(endpoint: Endpoint): boolean {
  return endpoint.permission_level !== "CAN_VIEW";
}

export function readiness(endpoint: Endpoint): { text: string; tone: string } {
  if (endpoint.state?.config_update === "UPDATE_FAILED") return { text: "update failed", tone: "bad" };
  if (endpoint.state?.config_update === "IN_PROGRESS") return { text: "updating", tone: "warning" };
  return endpoint.state?.ready === "READY" ? { text: "ready", tone: "good" } : { text: "not ready", tone: "warning" };
}

/** The table that requests and answers are logged to, or null. */
export function payloadTable(endpoint: Endpoint): string | null {
  const capture = endpoint.config?.auto_capture_config;
  return capture?.enabled ? `${capture.catalog_name}.${capture.schema_name}.${capture.table_name_prefix}_payload` : null;
}
