// Defaults of the apps, batch and autoscaling groups.
import type { AnyObject } from "../rules.ts";
import { inField, mapList, withDefaults, withField, withTextDefaults } from "../validation/helpers.ts";
import { defaultPersistentVolumeClaim } from "./core.ts";
import { defaultPodTemplate } from "./pod.ts";

const template = (spec: AnyObject): AnyObject => withField(spec, "template", defaultPodTemplate(spec.template ?? {}));

export function defaultDeployment(deployment: AnyObject): AnyObject {
  let spec = withDefaults(template(deployment.spec ?? {}), {
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  });
  let strategy = withTextDefaults(spec.strategy ?? {}, { type: "RollingUpdate" });
  if (strategy.type === "RollingUpdate")
    strategy = withField(
      strategy,
      "rollingUpdate",
      withDefaults(strategy.rollingUpdate ?? {}, { maxUnavailable: "25%", maxSurge: "25%" }),
    );
  spec = withField(spec, "strategy", strategy);
  return withField(deployment, "spec", spec);
}

export const defaultReplicaSet = (set: AnyObject): AnyObject =>
  withField(set, "spec", withDefaults(template(set.spec ?? {}), { replicas: 1 }));

export function defaultDaemonSet(set: AnyObject): AnyObject {
  const spec = withDefaults(template(set.spec ?? {}), { revisionHistoryLimit: 10 });
  let strategy = withTextDefaults(spec.updateStrategy ?? {}, { type: "RollingUpdate" });
  if (strategy.type === "RollingUpdate")
    strategy = withField(
      strategy,
      "rollingUpdate",
      withDefaults(strategy.rollingUpdate ?? {}, { maxUnavailable: 1, maxSurge: 0 }),
    );
  // Numbers that are no pointers inside upstream: they come back as 0.
  else if (strategy.rollingUpdate !== undefined)
    strategy = withField(strategy, "rollingUpdate", withDefaults(strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 0 }));
  const filled = withField(set, "spec", withField(spec, "updateStrategy", strategy));
  // An object without the annotation has version 0 of its template: what a client leaves out is not kept.
  const annotations = set.metadata?.annotations;
  return annotations?.[templateGeneration] !== undefined
    ? filled
    : { ...filled, metadata: { ...filled.metadata, annotations: { ...annotations, [templateGeneration]: "0" } } };
}

/** The annotation that counts versions of a DaemonSet's template. */
export const templateGeneration = "deprecated.daemonset.template.generation";

export function defaultStatefulSet(set: AnyObject): AnyObject {
  let spec = withTextDefaults(template(set.spec ?? {}), { podManagementPolicy: "OrderedReady" });
  spec = withDefaults(spec, { replicas: 1, revisionHistoryLimit: 10 });
  // Who names the strategy is not given its parameters.
  const given = spec.updateStrategy ?? {};
  let strategy = given.type ? given : withDefaults({ ...given, type: "RollingUpdate" }, { rollingUpdate: {} });
  if (strategy.type === "RollingUpdate")
    strategy = inField(strategy, "rollingUpdate", (rolling) => withDefaults(rolling, { partition: 0 }));
  spec = withField(spec, "updateStrategy", strategy);
  spec = withField(
    spec,
    "persistentVolumeClaimRetentionPolicy",
    withTextDefaults(spec.persistentVolumeClaimRetentionPolicy ?? {}, { whenDeleted: "Retain", whenScaled: "Retain" }),
  );
  spec = mapList(spec, "volumeClaimTemplates", (claim) =>
    withTextDefaults(defaultPersistentVolumeClaim(claim), { kind: "PersistentVolumeClaim", apiVersion: "v1" }),
  );
  return withField(set, "spec", spec);
}

function defaultJobSpec(given: AnyObject): AnyObject {
  let spec = template(given);
  if (spec.completions === undefined && spec.parallelism === undefined) spec = { ...spec, completions: 1, parallelism: 1 };
  spec = withDefaults(spec, {
    parallelism: 1,
    backoffLimit: spec.backoffLimitPerIndex === undefined ? 6 : 2147483647,
    completionMode: "NonIndexed",
    suspend: false,
    podReplacementPolicy: spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed",
  });
  return inField(spec, "podFailurePolicy", (policy) =>
    mapList(policy, "rules", (rule) =>
      mapList(rule, "onPodConditions", (pattern) => withTextDefaults(pattern, { status: "True" })),
    ),
  );
}

export function defaultJob(job: AnyObject): AnyObject {
  let filled = withField(job, "spec", withDefaults(defaultJobSpec(job.spec ?? {}), { manualSelector: false }));
  const labels = filled.spec.template?.metadata?.labels;
  if (labels !== undefined && Object.keys(labels).length > 0 && Object.keys(filled.metadata?.labels ?? {}).length === 0)
    filled = { ...filled, metadata: { ...filled.metadata, labels } };
  return filled;
}

export function defaultCronJob(job: AnyObject): AnyObject {
  let spec = withTextDefaults(job.spec ?? {}, { concurrencyPolicy: "Allow" });
  spec = withDefaults(spec, { suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 });
  return withField(
    job,
    "spec",
    inField(spec, "jobTemplate", (jobTemplate) => withField(jobTemplate, "spec", cronJobSpec(jobTemplate.spec ?? {}))),
  );
}

/** Only what holds for templates: counts stay open until a job is made. */
const cronJobSpec = (spec: AnyObject): AnyObject =>
  inField(template(spec), "podFailurePolicy", (policy) =>
    mapList(policy, "rules", (rule) =>
      mapList(rule, "onPodConditions", (pattern) => withTextDefaults(pattern, { status: "True" })),
    ),
  );

const scaleDownPolicies = [{ type: "Percent", value: 100, periodSeconds: 15 }];
const scaleUpPolicies = [
  { type: "Pods", value: 4, periodSeconds: 15 },
  { type: "Percent", value: 100, periodSeconds: 15 },
];

export function defaultHorizontalPodAutoscaler(autoscaler: AnyObject): AnyObject {
  let spec = withDefaults(autoscaler.spec ?? {}, { minReplicas: 1 });
  if ((spec.metrics?.length ?? 0) === 0)
    spec = {
      ...spec,
      metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }],
    };
  spec = inField(spec, "behavior", (behavior) => {
    const up = withDefaults(behavior.scaleUp ?? {}, {
      stabilizationWindowSeconds: 0,
      selectPolicy: "Max",
      policies: scaleUpPolicies,
    });
    const down = withDefaults(behavior.scaleDown ?? {}, { selectPolicy: "Max", policies: scaleDownPolicies });
    return { ...behavior, scaleUp: up, scaleDown: down };
  });
  return withField(autoscaler, "spec", spec);
}

/** Version 1 leaves the metrics to what is stored, which has the defaults of version 2. */
export const defaultHorizontalPodAutoscalerV1 = (autoscaler: AnyObject): AnyObject =>
  withField(autoscaler, "spec", withDefaults(autoscaler.spec ?? {}, { minReplicas: 1 }));
