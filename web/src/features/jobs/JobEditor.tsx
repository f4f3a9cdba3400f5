import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { call, get, path } from "../../api/client";
import { Failure, Head, Loaded, Tabs } from "../../ui/primitives";
import { DraftContext } from "./inputs";
import { JobForm } from "./JobForm";
import "./jobs.css";
import { copyOf, newTask, type Plain, problems } from "./settings";
import type { Job } from "./types";

const TABS = ["Form", "JSON"];

/** The whole of the settings as text. */
function Json({ settings, change, wrong, setWrong }: { settings: Plain; change: (next: Plain) => void; wrong: string; setWrong: (text: string) => void }) {
  const [text, setText] = useState(JSON.stringify(settings, null, 2));
  const write = (next: string) => {
    setText(next);
    try {
      const read: unknown = JSON.parse(next);
      if (typeof read !== "object" || read === null || Array.isArray(read)) throw new Error("it is no object");
      change(read as Plain);
      setWrong("");
    } catch (error) {
      setWrong(`This is not JSON, so nothing of it counts yet: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  return (
    <section className="panel gap" aria-label="Settings as JSON">
      <label htmlFor="job-json">Everything, as the REST API has it</label>
      <textarea id="job-json" className="field mono json" spellCheck={false} value={text} onChange={(event) => write(event.target.value)} />
      {wrong ? <p className="problem" role="alert">{wrong}</p> : null}
    </section>
  );
}

function Editor({ id, first, title }: { id: string | null; first: Plain; title: string }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [params] = useSearchParams();
  const [settings, setSettings] = useState(first);
  const [wrong, setWrong] = useState("");
  const save = useMutation({
    mutationFn: async () => {
      if (id === null) return String((await call<{ job_id: number }>("POST", "/api/2.2/jobs/create", settings)).job_id);
      await call("POST", "/api/2.2/jobs/reset", { job_id: Number(id), new_settings: settings });
      return id;
    },
    onSuccess: async (saved) => {
      await Promise.all([queries.invalidateQueries({ queryKey: ["jobs"] }), queries.invalidateQueries({ queryKey: ["job", saved] })]);
      await navigate(path("/jobs", saved));
    },
  });
  const tab = params.get("tab") === "json" ? "json" : "form";
  const change = (next: Plain) => {
    setSettings(next);
    save.reset();
  };
  return (
    <DraftContext value={{ settings, change, problems: save.error ? problems(save.error.message) : [] }}>
      <Head title={title} sub={id === null ? "It is yours: it runs with your rights" : <Link to={path("/jobs", id)}>The job</Link>} />
      {wrong ? null : <Tabs tabs={TABS} current={tab} />}
      <form onSubmit={(event) => { event.preventDefault(); save.mutate(); }} aria-label="Settings of the job">
        {tab === "json" ? <Json settings={settings} change={change} wrong={wrong} setWrong={setWrong} /> : <JobForm />}
        {save.error ? <div className="gap"><Failure error={save.error} title="It was not saved" /></div> : null}
        <div className="actions">
          <button type="submit" className="button" disabled={save.isPending || wrong !== ""}>{id === null ? "Create job" : "Save"}</button>
          <Link className="button quiet" to={id === null ? "/jobs" : path("/jobs", id)}>Leave it</Link>
        </div>
      </form>
    </DraftContext>
  );
}

const jobOf = (id: string) => ({ queryKey: ["job", id, "settings"], queryFn: () => get<Job>(`/api/2.2/jobs/get?job_id=${encodeURIComponent(id)}`), staleTime: Infinity, gcTime: 0, refetchOnWindowFocus: false });

/** A new job, or one that is like another. */
export function NewJobPage() {
  const [params] = useSearchParams();
  const from = params.get("from");
  const query = useQuery({ ...jobOf(from ?? ""), enabled: from !== null });
  if (from === null) return <Editor id={null} first={{ name: "", tasks: [newTask([])] }} title="New job" />;
  return <Loaded query={query}>{(job) => <Editor id={null} first={copyOf(job.settings)} title={`Copy of ${job.settings.name ?? "a job"}`} />}</Loaded>;
}

/** The settings of a job. */
export function EditJobPage() {
  const { id = "" } = useParams();
  const query = useQuery(jobOf(id));
  return <Loaded query={query}>{(job) => <Editor key={id} id={id} first={job.settings as Plain} title={`Edit ${job.settings.name ?? `job ${id}`}`} />}</Loaded>;
}
