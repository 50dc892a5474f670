// The front door of `kubelet`: the agent of one node. Read pod/plan.ts first.

export { ensureKubeconfig } from "./certificates/bootstrap.ts";
export { clientUsages, nodeSubject, servingUsages } from "./certificates/plan.ts";
export { renewCertificate } from "./certificates/renewal.ts";
export { clientFile, readCertificate, servingFile } from "./certificates/store.ts";
// What a real node is made of besides.
export { openPodCgroups, removeNodeCgroups } from "./cgroup/pod-cgroups.ts";
export { containerdEvents } from "./containerd/events.ts";
export { removeRunDirectory, startContainerd } from "./containerd/instance.ts";
export { openCriRuntime } from "./cri/runtime.ts";
export { busyboxArchive, busyboxImage, pauseArchive, pauseImage } from "./image/built-in.ts";
export { feed, startKubelet } from "./kubelet.ts";
export { nodeLease, renewLease } from "./node/lease.ts";
export { kubeletVersion } from "./node/node-keeper.ts";
export { newNode, nodeStatus } from "./node/node-object.ts";
export type { Capacity, KubeletDeps, KubeletOptions, NodeInfo, RunningKubelet } from "./options.ts";
export type { ReferencedObjects } from "./pod/environment.ts";
export { type EventSink, noEvents } from "./pod/events.ts";
export { PodFleet } from "./pod/fleet.ts";
export { ImageKeeper } from "./pod/images.ts";
export { objectsThrough } from "./pod/objects.ts";
export { recorderSink } from "./pod/recorder-sink.ts";
export type { HttpTarget, NetworkProbes, ProbeOutcome, ProbeTarget } from "./probe/check.ts";
export { systemNetworkProbes } from "./probe/network.ts";
export type * from "./runtime.ts";
export { attemptsOf, serverBackend } from "./server/backend.ts";
export { LogQueryError, parseLogQuery } from "./server/log-query.ts";
export { startKubeletServer } from "./server/server.ts";
export { fetchManifest } from "./static/fetch-manifest.ts";
export type { HttpSourceOptions } from "./static/http-source.ts";
export { referencesOnly } from "./volume/references-only.ts";
