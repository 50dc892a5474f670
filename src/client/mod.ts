// The front door of `client`: how every component reaches the cluster.
export type { Client, ListOptions, ObjectList, ObjectRef, Patch, WatchEvent, WatchOptions, WriteOptions } from "./client.ts";
export {
  type Controller,
  type ControllerDeps,
  type Requeue,
  runController,
  type Source,
  watchFor,
  watchMapped,
  watchOwned,
} from "./controller.ts";
export { authenticate, authorize, verbOf } from "./delegation.ts";
export type { EventNote, EventSource } from "./event-correlator.ts";
export { createEvents, type EventRecorder, type Events, referenceTo } from "./events.ts";
export { ConnectionLost, type HttpsOptions, httpsTransport } from "./https-transport.ts";
export { forceWire, freezeShared, inProcessTransport } from "./in-process.ts";
export type { Informer, InformerFactory, InformerHandler, Lister } from "./informer.ts";
export { createInformerFactory, type InformerDeps } from "./informer-factory.ts";
export { type KubeconfigOptions, loadKubeconfig } from "./kubeconfig.ts";
export { electLeader, type LeaderElectionOptions } from "./leader-election.ts";
export { mergeKubeconfig } from "./merge-kubeconfig.ts";
export { controllerOf, controllerReference, isControlledBy } from "./owners.ts";
export { collectionPath, objectPath } from "./paths.ts";
export { compareResourceVersions } from "./resource-version.ts";
export { type ClientOptions, createClient } from "./rest-client.ts";
// For unit tests of components: the least of an API server.
export { createFakeApi, type FakeApi } from "./testing/fake-api.ts";
export { rfc3339, rfc3339Micro } from "./time.ts";
export {
  type ApiReply,
  type ApiRequest,
  type Handle,
  type HttpMethod,
  isStatus,
  type Transport,
  type UserInfo,
  type WatchFrame,
} from "./transport.ts";
export { WorkQueue, type WorkQueueMetrics, type WorkQueueOptions } from "./work-queue.ts";
export { type KubeconfigContents, kubeconfigFor, writeKubeconfig } from "./write-kubeconfig.ts";
