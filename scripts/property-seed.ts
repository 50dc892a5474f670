// Loaded before every test: property tests draw the same examples in each run, so that a failure is one of the change that is tested.
// TIPHYS_PROPERTY_SEED=N draws others, TIPHYS_PROPERTY_SEED=random ones that nobody has seen (the report of a failure names the seed).
import fc from "fast-check";

const given = process.env.TIPHYS_PROPERTY_SEED ?? "1";
if (given !== "random") {
  const seed = Number(given);
  if (!Number.isInteger(seed)) throw new Error(`TIPHYS_PROPERTY_SEED "${given}" is neither an integer nor "random"`);
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
}
