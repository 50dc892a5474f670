// The front door of `client`: how every component reaches the cluster.
export type { Client, ListOptions, ObjectList, ObjectRef, Patch, WatchEvent, WatchOptions, WriteOptions } from "./client.ts";
export type { Informer, InformerFactory, InformerHandler, Lister } from "./informer.ts";
export { type ApiReply, type ApiRequest, type Handle, type HttpMethod, isStatus, type Transport, type UserInfo, type WatchFrame } from "./transport.ts";
