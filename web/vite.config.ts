import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const DESK = process.env.PLIMSOLL_DESK ?? "http://127.0.0.1:8787";

// The desk serves what is built from inside its package; the folder is made anew by every build and never committed.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/plimsoll/edges/web",
    emptyOutDir: true,
    target: "es2022",
    // The notices of what is bundled travel with it.
    license: { fileName: "licenses.md" },
    // An inlined asset would be a data: address, which the desk's content security policy refuses.
    assetsInlineLimit: 0,
    // Every browser of the target preloads modules by itself.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "chart", test: /node_modules[\\/](lightweight-charts|fancy-canvas)/ },
            { name: "vendor", test: /node_modules/ },
          ],
        },
      },
    },
  },
  // The desk lets writes in from its own origin only, so the dev server speaks in the desk's name.
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: DESK, ws: true, changeOrigin: true, headers: { Origin: DESK } } },
  },
});
