// `npm pack` and `npm publish` run this first: everything in dist/ that an installed package runs.
import { join } from "node:path";
import { root } from "../launch.mjs";
import { buildBundle } from "./build.ts";
import { buildLibrary } from "./library.ts";

await buildBundle(join(root, "dist"));
await buildLibrary(join(root, "dist"));
