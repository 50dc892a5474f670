// Configuration files and how a profile's plugin lists come about.
import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInPlugins } from "../plugins/registry.ts";
import { aHandle } from "../testing/handle.ts";
import { aCluster } from "../testing/objects.ts";
import type { ProfileConfiguration } from "./config.ts";
import { parseConfiguration } from "./parse-config.ts";
import { buildProfile, type Profile } from "./profile.ts";

const head = { apiVersion: "kubescheduler.config.k8s.io/v1", kind: "KubeSchedulerConfiguration" };
const profileOf = (config: ProfileConfiguration): Profile => buildProfile(config, builtInPlugins, () => aHandle(aCluster({})), 0);
const weights = (profile: Profile): Readonly<Record<string, number>> =>
  Object.fromEntries(profile.score.map(({ plugin, weight }) => [plugin.name, weight]));

test("a configuration file is read with its profiles, plugins and arguments", () => {
  const configuration = parseConfiguration({
    ...head,
    percentageOfNodesToScore: 50,
    leaderElection: { leaderElect: false },
    profiles: [
      {
        schedulerName: "packer",
        plugins: { score: { disabled: [{ name: "ImageLocality" }] } },
        pluginConfig: [{ name: "NodeResourcesFit", args: { apiVersion: "x", scoringStrategy: { type: "MostAllocated" } } }],
      },
    ],
  });
  assert.equal(configuration.percentageOfNodesToScore, 50);
  assert.equal(configuration.profiles?.[0]?.schedulerName, "packer");
  assert.equal(weights(profileOf(configuration.profiles?.[0] ?? {}))["ImageLocality"], undefined);
});

test("every mistake in a configuration file is listed", () => {
  assert.throws(
    () =>
      parseConfiguration({
        ...head,
        kind: "Scheduler",
        typo: 1,
        percentageOfNodesToScore: 101,
        profiles: [{ plugins: { sort: {}, score: { enabled: [{ name: 3 }] } } }],
      }),
    /kind: "Scheduler" is not .*; typo: unknown field; percentageOfNodesToScore: 101 is not a whole number of at least 0 and at most 100; profiles\[0\]\.plugins\.sort: unknown field; .*profiles\[0\]\.plugins\.score\.enabled\[0\]\.name: must be a text/,
  );
});

test("the default weights are upstream's", () => {
  assert.deepEqual(weights(profileOf({})), {
    TaintToleration: 3,
    NodeAffinity: 2,
    NodeResourcesFit: 1,
    PodTopologySpread: 2,
    InterPodAffinity: 2,
    NodeResourcesBalancedAllocation: 1,
    ImageLocality: 1,
  });
});

test("multiPoint disables, replaces in place and appends; a point's own list comes first", () => {
  const profile = profileOf({
    plugins: {
      multiPoint: { enabled: [{ name: "NodeAffinity", weight: 9 }], disabled: [{ name: "ImageLocality" }] },
      filter: { enabled: [{ name: "NodeResourcesFit" }], disabled: [{ name: "NodePorts" }] },
    },
  });
  assert.equal(weights(profile)["NodeAffinity"], 9);
  assert.equal(weights(profile)["ImageLocality"], undefined);
  const filters = profile.filter.map(({ name }) => name);
  assert.equal(filters[0], "NodeResourcesFit");
  assert.ok(!filters.includes("NodePorts"));
  assert.ok(
    profile.preFilter.some(({ name }) => name === "NodePorts"),
    "disabled at filter only",
  );
});

test("a plugin that lacks the point it is enabled at is refused", () => {
  assert.throws(
    () => profileOf({ plugins: { permit: { enabled: [{ name: "NodeName" }] } } }),
    /plugin "NodeName" does not extend permit/,
  );
});

test("wrong arguments are refused by the plugin that takes them", () => {
  const config: ProfileConfiguration = {
    pluginConfig: [{ name: "NodeResourcesFit", args: { scoringStrategy: { type: "Best" } } }],
  };
  assert.throws(() => profileOf(config), /Cannot configure plugin "NodeResourcesFit": scoring strategy "Best" is not/);
});
