// A profile: which plugins run at which extension point, in which order and with which weight.
import {
  defaultPlugins,
  defaultSchedulerName,
  type ExtensionPoint,
  extensionPoints,
  type PluginChoice,
  type PluginSet,
  type ProfileConfiguration,
} from "./config.ts";
import { isFactory, type Plugin, type PluginEntry, type PluginHandle } from "./plugin.ts";

type With<Method extends keyof Plugin> = Plugin & Required<Pick<Plugin, Method>>;

export interface WeightedPlugin {
  readonly plugin: With<"score">;
  readonly weight: number;
}

export interface Profile {
  readonly name: string;
  /** Percent; 0 is adaptive. */
  readonly percentageOfNodesToScore: number;
  /** Every plugin of this profile by its name. */
  readonly plugins: ReadonlyMap<string, Plugin>;
  readonly preEnqueue: readonly With<"preEnqueue">[];
  readonly queueSort: With<"less">;
  readonly preFilter: readonly With<"preFilter">[];
  readonly filter: readonly With<"filter">[];
  readonly postFilter: readonly With<"postFilter">[];
  readonly preScore: readonly With<"preScore">[];
  readonly score: readonly WeightedPlugin[];
  readonly reserve: readonly Plugin[];
  readonly permit: readonly With<"permit">[];
  readonly preBind: readonly With<"preBind">[];
  readonly bind: readonly With<"bind">[];
  readonly postBind: readonly With<"postBind">[];
}

const methodsOf: Readonly<Record<ExtensionPoint, readonly (keyof Plugin)[]>> = {
  preEnqueue: ["preEnqueue"],
  queueSort: ["less"],
  preFilter: ["preFilter"],
  filter: ["filter"],
  postFilter: ["postFilter"],
  preScore: ["preScore"],
  score: ["score"],
  reserve: ["reserve", "unreserve"],
  permit: ["permit"],
  preBind: ["preBind"],
  bind: ["bind"],
  postBind: ["postBind"],
};

/** Throws a sentence when the configuration names what does not exist or leaves out what must be there. */
export function buildProfile(
  config: ProfileConfiguration,
  entries: readonly PluginEntry[],
  handleFor: (profileName: string) => PluginHandle,
  percentageOfNodesToScore: number,
): Profile {
  const name = config.schedulerName ?? defaultSchedulerName;
  const known = new Map(entries.map((entry) => [entry.name, entry]));
  const args = new Map((config.pluginConfig ?? []).map((entry) => [entry.name, entry.args ?? {}]));
  const handle = handleFor(name);
  const made = new Map<string, Plugin>();
  const instance = (pluginName: string): Plugin => {
    const existing = made.get(pluginName);
    if (existing !== undefined) return existing;
    const entry = known.get(pluginName);
    if (entry === undefined) throw new Error(`Cannot build scheduler profile "${name}": plugin "${pluginName}" does not exist`);
    const plugin = isFactory(entry) ? entry.create(args.get(pluginName) ?? {}, handle) : entry;
    made.set(pluginName, plugin);
    return plugin;
  };
  for (const pluginName of args.keys()) {
    if (!known.has(pluginName))
      throw new Error(
        `Cannot build scheduler profile "${name}": pluginConfig names plugin "${pluginName}", which does not exist`,
      );
  }

  const weights = new Map<string, number>();
  const everywhere = merged(defaultPlugins, config.plugins?.multiPoint);
  const chosen = (point: ExtensionPoint): Plugin[] => {
    const methods = methodsOf[point];
    const fromMultiPoint = everywhere.filter((choice) => methods.some((method) => instance(choice.name)[method] !== undefined));
    const choices = expanded(fromMultiPoint, config.plugins?.[point]);
    return choices.map((choice) => {
      const plugin = instance(choice.name);
      if (!methods.some((method) => plugin[method] !== undefined)) {
        throw new Error(`Cannot build scheduler profile "${name}": plugin "${choice.name}" does not extend ${point}`);
      }
      if (point === "score") weights.set(choice.name, choice.weight === undefined || choice.weight === 0 ? 1 : choice.weight);
      return plugin;
    });
  };
  const points = Object.fromEntries(extensionPoints.map((point) => [point, chosen(point)])) as Record<ExtensionPoint, Plugin[]>;
  const [queueSort, ...others] = points.queueSort;
  if (queueSort === undefined || others.length > 0) {
    throw new Error(
      `Cannot build scheduler profile "${name}": exactly one queueSort plugin is needed, found ${points.queueSort.length}`,
    );
  }
  if (points.bind.length === 0) throw new Error(`Cannot build scheduler profile "${name}": at least one bind plugin is needed`);
  // `chosen` has checked that each plugin has its point's method.
  return {
    name,
    percentageOfNodesToScore: config.percentageOfNodesToScore ?? percentageOfNodesToScore,
    plugins: made,
    ...(points as unknown as Omit<Profile, "name" | "percentageOfNodesToScore" | "plugins" | "queueSort" | "score">),
    queueSort: queueSort as With<"less">,
    score: points.score.map((plugin) => ({ plugin: plugin as With<"score">, weight: weights.get(plugin.name) ?? 1 })),
  };
}

/** The user's multiPoint over the defaults: disabled ones go, enabled ones replace in place or come last. */
function merged(defaults: readonly PluginChoice[], set: PluginSet | undefined): readonly PluginChoice[] {
  const disabled = new Set(set?.disabled?.map((choice) => choice.name));
  const enabled = new Map(set?.enabled?.map((choice) => [choice.name, choice]));
  const result: PluginChoice[] = [];
  for (const choice of defaults) {
    const again = enabled.get(choice.name);
    if (disabled.has("*") || disabled.has(choice.name)) continue;
    enabled.delete(choice.name);
    result.push(again === undefined ? choice : { ...choice, ...again });
  }
  return [...result, ...enabled.values()];
}

/** One point: what it names itself and multiPoint has too comes first, then the rest of multiPoint, then what only it names (KEP-2891). */
function expanded(fromMultiPoint: readonly PluginChoice[], set: PluginSet | undefined): readonly PluginChoice[] {
  if (set === undefined) return fromMultiPoint;
  const disabled = new Set(set.disabled?.map((choice) => choice.name));
  const own = set.enabled ?? [];
  const ownNames = new Set(own.map((choice) => choice.name));
  const inMultiPoint = new Set(fromMultiPoint.map((choice) => choice.name));
  return [
    ...own.filter((choice) => inMultiPoint.has(choice.name)),
    ...fromMultiPoint.filter((choice) => !ownNames.has(choice.name) && !disabled.has("*") && !disabled.has(choice.name)),
    ...own.filter((choice) => !inMultiPoint.has(choice.name)),
  ];
}
