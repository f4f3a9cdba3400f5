import { BellRing, Boxes, Fingerprint, FlaskConical, FolderOpen, Home, KeyRound, LayoutDashboard, ListChecks, LogOut, Moon, Radio, Sparkles, Sun, Table2, Waves, Workflow } from "lucide-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, NavLink, Outlet, ScrollRestoration, useLocation, useNavigate } from "react-router";
import { call, get } from "../api/client";
import { Failure } from "./primitives";
import { SearchBox } from "./SearchBox";
import { useTheme } from "./theme";

const PLACES = [
  { to: "/", label: "Home", icon: Home },
  { to: "/workspace", label: "Workspace", icon: FolderOpen },
  { to: "/catalog", label: "Catalog", icon: Table2 },
  { to: "/pipelines", label: "Pipelines", icon: Workflow },
  { to: "/streams", label: "Streams", icon: Waves },
  { to: "/jobs", label: "Jobs", icon: ListChecks },
  { to: "/dashboards", label: "Dashboards", icon: LayoutDashboard },
  { to: "/alerts", label: "Alerts", icon: BellRing },
  { to: "/features", label: "Features", icon: Fingerprint },
  { to: "/automl", label: "AutoML", icon: Sparkles },
  { to: "/models", label: "Models", icon: Boxes },
  { to: "/serving", label: "Serving", icon: Radio },
];

interface Me {
  userName?: string;
  applicationId?: string;
}

export function Shell() {
  const [theme, toggle] = useTheme();
  const navigate = useNavigate();
  const { pathname, search } = useLocation();
  const [failed, setFailed] = useState<unknown>(null);
  const me = useQuery({ queryKey: ["me"], queryFn: () => get<Me>("/api/2.0/preview/scim/v2/Me"), staleTime: 60_000 });
  const signOut = async () => {
    try {
      const ended = await call<{ end_session_url: string } | undefined>("POST", "/api/boathouse/v1/sign-out");
      if (ended) location.assign(ended.end_session_url);
      else await navigate("/sign-in");
    } catch (error) {
      setFailed(error);
    }
  };
  return (
    <div className="shell">
      <header className="top">
        <Link to="/" className="brand">
          <img src="/favicon.svg" alt="" /> Boathouse
        </Link>
        <div className="broad"><SearchBox key={pathname === "/catalog" ? search : ""} /></div>
        <span className="who" title={me.data?.userName}>{me.data?.userName ?? me.data?.applicationId}</span>
        <Link to="/tokens" className="icon" aria-label="Access tokens" title="Access tokens">
          <KeyRound size={17} />
        </Link>
        <button type="button" className="icon" onClick={toggle} aria-label="Switch between light and dark" title="Light or dark">
          {theme === "dark" ? <Sun size={17} /> : <Moon size={17} />}
        </button>
        <button type="button" className="icon" onClick={() => void signOut()} aria-label="Sign out" title="Sign out">
          <LogOut size={17} />
        </button>
      </header>
      <nav className="side" aria-label="Places">
        {PLACES.map(({ to, label, icon: Icon }) => (
          <NavLink key={to} to={to} end={to === "/"}>
            <Icon size={17} /> {label}
          </NavLink>
        ))}
        <a href="/mlflow/" className="end">
          <FlaskConical size={17} /> MLflow
        </a>
      </nav>
      <main className="main">
        {failed === null ? null : <Failure error={failed} />}
        <Outlet />
        <ScrollRestoration getKey={({ pathname }) => pathname} />
      </main>
    </div>
  );
}
