// `npm run bench [-- NAME…]`: measures, and prints one JSON object per benchmark. Ratios and CPU per operation travel between machines; bare times do not.
import { loadavg } from "node:os";
import { benchApi } from "./api.ts";
import { benchPodStart } from "./pod-start.ts";
import { benchSimulation } from "./simulation.ts";
import { benchSlowWatcher } from "./slow-watcher.ts";
import { benchStart } from "./start.ts";
import { benchStore } from "./store.ts";

const benches: Readonly<Record<string, () => Promise<unknown>>> = {
  start: benchStart,
  api: benchApi,
  simulation: benchSimulation,
  "pod-start": benchPodStart,
  store: benchStore,
  "slow-watcher": benchSlowWatcher,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(
    `Unknown benchmark ${unknown.join(", ")}: choose from ${Object.keys(benches).join(", ")} (proxy: node bench/proxy.ts)`,
  );
  process.exit(2);
}
const alive = setInterval(() => {}, 1 << 30);
for (const [name, run] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const load = loadavg()[0];
  console.log(JSON.stringify({ bench: name, loadBefore: load, result: await run() }, undefined, 2));
}
clearInterval(alive);
process.exit(0);
