// What a Job's podFailurePolicy says about a failed pod (KEP-3329): the first rule that matches decides.
import type { ContainerStatus, Job, Pod } from "#api";

export interface RuleVerdict {
  readonly action: "FailJob" | "FailIndex" | "Ignore" | "Count";
  readonly message: string;
}

export function failureRule(job: Job, pod: Pod): RuleVerdict | undefined {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  for (const [index, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const action = rule.action as RuleVerdict["action"]; // validated by the server
    if (rule.onExitCodes !== undefined) {
      const { containerName, operator, values } = rule.onExitCodes;
      const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
      const hit = statuses.find((status) => {
        const code = exitCode(status);
        if (code === undefined || code === 0 || (containerName !== undefined && status.name !== containerName)) return false;
        return operator === "In" ? values.includes(code) : !values.includes(code);
      });
      if (hit !== undefined)
        return {
          action,
          message: `Container ${hit.name} for pod ${name} failed with exit code ${exitCode(hit)} matching ${action} rule at index ${index}`,
        };
    }
    for (const pattern of rule.onPodConditions ?? []) {
      const hit = pod.status?.conditions?.find(
        ({ type, status }) => type === pattern.type && status === (pattern.status ?? "True"),
      );
      if (hit !== undefined)
        return { action, message: `Pod ${name} has condition ${hit.type} matching ${action} rule at index ${index}` };
    }
  }
  return undefined;
}

const exitCode = (status: ContainerStatus): number | undefined => status.state?.terminated?.exitCode;
