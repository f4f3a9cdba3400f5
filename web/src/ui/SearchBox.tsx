import { Search } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useLocation, useNavigate, useSearchParams } from "react-router";

/** Search over the catalog; what is looked for lives in the URL. */
export function SearchBox() {
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const asked = useLocation().pathname === "/catalog" ? (params.get("q") ?? "") : "";
  const [text, setText] = useState(asked);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim()) void navigate(`/catalog?q=${encodeURIComponent(text.trim())}`);
  };
  return (
    <form role="search" className="search" onSubmit={submit}>
      <Search size={15} aria-hidden />
      <input type="search" className="field" placeholder="Search the catalog" aria-label="Search the catalog" maxLength={500} value={text} onChange={(event) => setText(event.target.value)} />
    </form>
  );
}
