// Security contexts of pods and containers.
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required, tooLong } from "../../errors.ts";
import { byteLength, isDns1123Subdomain } from "../../names.ts";
import type { AnyObject } from "../../rules.ts";
import { inRange, localDescendingPath, maxInt32 } from "../basics.ts";
import { invalids } from "../meta.ts";

const present = (value: unknown): boolean => value !== undefined && value !== null;
const userId = (value: number | undefined, path: string): FieldError[] => inRange(value, 0, maxInt32, path);

/** A security context as Go prints it. */
const shown = (context: AnyObject): unknown => ({
  Capabilities: present(context.capabilities)
    ? { Add: context.capabilities.add ?? null, Drop: context.capabilities.drop ?? null }
    : null,
  Privileged: context.privileged ?? null,
  SELinuxOptions: context.seLinuxOptions ?? null,
  WindowsOptions: context.windowsOptions ?? null,
  RunAsUser: context.runAsUser ?? null,
  RunAsGroup: context.runAsGroup ?? null,
  RunAsNonRoot: context.runAsNonRoot ?? null,
  ReadOnlyRootFilesystem: context.readOnlyRootFilesystem ?? null,
  AllowPrivilegeEscalation: context.allowPrivilegeEscalation ?? null,
  ProcMount: context.procMount ?? null,
  SeccompProfile: context.seccompProfile ?? null,
  AppArmorProfile: context.appArmorProfile ?? null,
});

/** Of a container. */
export function validateSecurityContext(context: AnyObject, path: string, hostUsers: boolean): FieldError[] {
  if (!present(context)) return [];
  const errors: FieldError[] = [];
  errors.push(...userId(context.runAsUser, `${path}.runAsUser`), ...userId(context.runAsGroup, `${path}.runAsGroup`));
  if (context.procMount !== undefined) {
    if (context.procMount !== "Default" && context.procMount !== "Unmasked")
      errors.push(notSupported(`${path}.procMount`, context.procMount, ["Default", "Unmasked"]));
    if (context.procMount === "Unmasked" && hostUsers)
      errors.push(invalidValue(`${path}.procMount`, context.procMount, "`hostUsers` must be false to use `Unmasked`"));
  }
  errors.push(...validateSeccomp(context.seccompProfile, `${path}.seccompProfile`));
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true)
      errors.push(invalidValue(path, shown(context), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    for (const capability of context.capabilities?.add ?? [])
      if (capability === "CAP_SYS_ADMIN")
        errors.push(
          invalidValue(
            path,
            shown(context),
            "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
          ),
        );
  }
  errors.push(...validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`));
  return [...errors, ...validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`)];
}

function validateSeccomp(profile: AnyObject, path: string): FieldError[] {
  if (!present(profile)) return [];
  const { type = "", localhostProfile } = profile;
  if (type === "Localhost") {
    if (!present(localhostProfile)) return [required(`${path}.localhostProfile`, "must be set when seccomp type is Localhost")];
    return localDescendingPath(localhostProfile, `${path}.localhostProfile`);
  }
  if (present(localhostProfile))
    return [
      invalidValue(
        `${path}.localhostProfile`,
        { Type: type, LocalhostProfile: localhostProfile },
        "can only be set when seccomp type is Localhost",
      ),
      ...seccompType(type, path),
    ];
  return seccompType(type, path);
}

const profileTypes = ["Localhost", "RuntimeDefault", "Unconfined"];
const seccompType = (type: string, path: string): FieldError[] =>
  type === ""
    ? [required(`${path}.type`, "type is required when seccompProfile is set")]
    : profileTypes.includes(type)
      ? []
      : [notSupported(`${path}.type`, type, profileTypes)];

function validateAppArmor(profile: AnyObject, path: string): FieldError[] {
  if (!present(profile)) return [];
  const errors: FieldError[] = [];
  const { type = "", localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if (type === "Localhost") {
    if (!present(localhostProfile)) errors.push(required(at, "must be set when AppArmor type is Localhost"));
    else {
      const trimmed = localhostProfile.trim();
      if (trimmed !== localhostProfile) errors.push(invalidValue(at, localhostProfile, "must not be padded with whitespace"));
      else if (trimmed === "") errors.push(required(at, "must be set when AppArmor type is Localhost"));
      if (byteLength(localhostProfile) > 4095) errors.push(tooLong(at, 4095));
    }
  } else {
    if (type === "") errors.push(required(`${path}.type`, "type is required when appArmorProfile is set"));
    else if (!profileTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, profileTypes));
    if (present(localhostProfile))
      errors.push(invalidValue(at, localhostProfile, "can only be set when AppArmor type is Localhost"));
  }
  return errors;
}

