// `npm test [-- LANE…]`: everything that a merge needs, with the count of tests per lane. `.ci/run` calls it.
import { type LaneResult, lanes, runLane, runSteps } from "./lanes.ts";

const chosen = process.argv.slice(2);
const names = chosen.length > 0 ? chosen : Object.keys(lanes);

let code = 0;
if (chosen.length === 0) {
  code = await runSteps([
    { name: "format and lint", command: ["node_modules/.bin/biome", "ci", "--colors=off", "--diagnostic-level=error", "."] },
    { name: "types", command: ["node_modules/.bin/tsc", "-p", "."] },
  ]);
}
const results: [string, LaneResult][] = [];
for (const name of names) {
  console.log(`--- ${name}`);
  results.push([name, await runLane(name)]);
}
console.log("---");
for (const [name, result] of results) {
  console.log(
    `${name.padEnd(12)} ${String(result.passed).padStart(6)} passed ${String(result.failed).padStart(4)} failed ${String(result.skipped).padStart(4)} skipped ${result.seconds.toFixed(1).padStart(8)} s`,
  );
}
const total = (pick: (result: LaneResult) => number): number => results.reduce((sum, [, result]) => sum + pick(result), 0);
console.log(`${total((r) => r.passed)} passed, ${total((r) => r.failed)} failed, ${total((r) => r.skipped)} skipped`);
process.exitCode = code !== 0 || total((r) => r.failed) > 0 || total((r) => r.passed) === 0 ? 1 : 0;
