// `npm run check`: format, lint, types, tidy and unit tests; what a merge needs before the slow lanes.
import { runLane, runSteps } from "./lanes.ts";

process.exitCode = await runSteps([
  { name: "format and lint", command: ["node_modules/.bin/biome", "ci", "--colors=off", "--diagnostic-level=error", "."] },
  { name: "floating promises", command: ["node_modules/.bin/oxlint", "--quiet", "-A", "all", "-D", "no-debugger", "src"] },
  { name: "types", command: ["node_modules/.bin/tsc", "-p", "."] },
]);
if (process.exitCode === 0) process.exitCode = (await runLane("unit")).failed > 0 ? 1 : 0;