const userCharacters = '"/\\:;|=,+*?<>@[]';

function validateWindowsOptions(options: AnyObject, path: string): FieldError[] {
  if (!present(options)) return [];
  const errors: FieldError[] = [];
  if (present(options.gmsaCredentialSpecName))
    errors.push(
      ...invalids(
        `${path}.gmsaCredentialSpecName`,
        options.gmsaCredentialSpecName,
        isDns1123Subdomain(options.gmsaCredentialSpecName),
      ),
    );
  if (present(options.gmsaCredentialSpec)) {
    if (options.gmsaCredentialSpec === "")
      errors.push(invalidValue(`${path}.gmsaCredentialSpec`, "", "gmsaCredentialSpec cannot be an empty string"));
    else if (byteLength(options.gmsaCredentialSpec) > 64 * 1024)
      errors.push(
        invalidValue(`${path}.gmsaCredentialSpec`, options.gmsaCredentialSpec, "gmsaCredentialSpec size must be under 64 KiB"),
      );
  }
  if (present(options.runAsUserName)) errors.push(...validateWindowsUser(options.runAsUserName, `${path}.runAsUserName`));
  return errors;
}

function validateWindowsUser(name: string, path: string): FieldError[] {
  if (name === "") return [invalidValue(path, name, "runAsUserName cannot be an empty string")];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what the rule forbids
  if (/[\x00-\x1f\x7f]/.test(name)) return [invalidValue(path, name, "runAsUserName cannot contain control characters")];
  const parts = name.split("\\");
  if (parts.length > 2) return [invalidValue(path, name, "runAsUserName cannot contain more than one backslash")];
  const errors: FieldError[] = [];
  const domain = parts.length === 2 ? (parts[0] ?? "") : undefined;
  const user = parts.at(-1) ?? "";
  if (domain !== undefined) {
    if (domain.length >= 256) errors.push(invalidValue(path, name, "runAsUserName's Domain length must be under 256 characters"));
    if (!/^[-_.A-Za-z0-9 ]+$/.test(domain))
      errors.push(invalidValue(path, name, "runAsUserName's Domain doesn't match the NetBios nor the DNS format"));
  }
  if (user.length > 104)
    errors.push(invalidValue(path, name, "runAsUserName's User length must not be longer than 104 characters"));
  if (/^[ .]+$/.test(user)) errors.push(invalidValue(path, name, "runAsUserName's User cannot contain only periods or spaces"));
  if (user === "" || [...user].some((character) => userCharacters.includes(character)))
    errors.push(invalidValue(path, name, `runAsUserName's User cannot contain the following characters: ${userCharacters}`));
  return errors;
}

const sysctlPattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const ipcSysctls = ["kernel.shm", "kernel.msg", "fs.mqueue.", "kernel.sem"];

/** Of a pod: `spec` is the pod's. */
export function validatePodSecurityContext(context: AnyObject, spec: AnyObject, path: string): FieldError[] {
  if (!present(context)) return [];
  const errors: FieldError[] = [];
  errors.push(
    ...userId(context.fsGroup, `${path}.fsGroup`),
    ...userId(context.runAsUser, `${path}.runAsUser`),
    ...userId(context.runAsGroup, `${path}.runAsGroup`),
  );
  for (const [i, group] of (context.supplementalGroups ?? []).entries())
    errors.push(...userId(group, `${path}.supplementalGroups[${i}]`));
  if (present(spec.shareProcessNamespace) && spec.shareProcessNamespace && spec.hostPID)
    errors.push(invalidValue(`${path}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"));
  const names = new Set<string>();
  for (const [i, sysctl] of (context.sysctls ?? []).entries()) {
    const at = `${path}.sysctls[${i}].name`;
    const name: string = sysctl.name ?? "";
    if (name === "") errors.push(required(at));
    else if (byteLength(name) > 253 || !sysctlPattern.test(name))
      errors.push(
        invalidValue(
          at,
          name,
          String.raw`must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`,
        ),
      );
    else if (names.has(name)) errors.push(duplicate(at, name));
    if (spec.hostNetwork === true && name.replaceAll("/", ".").startsWith("net."))
      errors.push(invalidValue(at, name, "may not be specified when 'hostNetwork' is true"));
    if (spec.hostIPC === true && ipcSysctls.some((prefix) => name.replaceAll("/", ".").startsWith(prefix)))
      errors.push(invalidValue(at, name, "may not be specified when 'hostIPC' is true"));
    names.add(name);
  }
  if (context.fsGroupChangePolicy !== undefined && !["OnRootMismatch", "Always"].includes(context.fsGroupChangePolicy))
    errors.push(notSupported(`${path}.fsGroupChangePolicy`, context.fsGroupChangePolicy, ["Always", "OnRootMismatch"]));
  if (context.seLinuxChangePolicy !== undefined && context.seLinuxChangePolicy !== "Recursive")
    errors.push(notSupported(`${path}.seLinuxChangePolicy`, context.seLinuxChangePolicy, ["Recursive"]));
  errors.push(...validateSeccomp(context.seccompProfile, `${path}.seccompProfile`));
  errors.push(...validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`));
  errors.push(...validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`));
  if (context.supplementalGroupsPolicy !== undefined && !["Merge", "Strict"].includes(context.supplementalGroupsPolicy))
    errors.push(notSupported(`${path}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, ["Merge", "Strict"]));
  return errors;
}

