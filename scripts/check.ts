// `npm run check`: format, lint, types, tidy and unit tests; what a merge needs before the slow lanes.
import { runLane, runSteps } from "./lanes.ts";

process.exitCode = await runSteps([
  { name: "format and lint", command: ["node_modules/.bin/biome", "ci", "--colors=off", "--diagnostic-level=error", "."] },
  { name: "types", command: ["node_modules/.bin/tsc", "-p", "."] },
]);
if (process.exitCode === 0) {
  const unit = await runLane("unit");
  console.log(`unit: ${unit.passed} passed, ${unit.failed} failed, ${unit.skipped} skipped (${unit.seconds.toFixed(1)} s)`);
  process.exitCode = unit.failed > 0 ? 1 : 0;
}
