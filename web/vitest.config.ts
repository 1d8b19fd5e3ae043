import { defineConfig } from "vitest/config";

// Apart from vite.config.ts: a build needs no test runner. Only pure functions are tested here; the page itself is tried
// in a real browser against a real desk.
export default defineConfig({ test: { environment: "node", include: ["src/**/*.test.ts"] } });