/** Fields that a Windows container's context cannot have. */
const windowsContainerFields = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
];

const eachContainer = (spec: AnyObject, path: string, visit: (container: AnyObject, at: string) => void): void => {
  for (const list of ["initContainers", "containers", "ephemeralContainers"])
    for (const [i, container] of (spec[list] ?? []).entries()) visit(container, `${path}.${list}[${i}]`);
};

export function validateLinux(spec: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (present(spec.securityContext?.windowsOptions))
    errors.push(forbiddenField(`${path}.securityContext.windowsOptions`, "windows options cannot be set for a linux pod"));
  eachContainer(spec, path, (container, at) => {
    if (present(container.securityContext?.windowsOptions))
      errors.push(forbiddenField(`${at}.securityContext.windowsOptions`, "windows options cannot be set for a linux pod"));
  });
  return errors;
}

export function validateWindows(spec: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const forbidden = (field: string): void => {
    errors.push(forbiddenField(field, "cannot be set for a windows pod"));
  };
  const context = spec.securityContext;
  if (present(context)) {
    if (context.hostUsers !== undefined) forbidden(`${path}.hostUsers`);
    for (const field of ["appArmorProfile", "seLinuxOptions"])
      if (present(context[field])) forbidden(`${path}.securityContext.${field}`);
    if (spec.hostUsers !== undefined) forbidden(`${path}.hostUsers`);
    if (spec.hostPID) forbidden(`${path}.hostPID`);
    if (spec.hostIPC) forbidden(`${path}.hostIPC`);
    for (const field of ["seccompProfile", "fsGroup", "fsGroupChangePolicy"])
      if (present(context[field])) forbidden(`${path}.securityContext.${field}`);
    if ((context.sysctls?.length ?? 0) > 0) forbidden(`${path}.securityContext.sysctls`);
    if (spec.shareProcessNamespace !== undefined) forbidden(`${path}.shareProcessNamespace`);
    for (const field of ["runAsUser", "runAsGroup"]) if (present(context[field])) forbidden(`${path}.securityContext.${field}`);
    if (present(context.supplementalGroups)) forbidden(`${path}.securityContext.supplementalGroups`);
    if (present(context.supplementalGroupsPolicy)) forbidden(`${path}.securityContext.supplementalGroupsPolicy`);
    if (present(context.seLinuxChangePolicy)) forbidden(`${path}.securityContext.seLinuxChangePolicy`);
  }
  eachContainer(spec, path, (container, at) => {
    const own = container.securityContext;
    if (!present(own)) return;
    for (const field of windowsContainerFields) if (present(own[field])) forbidden(`${at}.securityContext.${field}`);
  });
  return errors;
}

/** Windows hostProcess pods: all or none, on the host's network. */
export function validateHostProcess(spec: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let all = 0;
  let processes = 0;
  const podWide = spec.securityContext?.windowsOptions?.hostProcess;
  eachContainer(spec, path, (container, at) => {
    all++;
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (present(own) && present(podWide) && own !== podWide)
      errors.push(
        invalidValue(
          `${at}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${podWide}`,
        ),
      );
    if (own ?? podWide ?? false) processes++;
  });
  if (processes > 0) {
    if (all !== processes)
      errors.push(
        invalidValue(
          path,
          "",
          "If pod contains any hostProcess containers then all containers in pod must have windowsOptions.hostProcess set to true",
        ),
      );
    if (spec.hostNetwork !== true)
      errors.push(
        invalidValue(
          `${path}.hostNetwork`,
          spec.hostNetwork ?? false,
          "hostNetwork must be true if pod contains any hostProcess containers",
        ),
      );
  }
  return errors;
}
