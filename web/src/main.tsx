import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { createBrowserRouter } from "react-router";
import { RouterProvider } from "react-router/dom";
import { ApiError } from "./api/client";
import { CatalogPage } from "./features/catalog/CatalogPage";
import { HomePage } from "./features/home/HomePage";
import { SignInPage } from "./features/iam/SignInPage";
import { TokensPage } from "./features/iam/TokensPage";
import { PipelinesPage } from "./features/pipelines/PipelinesPage";
import { ModelPage } from "./features/registry/ModelPage";
import { ModelsPage } from "./features/registry/ModelsPage";
import { EndpointPage } from "./features/serving/EndpointPage";
import { EndpointsPage } from "./features/serving/EndpointsPage";
import { Broken, Missing } from "./ui/Broken";
import { Shell } from "./ui/Shell";
import "./ui/tokens.css";
import "./ui/app.css";

const router = createBrowserRouter([
  { path: "/sign-in", element: <SignInPage />, errorElement: <Broken /> },
  {
    element: <Shell />,
    errorElement: <Broken />,
    children: [
      { path: "/", element: <HomePage /> },
      { path: "/workspace", lazy: async () => ({ Component: (await import("./features/workspace/WorkspacePage")).WorkspacePage }) },
      { path: "/catalog/:catalog?/:schema?/:name?", element: <CatalogPage /> },
      { path: "/pipelines", element: <PipelinesPage /> },
      { path: "/pipelines/:id", lazy: async () => ({ Component: (await import("./features/pipelines/PipelinePage")).PipelinePage }) },
      { path: "/jobs", lazy: async () => ({ Component: (await import("./features/jobs/JobsPage")).JobsPage }) },
      { path: "/jobs/new", lazy: async () => ({ Component: (await import("./features/jobs/JobEditor")).NewJobPage }) },
      { path: "/jobs/:id/edit", lazy: async () => ({ Component: (await import("./features/jobs/JobEditor")).EditJobPage }) },
      { path: "/jobs/:id", lazy: async () => ({ Component: (await import("./features/jobs/JobPage")).JobPage }) },
      { path: "/jobs/:id/runs/:run", lazy: async () => ({ Component: (await import("./features/jobs/RunPage")).RunPage }) },
      { path: "/alerts", lazy: async () => ({ Component: (await import("./features/alerts/AlertsPage")).AlertsPage }) },
      { path: "/alerts/:id", lazy: async () => ({ Component: (await import("./features/alerts/AlertPage")).AlertPage }) },
      { path: "/dashboards", lazy: async () => ({ Component: (await import("./features/dashboards/DashboardsPage")).DashboardsPage }) },
      { path: "/dashboards/:id", lazy: async () => ({ Component: (await import("./features/dashboards/DashboardPage")).DashboardPage }) },
      { path: "/streams", lazy: async () => ({ Component: (await import("./features/streams/StreamsPage")).StreamsPage }) },
      { path: "/features", lazy: async () => ({ Component: (await import("./features/features/FeaturesPage")).FeaturesPage }) },
      { path: "/features/:name", lazy: async () => ({ Component: (await import("./features/features/FeatureTablePage")).FeatureTablePage }) },
      { path: "/automl", lazy: async () => ({ Component: (await import("./features/automl/AutomlPage")).AutomlPage }) },
      { path: "/automl/search", lazy: async () => ({ Component: (await import("./features/automl/SearchPage")).SearchPage }) },
      { path: "/models", element: <ModelsPage /> },
      { path: "/models/:name", element: <ModelPage /> },
      { path: "/models/:name/versions/:version", lazy: async () => ({ Component: (await import("./features/registry/VersionPage")).VersionPage }) },
      { path: "/serving", element: <EndpointsPage /> },
      { path: "/serving/:name", element: <EndpointPage /> },
      { path: "/tokens", element: <TokensPage /> },
      { path: "*", element: <Missing /> },
    ],
  },
]);

function onError(error: unknown): void {
  if (error instanceof ApiError && error.status === 401 && location.pathname !== "/sign-in") {
    const next = encodeURIComponent(location.pathname + location.search);
    void router.navigate(`/sign-in?next=${next}`, { replace: true });
  }
}

const queries = new QueryClient({
  queryCache: new QueryCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 5000,
      retry: (failures, error) => {
        const status = error instanceof ApiError ? error.status : 0;
        return failures < (status >= 500 ? 2 : status >= 400 ? 0 : 1);
      },
    },
  },
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
}
