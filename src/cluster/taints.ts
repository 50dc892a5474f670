// Taints as flags write them: KEY=VALUE:EFFECT or KEY:EFFECT (upstream's --register-with-taints).
import type { Taint } from "#api";
import { OptionError } from "#base";

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/** Throws OptionError. */
export function parseTaint(text: string): Taint {
  const match = /^([^=:]+)(?:=([^=:]*))?:([^=:]+)$/.exec(text);
  const [, key = "", value, effect = ""] = match ?? [];
  if (match === null || !effects.includes(effect))
    throw new OptionError(`Invalid taint "${text}": write KEY=VALUE:EFFECT with one of ${effects.join(", ")}`);
  return { key, ...(value === undefined || value === "" ? {} : { value }), effect };
}

export const taintText = ({ key, value, effect }: Taint): string => `${key}${value === undefined ? "" : `=${value}`}:${effect}`;
