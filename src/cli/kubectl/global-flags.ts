// The flags that every command takes.
import { defineOptions, type OptionValues } from "#base";

export const globalFlags = defineOptions({
  kubeconfig: {
    kind: "string",
    help: "The kubeconfig file (else the files of KUBECONFIG, else ~/.kube/config)",
    placeholder: "FILE",
  },
  context: { kind: "string", help: "The kubeconfig's context to use", placeholder: "NAME" },
  cluster: { kind: "string", help: "The kubeconfig's cluster to use", placeholder: "NAME" },
  user: { kind: "string", help: "The kubeconfig's user to be", placeholder: "NAME" },
  namespace: { kind: "string", help: "Namespace (default: the context's)", placeholder: "NAME" },
  server: { kind: "string", help: "The API server's address", placeholder: "URL" },
  token: { kind: "string", help: "Bearer token, instead of the kubeconfig's credentials", placeholder: "TOKEN" },
  as: { kind: "string", help: "User to impersonate", placeholder: "NAME" },
  asGroup: { kind: "list", default: [], help: "Groups to impersonate", placeholder: "GROUPS" },
  asUid: { kind: "string", help: "UID to impersonate", placeholder: "UID" },
  certificateAuthority: { kind: "string", help: "Certificate of the server's authority", placeholder: "FILE" },
  insecureSkipTlsVerify: { kind: "boolean", default: false, help: "Do not verify the server's certificate" },
  tlsServerName: { kind: "string", help: "Name that the server's certificate must have", placeholder: "NAME" },
  requestTimeout: { kind: "string", default: "0", help: "Time for one request (0: no limit)", placeholder: "DURATION" },
  help: { kind: "boolean", default: false, help: "Show the flags of a command" },
});

export const globalShort = { namespace: "n", server: "s", help: "h" } as const;

export type GlobalOptions = OptionValues<typeof globalFlags>;
