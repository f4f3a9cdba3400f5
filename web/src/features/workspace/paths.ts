import type { Schemas } from "../../api/client";

export type WorkspaceObject = Schemas["PageObject"];

/** Where the page shows a path of the workspace. */
export const href = (path: string): string => `/workspace?path=${encodeURIComponent(path)}`;

export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1) || "Workspace";

export const join = (folder: string, name: string): string => `${folder === "/" ? "" : folder}/${name}`;

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";

export interface Step {
  name: string;
  path: string;
}

/** The folders that a path lies in, from the root, without itself. */
export function steps(path: string): Step[] {
  if (path === "/") return [];
  const names = path.slice(1).split("/");
  const above = names.slice(0, -1).map((name, index) => ({ name, path: `/${names.slice(0, index + 1).join("/")}` }));
  return [{ name: "Workspace", path: "/" }, ...above];
}

/** Whether the asker may move and delete an object, and add to it if it is a folder. */
export const manages = (object: WorkspaceObject): boolean => object.level === "CAN_MANAGE";

/** Whether the asker may change what a file or a notebook holds. */
export const edits = (object: WorkspaceObject): boolean => object.level === "CAN_MANAGE" || object.level === "CAN_EDIT";

/** Folders that are always there. */
export const isFixed = (path: string): boolean => ["/", "/Users", "/Shared", "/Repos"].includes(path) || /^\/Users\/[^/]+$/.test(path);

const WORDS: Record<string, string> = { DIRECTORY: "Folder", FILE: "File", REPO: "Git folder", DASHBOARD: "Dashboard" };
const LANGUAGES: Record<string, string> = { PYTHON: "Python", SQL: "SQL", SCALA: "Scala", R: "R" };

/** What an object is, in words. */
export function kindOf(object: Pick<WorkspaceObject, "object_type" | "language">): string {
  return object.object_type === "NOTEBOOK" ? `${LANGUAGES[object.language ?? ""] ?? ""} notebook`.trim() : (WORDS[object.object_type] ?? object.object_type);
}

/** Where an object's content is downloaded, and the name that it gets. */
export function download(object: WorkspaceObject, format: "AUTO" | "SOURCE" | "JUPYTER"): string {
  return `/api/2.0/workspace/export?path=${encodeURIComponent(object.path)}&format=${format}&direct_download=true`;
}

const SUFFIXES: Record<string, string> = { PYTHON: ".py", SQL: ".sql", SCALA: ".scala", R: ".r" };

export function downloadName(object: WorkspaceObject, format: "AUTO" | "SOURCE" | "JUPYTER"): string {
  const name = nameOf(object.path);
  if (object.object_type === "DIRECTORY") return `${name}.zip`;
  if (object.object_type !== "NOTEBOOK") return name;
  return format === "JUPYTER" ? `${name}.ipynb` : `${name}${SUFFIXES[object.language ?? ""] ?? ""}`;
}

/** Where JupyterLab opens a notebook: it has them with a suffix. */
export function labPath(lab: string, path: string): string {
  return `${lab}/tree${path.split("/").map(encodeURIComponent).join("/")}.ipynb`;
}

/** Git providers by the API's names. */
export const PROVIDERS: Record<string, string> = {
  gitHub: "GitHub", gitHubEnterprise: "GitHub Enterprise", gitLab: "GitLab", gitLabEnterpriseEdition: "GitLab Enterprise", bitbucketCloud: "Bitbucket",
  bitbucketServer: "Bitbucket Server", azureDevOpsServices: "Azure DevOps", awsCodeCommit: "AWS CodeCommit",
};

/** Which provider an address is most likely of. */
export function providerOf(url: string): string {
  if (/gitlab/i.test(url)) return "gitLab";
  if (/bitbucket/i.test(url)) return "bitbucketCloud";
  if (/dev\.azure|visualstudio/i.test(url)) return "azureDevOpsServices";
  if (/codecommit/i.test(url)) return "awsCodeCommit";
  return "gitHub";
}
