import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const target = process.env.BOATHOUSE_URL ?? "http://127.0.0.1:8080";
// The server takes a session's writes from its own page only.
const server = { target, changeOrigin: true, headers: { origin: target } };

export default defineConfig({
  plugins: [react()],
  build: { outDir: "../src/boathouse/server/page", emptyOutDir: true, assetsInlineLimit: 0 },
  server: { proxy: { "/api": server, "/mlflow": server, "/serving-endpoints": server } },
});
