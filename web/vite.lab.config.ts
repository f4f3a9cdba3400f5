import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Tells JupyterLab which file to load. */
const manifest: Plugin = {
  name: "labextension",
  generateBundle(_, bundle) {
    const load = Object.keys(bundle).find((name) => name.endsWith(".js"));
    const jupyterlab = { extension: true, _build: { load, extension: "./extension" } };
    const source = JSON.stringify({ name: "boathouse", version: "0.1.0", description: "Comments on notebooks of the workspace, and their git folders.", jupyterlab }, null, 2);
    this.emitFile({ type: "asset", fileName: "package.json", source });
  },
};

/** The extension of JupyterLab: one file, as JupyterLab loads it by a script element. */
export default defineConfig({
  plugins: [react(), manifest],
  define: { "process.env.NODE_ENV": '"production"' },
  publicDir: false,
  build: {
    outDir: "../src/boathouse/workspace/lab/extension/boathouse",
    emptyOutDir: true,
    rolldownOptions: { input: "src/features/workspace/lab/entry.tsx", output: { format: "iife", entryFileNames: "static/remoteEntry.[hash].js" } },
  },
});
