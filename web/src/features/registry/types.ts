/** What Unity Catalog tells of registered models; see `databricks.sdk.service.catalog.RegisteredModelInfo`. */
export interface RegisteredModel {
  full_name: string;
  owner?: string;
  comment?: string | null;
  updated_at?: number;
  aliases?: { alias_name: string; version_num: number }[];
}

/** MLflow's own view of a version, with its tags. */
export interface ModelVersion {
  version: string;
  run_id?: string;
  creation_timestamp?: number;
  user_id?: string;
  status?: string;
  current_stage?: string;
  aliases?: string[];
  tags?: { key: string; value: string }[];
  deployment_job_state?: { run_state?: string };
}
