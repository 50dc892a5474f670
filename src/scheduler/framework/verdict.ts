// What a plugin says about a pod: data, never an exception.

export type Rejection = "Unschedulable" | "UnschedulableAndUnresolvable";

/**
 * `Unschedulable` may be cured by removing pods (preemption); `UnschedulableAndUnresolvable` may not.
 * `Skip` of preFilter or preScore leaves the plugin's filter or score out for this pod; of bind, it passes the pod on to the next binder.
 */
export type Verdict =
  | { readonly code: "Success" }
  | { readonly code: "Skip" }
  | { readonly code: Rejection; readonly reasons: readonly string[]; readonly plugin?: string }
  | { readonly code: "Wait"; readonly timeoutMs: number }
  | { readonly code: "Error"; readonly message: string; readonly plugin?: string; readonly cause?: unknown };

export type Rejected = Extract<Verdict, { readonly code: Rejection }>;

export const success: Verdict = { code: "Success" };
export const skip: Verdict = { code: "Skip" };
export const unschedulable = (...reasons: readonly string[]): Verdict => ({ code: "Unschedulable", reasons });
export const unresolvable = (...reasons: readonly string[]): Verdict => ({ code: "UnschedulableAndUnresolvable", reasons });
export const wait = (timeoutMs: number): Verdict => ({ code: "Wait", timeoutMs });
export const failed = (message: string, cause?: unknown): Verdict => ({ code: "Error", message, cause });

export const isRejected = (verdict: Verdict): verdict is Rejected =>
  verdict.code === "Unschedulable" || verdict.code === "UnschedulableAndUnresolvable";

/** The verdict with the name of the plugin that gave it; success and skip need none. */
export const by = (plugin: string, verdict: Verdict): Verdict =>
  (isRejected(verdict) || verdict.code === "Error") && verdict.plugin === undefined ? { ...verdict, plugin } : verdict;

/** The sentence for people: reasons joined as upstream joins them. */
export function verdictText(verdict: Verdict): string {
  if (isRejected(verdict)) return verdict.reasons.join(", ");
  return verdict.code === "Error" ? verdict.message : "";
}
