// Who the components are when they speak to the API server: upstream's user names and groups, in process and as certificates alike.
import type { UserInfo } from "#client";

const authenticated = "system:authenticated";

export const administrator: UserInfo = { name: "kubernetes-admin", groups: ["system:masters", authenticated] };
export const controllerManager: UserInfo = { name: "system:kube-controller-manager", groups: [authenticated] };
export const scheduler: UserInfo = { name: "system:kube-scheduler", groups: [authenticated] };
export const proxy: UserInfo = { name: "system:kube-proxy", groups: [authenticated] };

export const node = (name: string): UserInfo => ({ name: `system:node:${name}`, groups: ["system:nodes", authenticated] });

/** A service account of kube-system: what each controller acts as. */
export const systemAccount = (name: string): UserInfo => ({
  name: `system:serviceaccount:kube-system:${name}`,
  groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", authenticated],
});
